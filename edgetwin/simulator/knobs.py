"""What a simulated board does when a policy turns its knobs."""

from typing import TYPE_CHECKING

from edgetwin.backend import Applied
from edgetwin.kernel import held, set_fan_level, unsettle
from edgetwin.simulator.jobs import change_batch, check_runs
from hw_models.board import Knobs
from hw_models.jobs import TrainingJob
from hw_models.lowering import GOVERNORS
from hw_models.naming import unknown

if TYPE_CHECKING:
    from edgetwin.simulator.core import Simulator

_WAITS = "the job waits for a free slot"


def apply_knobs(sim: "Simulator", knobs: Knobs) -> Applied:
    """Turn every knob that is named; collect what is refused and why."""
    refused: dict[str, str] = {}
    for domain, governor in knobs.governor.items():
        _governor(sim, domain, governor, refused)
    for domain, hz in knobs.freq_hz.items():
        _freq(sim, domain, hz, refused)
    for job, unit in knobs.placement.items():
        _place(sim, job, unit, refused)
    for job, batch in knobs.batch.items():
        _batch(sim, job, batch, refused)
    if knobs.fan is not None:
        _fan(sim, knobs.fan)
    if not refused:
        return Applied(accepted=knobs)
    kept = Knobs(
        freq_hz={d: f for d, f in knobs.freq_hz.items() if f"freq_hz.{d}" not in refused},
        governor={d: g for d, g in knobs.governor.items() if f"governor.{d}" not in refused},
        placement={j: u for j, u in knobs.placement.items() if f"placement.{j}" not in refused},
        fan=knobs.fan,
        batch={j: n for j, n in knobs.batch.items() if f"batch.{j}" not in refused},
    )
    return Applied(accepted=kept, refused=refused)


def _domain(sim: "Simulator", name: str) -> int:
    sim.board.domain(name)
    return sim.lowered.domains.index(name)


def _governor(sim: "Simulator", domain: str, governor: str, refused: dict[str, str]) -> None:
    d, offered = _domain(sim, domain), sim.board.domain(domain).governors
    if governor not in offered:
        raise ValueError(unknown(f"governor of {domain}", governor, list(offered)))
    if sim.state[0]["refused"][d]:
        refused[f"governor.{domain}"] = "the clock refuses requests (fault)"
        return
    s = sim.state[0]
    s["governor"][d] = GOVERNORS.index(governor)
    s["fixed"][d] = s["target"][d]
    s["steady"] = 0


def _freq(sim: "Simulator", domain: str, hz: float, refused: dict[str, str]) -> None:
    d, level = _domain(sim, domain), sim.board.opp(domain, hz)
    s = sim.state[0]
    if s["refused"][d]:
        refused[f"freq_hz.{domain}"] = "the clock refuses requests (fault)"
        return
    s["governor"][d] = GOVERNORS.index("userspace")
    s["fixed"][d] = level
    s["steady"] = 0
    held.request_level(sim.held, d, level)
    ceiling = min(s["ceiling"][d], s["trip_cap"][d])
    if level > ceiling:
        top = sim.board.domain(domain).freqs_hz.value[ceiling]
        refused[f"freq_hz.{domain}"] = f"the board allows {top:.0f} Hz now (power mode or heat)"


def _waits(sim: "Simulator", ident: str) -> bool:
    return any(entry.id == ident for entry, _ in sim.waiting)


def _place(sim: "Simulator", job: str, unit: str, refused: dict[str, str]) -> None:
    if _waits(sim, job):
        sim.board.unit(unit)
        refused[f"placement.{job}"] = _WAITS
        return
    slot = sim.slot_of(job)
    index = check_runs(sim, sim.running[slot].first, unit)
    held.migrate(sim.held, slot, index)


def _batch(sim: "Simulator", ident: str, batch: int, refused: dict[str, str]) -> None:
    if _waits(sim, ident):
        refused[f"batch.{ident}"] = _WAITS
        return
    slot = sim.slot_of(ident)
    job = sim.running[slot].job
    if not isinstance(job, TrainingJob):
        raise ValueError(f"{ident} is not a training job; it has no batch size.")
    if batch not in job.samples_to_target:
        known = ", ".join(map(str, job.samples_to_target))
        raise ValueError(f"{ident} cannot train with batch {batch}; known: {known}.")
    change_batch(sim, slot, batch)


def _fan(sim: "Simulator", level: int) -> None:
    fan = sim.board.limits.fan
    if fan is None:
        raise ValueError(f"{sim.board.name} has no fan to set.")
    if not -1 <= level < len(fan.pwm):
        raise ValueError(f"fan level {level} is not -1 (automatic) or 0..{len(fan.pwm) - 1}.")
    s = sim.state[0]
    s["fan_manual"] = level
    unsettle(sim.state, sim.lowered.record)
    if level >= 0 and level != s["fan"]:
        set_fan_level(sim.state, sim.lowered.record, level)
