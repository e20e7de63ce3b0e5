"""What the sensors of many boards say, as rows of numbers: batch_read.py on tensors."""

import torch
from torch import Tensor

from edgetwin.kernel.batch_read import (
    CAP_W,
    DROPPED,
    ENERGY_J,
    FAN,
    HEAD,
    OVER_CAP,
    QOS,
    T_S,
    THROTTLED,
)
from edgetwin.kernel_gpu.boards import Boards
from edgetwin.kernel_gpu.fields import Tensors, in_seconds
from edgetwin.kernel_gpu.inputs import at_level


def energy_j(s: Tensors, b: Boards) -> Tensor:
    """Energy drawn since reset, losses of regulators included, (n,)."""
    return s["energy_j"].sum(1) * b.own["drawn_per_w"]


def readings(s: Tensors, b: Boards) -> Tensor:
    """A head of HEAD numbers, then temperatures, rails and clocks in board order, (n, columns)."""
    head = torch.zeros((len(s["t_ns"]), HEAD), dtype=torch.float64, device=s["t_ns"].device)
    aimed_s = s["aimed_s"] - s["mark_aimed_s"]
    step_s = in_seconds(s["t_ns"] - s["mark_ns"])
    below, over = s["below_s"] - s["mark_below_s"], s["over_cap_s"] - s["mark_over_cap_s"]
    head[:, QOS] = torch.where(aimed_s > 0.0, below / aimed_s, 0.0)
    head[:, OVER_CAP] = torch.where(step_s > 0.0, over / step_s, 0.0)
    head[:, T_S] = in_seconds(s["t_ns"])
    head[:, ENERGY_J] = energy_j(s, b)
    for column, name in ((THROTTLED, "throttled"), (CAP_W, "cap_w"), (FAN, "fan")):
        head[:, column] = s[name].to(head.dtype)
    sensors = torch.cat([s["zone_c"], s["rail_w"]], 1).to(head.dtype)
    head[:, DROPPED] = sensors.isnan().any(1).to(head.dtype)
    clocks_hz = at_level(b, "freq_hz", s["level"]).to(head.dtype)
    return torch.cat([head, sensors, clocks_hz], 1)
