"""Knobs in the words of the agent, and its refusals in those of Knobs."""

from collections.abc import Mapping
from typing import Any

from edgetwin.hardware.qos import QosLoop
from hw_models.board import Knobs


def wishes(knobs: Knobs, qos: QosLoop) -> dict[str, dict[str, Any]]:
    """What the agent is asked for each clock; clocks under the QoS rule are its loop's."""
    clocks: dict[str, dict[str, Any]] = {}
    for domain, governor in knobs.governor.items():
        if governor == "qos-dvfs":
            qos.take(domain)
        else:
            qos.leave(domain)
            clocks[domain] = {"governor": governor}
    for domain, hz in knobs.freq_hz.items():
        qos.leave(domain)
        clocks[domain] = {"hz": hz}
    return clocks


def place_of(knobs: Knobs, name: str) -> str:
    """Where a clock, or the fan, stands in Knobs."""
    if name == "fan":
        return "fan"
    return f"freq_hz.{name}" if name in knobs.freq_hz else f"governor.{name}"


def kept(knobs: Knobs, refused: Mapping[str, str]) -> Knobs:
    """The knobs that were taken."""
    if not refused:
        return knobs
    return Knobs(
        freq_hz={d: f for d, f in knobs.freq_hz.items() if f"freq_hz.{d}" not in refused},
        governor={d: g for d, g in knobs.governor.items() if f"governor.{d}" not in refused},
        placement={j: u for j, u in knobs.placement.items() if f"placement.{j}" not in refused},
        fan=None if "fan" in refused else knobs.fan,
        batch={j: n for j, n in knobs.batch.items() if f"batch.{j}" not in refused},
    )
