"""The random streams of many environments, each as a few numbers instead of an object."""

from typing import final

import numpy as np
from gymnasium.utils import seeding

_WORD = 2**64


@final
class SeedStreams:
    """Per environment what `gymnasium.Env.np_random` is to one: a stream of episode seeds."""

    def __init__(self, n: int) -> None:
        self._words = np.zeros((n, 6), np.uint64)
        self._is_started = np.zeros(n, np.bool_)
        self._generator = np.random.Generator(np.random.PCG64(0))

    def start(self, i: int, seed: int | None) -> None:
        """Begin the stream of environment i as `reset(seed=seed)` would."""
        self._keep(i, seeding.np_random(seed)[0])

    def draw(self, i: int) -> int:
        """The seed of the next episode of environment i."""
        if not self._is_started[i]:
            self.start(i, None)
        high, low, inc_high, inc_low, has, rest = map(int, self._words[i])
        self._generator.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": {"state": high * _WORD + low, "inc": inc_high * _WORD + inc_low},
            "has_uint32": has,
            "uinteger": rest,
        }
        seed = int(self._generator.integers(2**31))
        self._keep(i, self._generator)
        return seed

    def _keep(self, i: int, generator: np.random.Generator) -> None:
        whole = generator.bit_generator.state
        state, inc = whole["state"]["state"], whole["state"]["inc"]
        self._words[i] = [
            *divmod(state, _WORD), *divmod(inc, _WORD), whole["has_uint32"], whole["uinteger"]
        ]  # fmt: skip
        self._is_started[i] = True
