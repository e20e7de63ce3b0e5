"""Memory per board, from the resident set of fresh processes."""

from typing import Any

from benchmarks.frame.children import run_python
from edgetwin.studies import Figure, row

FEW, MANY = 32, 65_536

CODE = """
import numpy as np
from benchmarks.speed.boards import Crowd
crowd = Crowd({n}, 0.05, 2)
crowd.run()
done = crowd.checked(moves=False)
pages = int(open("/proc/self/statm").read().split()[1])
import resource
print(pages * resource.getpagesize(), done["energy_j"])
"""


def measure(quick: bool) -> dict[str, Any]:
    """(resident bytes with many boards - with few) / difference, after a reset and two steps."""
    many = MANY // 16 if quick else MANY
    _resident_bytes(FEW)  # what compiles takes more room than boards do
    few_bytes, many_bytes = (_resident_bytes(n) for n in (FEW, many))
    return row(
        {"bytes_per_board": Figure(value=(many_bytes - few_bytes) / (many - FEW), bar=8192.0)},
        n={"few": FEW, "many": many},
        resident_bytes={"few": few_bytes, "many": many_bytes},
    )


def _resident_bytes(n: int) -> float:
    resident, energy_j = map(float, run_python(CODE.format(n=n)).split())
    if not energy_j > 0:
        raise RuntimeError(f"{n} boards drew no energy.")
    return resident
