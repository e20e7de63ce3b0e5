"""The policy `mine`: as fast as the load asks while the board is cool, slow when it is warm."""

from edgetwin import FunctionPolicy
from hw_models import Knobs, Reading

WARM_C = 36.0


def decide(reading: Reading) -> Knobs:
    """What to turn now, given what the sensors say; only what is named changes."""
    known_c = [temp_c for temp_c in reading.temps_c.values() if temp_c is not None]
    warm = max(known_c, default=0.0) > WARM_C
    return Knobs(governor={"big": "powersave" if warm else "ondemand"})


def make() -> FunctionPolicy:
    """A fresh policy that decides every half second."""
    return FunctionPolicy(decide, period_s=0.5)
