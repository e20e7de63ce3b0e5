"""One environment as a process that is asked in turn: run with a peer's own interpreter.

Arguments: environment id, then modules to import first. Every line on stdin asks for so many steps
with random actions, and is answered by one line of JSON: seconds, episodes, sum of rewards.
"""

import json
import sys
import time
import warnings
from importlib import import_module

import gymnasium as gym

warnings.simplefilter("ignore")


def main(env_id: str, *modules: str) -> None:
    """Answer until stdin ends."""
    for module in modules:
        import_module(module)
    env = gym.make(env_id)
    space = env.action_space
    space.seed(5)
    env.reset(seed=5)
    print("ready", flush=True)
    for line in sys.stdin:
        actions = [space.sample() for _ in range(int(line))]
        episodes, rewards, start_s = 0, 0.0, time.perf_counter()
        for action in actions:
            _, reward, terminated, truncated, _ = env.step(action)
            rewards += float(reward)
            if terminated or truncated:
                episodes += 1
                env.reset()
        found = {
            "seconds": time.perf_counter() - start_s, "episodes": episodes, "rewards": rewards,
        }  # fmt: skip
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
