"""Heat of many boards: each advances by a step of its own, exactly but for leakage (ETD2RK)."""

import torch
from torch import Tensor

from edgetwin.kernel_gpu.boards import Boards
from edgetwin.kernel_gpu.fields import Tensors, in_seconds, merged


def networks(s: Tensors, b: Boards) -> Tensor:
    """Which thermal network each board has now, (n,): its record's, at its fan level."""
    return b.own["network"] + s["fan"]


def through(values: Tensor, matrices: Tensor, network: Tensor) -> Tensor:
    """values (n, a) times the matrix (a, b) of each board's network, (n, b)."""
    if len(matrices) == 1:
        return values @ matrices[0]
    return torch.bmm(values.unsqueeze(1), matrices[network]).squeeze(1)


def zones_c(s: Tensors, b: Boards) -> Tensor:
    """True temperatures at the sensors, (n, zones)."""
    return through(s["modes"], b.networks["see_zone"], networks(s, b))


def nodes_c(s: Tensors, b: Boards) -> Tensor:
    """True temperatures of the thermal nodes, (n, nodes)."""
    return through(s["modes"], b.networks["from_modes"], networks(s, b))


def leakage_w(temps_c: Tensor, gain_w: Tensor, law: Tensor) -> Tensor:
    """Leakage of every part, (n, parts): gain_w times a cubic in T; law (1 or n, 6)."""
    ref_c, c1, c2, c3, low_c, high_c = law.T.unsqueeze(2).unbind(0)
    d = torch.minimum(torch.maximum(temps_c, low_c), high_c) - ref_c
    return gain_w * (1.0 + d * (c1 + d * (c2 + d * c3)))


def exponentials(tau_s: Tensor, dt_s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """exp(-x), (1 - exp(-x)) * tau and (dt - phi1) / x for x = dt / tau, each (n, nodes)."""
    x = dt_s / tau_s
    gone = -torch.expm1(-x)
    phi1 = gone * tau_s
    series = dt_s * (0.5 - x * (1.0 / 6.0 - x * (1.0 / 24.0 - x / 120.0)))
    small = x < (1e-3 if x.dtype == torch.float64 else 0.1)
    return 1.0 - gone, phi1, torch.where(small, series, (dt_s - phi1) / x)


def heat_inputs(s: Tensors, b: Boards) -> Tensors:
    """Leakage and modal heating for new inputs at the present temperatures."""
    network = networks(s, b)
    temps_c = through(s["modes"], b.networks["see"], network)
    leak_w = leakage_w(temps_c, s["gain_w"], b.own["law"])
    heat = through(s["power_w"] + leak_w, b.networks["heat"], network)
    inflow = b.networks["ambient_push_per_k"][network] * s["ambient_c"][:, None]
    return {"leak_w": leak_w, "push": inflow + heat}


def heat_step(s: Tensors, b: Boards, dt_s: Tensor) -> Tensors:
    """What one step of dt_s (n,) makes of modes, heating, leakage and energy."""
    network, dt_s = networks(s, b), dt_s[:, None]
    decay, phi1, phi2 = exponentials(b.networks["tau_s"][network], dt_s)
    modes, push = s["modes"], s["push"]
    predicted = decay * modes + phi1 * push
    seen_c = through(predicted, b.networks["see"], network)
    grown_w = leakage_w(seen_c, s["gain_w"], b.own["law"])
    more = through(grown_w - s["leak_w"], b.networks["heat"], network)
    step_j = s["power_w"] * dt_s + (s["leak_w"] + grown_w) * (0.5 * dt_s)
    return {
        "modes": predicted + phi2 * more,
        "push": push + more,
        "leak_w": grown_w,
        "energy_j": s["energy_j"] + step_j,
    }


def set_fan(s: Tensors, b: Boards, mask: Tensor, level: Tensor) -> Tensors:
    """Turn fans to a level (n,): the same heat, seen in the modes of another network."""
    s = flush_heat(s, b, mask)
    network = b.own["network"] + level
    modes = through(nodes_c(s, b), b.networks["to_modes"], network)
    new = {"modes": modes, "modes_mark": modes, "fan": level, "dirty": torch.ones_like(level)}
    return merged(s, mask, new)


def flush_heat(s: Tensors, b: Boards, mask: Tensor) -> Tensors:
    """Close the open integrals of temperature before the fan or the ambient changes.

    They follow from what was pushed into the modes and what those have gained; see `flush_heat` in
    edgetwin/kernel/heat.py.
    """
    network, drawn_j = networks(s, b), s["energy_j"] - s["energy_mark_j"]
    since_s = in_seconds(s["t_ns"] - s["ambient_since_ns"])
    inflow = b.networks["ambient_push_per_k"][network]
    pushed = through(drawn_j, b.networks["heat"].to(drawn_j.dtype), network)
    pushed = pushed + inflow * (s["ambient_c"] * since_s)[:, None]
    integral = b.networks["tau_s"][network] * (s["modes_mark"] - s["modes"] + pushed)
    out_j = (inflow * integral).sum(1)
    out_j = out_j - b.networks["out_w_per_k"][network] * s["ambient_c"] * since_s
    seen = through(integral, b.networks["see_zone"].to(integral.dtype), network)
    new = {
        "ambient_since_ns": s["t_ns"],
        "heat_out_j": s["heat_out_j"] + out_j,
        "zone_integral": s["zone_integral"] + seen,
        "modes_mark": s["modes"],
        "energy_mark_j": s["energy_j"],
    }
    return merged(s, mask, new)
