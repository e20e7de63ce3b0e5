"""`infos` of a vector environment: the documented keys as arrays over environments."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetwin.envs.board_env import BoardEnv
from edgetwin.kernel.batch_read import (
    CAP_W,
    ENERGY_J,
    FAN,
    HEAD,
    OVER_CAP,
    QOS,
    REWARD_A,
    REWARD_B,
    T_S,
    THROTTLED,
)

Read = Callable[[NDArray[np.float64]], Any]


def batch_entries(one: BoardEnv, n: int, mask: NDArray[np.bool_] | None = None) -> dict[str, Read]:
    """How each key of `infos` is read from readings (n, columns), and its mask `_key`.

    A sensor that says nothing reads NaN, no cap is infinite; what the board lacks is None.
    """
    low, board = one.sim.lowered, one.board
    told = np.ones(n, np.bool_) if mask is None else mask.copy()
    rails_at = HEAD + len(low.zones)
    nothing = np.full(n, None, object)

    def column(at: int, dtype: Any = np.float64) -> Read:
        return lambda block: block[:, at].astype(dtype)

    def named(names: tuple[str, ...], at: int) -> Read:
        def read(block: NDArray[np.float64]) -> dict[str, Any]:
            found: dict[str, Any] = {}
            for k, name in enumerate(names):
                found[name], found[f"_{name}"] = block[:, at + k].copy(), told.copy()
            return found

        return read

    def calibration(block: NDArray[np.float64]) -> dict[str, Any]:
        about = [one.info_entries["calibration"](row) for row in block]
        found: dict[str, Any] = {}
        for key in about[0]:
            values = [a[key] for a in about]
            dtype = np.bool_ if isinstance(values[0], bool) else object
            found[key], found[f"_{key}"] = np.array(values, dtype), told.copy()
        return found

    found: dict[str, Read] = {
        "t_s": column(T_S),
        "temps_c": named(low.zones, HEAD),
        "power_w": named(low.rails, rails_at) if low.rails else lambda block: nothing.copy(),
        "energy_j": column(ENERGY_J) if low.rails else lambda block: nothing.copy(),
        "freq_hz": named(low.domains, rails_at + len(low.rails)),
        "fan": column(FAN, np.int64) if board.limits.fan else lambda block: nothing.copy(),
        "throttled": column(THROTTLED, np.bool_),
        "cap_w": column(CAP_W),
        "cap_violation": column(OVER_CAP),
        "qos_violation": column(QOS),
        one.reward_names[0]: column(REWARD_A),
        one.reward_names[1]: column(REWARD_B),
        "backend": lambda block: np.full(n, "sim", object),
        "calibration": calibration,
    }
    masks: dict[str, Read] = {f"_{key}": lambda block: told.copy() for key in found}
    return found | masks


def blank(infos: dict[str, Any], mask: NDArray[np.bool_]) -> dict[str, Any]:
    """infos with nothing (0 or None) where the mask is false."""
    for value in infos.values():
        if isinstance(value, dict):
            blank(value, mask)
        elif value is not None:
            value[~mask] = None if value.dtype == object else 0
    return infos
