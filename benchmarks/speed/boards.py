"""The workload of the batch rows: eight applications on every board, which come, move and end."""

from typing import Any, final

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import edgetwin
from edgetwin.scenario import Scenario, load_scenario
from hw_models.board import Board

THERMAL, CARTPOLE = "edgetwin/Thermal-v0", "CartPole-v1"
MOVE_S = 0.5
SLOTS = CORES = 8
_FIRST = ("adi", "fdtd-2d", "gemm", "jacobi-2d", "lu", "syrk", "heat-3d", "seidel-2d")


def eight_applications() -> Scenario:
    """Eight programs of different length at once; others come at random while they run."""
    work: dict[str, Any] = {"pass_instructions": 1e10}
    jobs = [
        {"kind": "application", "program": name, "target_share": 0.3, **work,
         "instructions": 1e11 * (1 + i % 3)}
        for i, name in enumerate(_FIRST)
    ]  # fmt: skip
    arrivals = {
        "process": "poisson", "rate_hz": 0.02, "count": 60, "programs": "all", **work,
        "instructions": 1e11, "target_share": [0.2, 0.6],
    }  # fmt: skip
    return load_scenario("mixed-20").with_(
        until="duration", duration_s=36000.0, jobs=jobs, arrivals=arrivals
    )


@final
class Crowd:
    """A vector environment of Thermal-v0 that is stepped with random moves, or with none.

    Every board moves a random slot to a random core once in MOVE_S on average, at random times.
    """

    def __init__(
        self, n: int, step_s: float, steps: int, *, moves: bool = True, **given: Any
    ) -> None:
        edgetwin.register_envs()
        self.n, self.step_s = n, step_s
        self.env: Any = gym.make_vec(
            THERMAL, num_envs=n, vectorization_mode="vector_entry_point", step_s=step_s,
            scenario=eight_applications(), max_episode_steps=10**9, **given,
        )  # fmt: skip
        rng = np.random.default_rng(5)
        share = min(1.0, step_s / MOVE_S) if moves else 0.0
        self.actions = [random_moves(rng, n, share) for _ in range(steps)]
        self.env.reset(seed=5)
        self.steps = 0

    def run(self) -> None:
        """Step through all actions."""
        for actions in self.actions:
            self.env.step(actions)
        self.steps += len(self.actions)

    def checked(self, *, moves: bool = True) -> dict[str, float]:
        """What was done; RuntimeError unless time passed, joules flowed and jobs moved."""
        batch = self.env.batch
        found = {
            "simulated_s": float(batch.get("t_ns").mean() * 1e-9),
            "energy_j": float(batch.energy_j.mean()),
            "moves": float(batch.get("migrations").mean()),
            "transitions": float(batch.get("transitions").mean()),
            "completions": float(batch.get("finished").mean()),
            "running": float(np.mean(sum(batch.get("job_unit", j) >= 0 for j in range(24)))),
        }
        expected_s = self.steps * self.step_s
        least_moves = 0.25 * expected_s / MOVE_S if moves else 0.0
        if (
            abs(found["simulated_s"] - expected_s) > 1e-6
            or not found["energy_j"] > expected_s
            or not found["moves"] >= least_moves
            or not 2.0 < found["running"] < 20.0
        ):
            raise RuntimeError(f"{self.steps} steps of {self.step_s} s led to {found}.")
        return found


def random_moves(rng: np.random.Generator, n: int, share: float) -> NDArray[np.int64]:
    """Actions (n,): with probability `share` a random slot to a random core, else nothing."""
    return np.where(rng.random(n) < share, rng.integers(1, 1 + SLOTS * CORES, n), 0)


def nearby(board: Board, rng: np.random.Generator) -> Board:
    """A board drawn as its certificate, or the std of each number, says."""
    return board.sample(rng)
