"""Electrical power of a board's parts: switching, leakage, memory traffic."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hw_models.compiled import inline

if TYPE_CHECKING:
    from hw_models.board import Board


@inline
def switching_w(active_f: float, idle_f: float, activity: float, volt_v: float, hz: float) -> float:
    """CMOS switching power (C_active * activity + C_idle) * V^2 * f in watts."""
    return (active_f * activity + idle_f) * volt_v * volt_v * hz


@inline
def leakage_shape(
    temp_c: float, ref_c: float, c1: float, c2: float, c3: float, low_c: float, high_c: float
) -> float:
    """Leakage relative to the reference temperature: a cubic in T, constant outside its range."""
    d = min(max(temp_c, low_c), high_c) - ref_c
    return 1.0 + d * (c1 + d * (c2 + d * c3))


def leakage_w(board: "Board", part: str, volt_v: float, temp_c: float) -> float:
    """Leakage of one part at a voltage and a temperature; the board file's [power.leakage]."""
    law = board.power.leakage
    c1, c2, c3 = law.coefficients.value
    shape = leakage_shape(temp_c, law.reference_c.value, c1, c2, c3, *law.valid_c)
    part_w = leakage_at_one_volt_w(board)[board.parts.index(part)]
    return float(part_w * volt_v**law.volt_exponent.value * shape)


def leakage_at_one_volt_w(board: "Board") -> NDArray[np.float64]:
    """Leakage of every part at 1 V and the reference temperature, (n_parts,) in board order."""
    power = board.power
    units = [power.units[u.group].leakage_w.value for u in board.unit_list]
    shared = [p.leakage_w.value for p in power.domains.values()]
    memory = [power.memory.leakage_w.value] if power.memory else []
    return np.pad(
        np.array([*units, *shared, *memory]), (0, len(board.parts) - len(units + shared + memory))
    )
