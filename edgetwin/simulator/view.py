"""What a simulated board's sensors say, and the key figures that its counters hold."""

import math
from typing import TYPE_CHECKING

import numpy as np

from edgetwin.backend import JobResult
from edgetwin.kernel.heat import zone_means_c
from edgetwin.simulator.jobs import work_of
from hw_models.jobs import LoadJob, TrainingJob, job_kind
from hw_models.trace import JobReading, Reading

if TYPE_CHECKING:
    from edgetwin.simulator.core import Simulator
    from edgetwin.simulator.jobs import Running


def reading_of(sim: "Simulator") -> Reading:
    """The board as its sensors report it now."""
    s, low, board = sim.state[0], sim.lowered, sim.board
    freqs_hz = [clock.freqs_hz.value for clock in board.clocks.values()]
    levels = s["level"].tolist()
    cap_w = float(s["cap_w"])
    return Reading(
        t_s=sim.now_s,
        temps_c={z: _known(c) for z, c in zip(low.zones, s["zone_c"].tolist(), strict=False)},
        power_w=_power(sim),
        energy_j=input_energy_j(sim) if low.rails else None,
        freq_hz={d: f[i] for d, f, i in zip(low.domains, freqs_hz, levels, strict=False)},
        busy=dict(zip(low.units, s["busy"].tolist(), strict=False)),
        memory_busy=memory_busy(sim),
        fan=int(s["fan"]) if board.limits.fan else None,
        throttled=bool(s["throttled"]),
        cap_w=None if math.isinf(cap_w) else cap_w,
        jobs=_jobs(sim),
    )


def memory_busy(sim: "Simulator") -> float | None:
    """Share of the memory's bandwidth in use; None on a board that does not tell."""
    s, b = sim.state[0], sim.lowered.record[0]
    d = int(b["memory_domain"])
    if not sim.board.sensors.memory_load or d < 0:
        return None
    top = b["bytes_per_cycle"] * b["freq_hz"][d, s["level"][d]]
    return min(1.0, float(s["traffic"] / top))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _all_ended_s(sim: "Simulator", jobs: tuple[JobResult, ...]) -> float | None:
    """When the last job had done its work; None while some job runs, waits or is yet to come."""
    ends = [j.end_s for j in jobs if j.end_s is not None]
    to_come = len(sim.plan.arrivals) - sim.arrived
    if not ends or sim.running or sim.waiting or to_come:
        return None
    return max(ends)


def _power(sim: "Simulator") -> dict[str, float | None] | None:
    rails = sim.lowered.rails
    if not rails:
        return None
    values = sim.state[0]["rail_w"].tolist()
    return {r: _known(w) for r, w in zip(rails, values, strict=False)}


def _jobs(sim: "Simulator") -> dict[str, JobReading]:
    s, units = sim.state[0], sim.lowered.units
    jobs = {}
    for slot, entry in sim.running.items():
        if isinstance(entry.job, LoadJob):
            continue  # background: nothing a policy places, and it leaves its mark in `busy`
        total, unit = float(s["job_total"][slot]), int(s["job_unit"][slot])
        endless = math.isinf(total)
        l2d = sim.board.sensors.l2d_counter
        jobs[entry.id] = JobReading(
            unit=units[unit],
            progress=None if endless else 1.0 - float(s["job_left"][slot]) / total,
            rate=float(s["job_rate"][slot]),
            target=float(s["job_target"][slot]) or None,
            l2d_per_s=float(s["job_l2d_rate"][slot]) if l2d else None,
            batch=entry.job.batch if isinstance(entry.job, TrainingJob) else None,
        )
    for entry, _ in sim.waiting:
        total, target = work_of(entry.job)
        jobs[entry.id] = JobReading(
            unit=None,
            progress=None if math.isinf(total) else 0.0,
            rate=0.0,
            target=target or None,
            l2d_per_s=None,
            batch=entry.job.batch if isinstance(entry.job, TrainingJob) else None,
        )
    return jobs


def result_of(
    sim: "Simulator", slot: int, entry: "Running", end_s: float | None = None
) -> JobResult:
    """The life so far of the job in a slot, or all of it when it ends now."""
    at = sim.jobs_at
    return JobResult(
        id=entry.id,
        title=entry.title,
        kind=job_kind(entry.job),
        start_s=entry.start_s,
        end_s=end_s,
        work=at["job_done"].item(slot),
        target=at["job_target"].item(slot) or None,
        alive_s=at["job_alive_s"].item(slot),
        below_s=at["job_below_s"].item(slot),
    )


def waited(sim: "Simulator", entry: "Running") -> JobResult:
    """The life so far of a job that has waited for a free slot all the time."""
    target, seconds = work_of(entry.job)[1] or None, sim.now_s - entry.start_s
    return JobResult(
        id=entry.id,
        title=entry.title,
        kind=job_kind(entry.job),
        start_s=entry.start_s,
        end_s=None,
        work=0.0,
        target=target,
        alive_s=seconds,
        below_s=seconds if target else 0.0,
    )


def input_energy_j(sim: "Simulator") -> float:
    """Energy drawn by everything since reset, in joules."""
    drawn_per_w = float(sim.lowered.record[0]["drawn_per_w"])
    return drawn_per_w * float(np.sum(sim.state[0]["energy_j"]))


def kpis_of(sim: "Simulator") -> dict[str, float | None]:
    """Key figures of a run so far; temperatures are true ones, not sensor values."""
    s, jobs = sim.state[0], sim.results()
    alive_s = sum(j.alive_s for j in jobs if j.target)
    aimed = [j for j in jobs if j.target]
    means_c = zone_means_c(sim.state, sim.lowered)
    hot = int(np.argmax(means_c)) if len(means_c) else 0
    seconds = sim.now_s
    return {
        "duration_s": seconds,
        "mean_temp_c": float(means_c[hot]) if seconds else None,
        "peak_temp_c": float(np.max(s["peak_c"][: len(means_c)])) if seconds else None,
        "energy_j": input_energy_j(sim),
        "peak_power_w": float(s["peak_w"]),
        "violation_time_share": sum(j.below_s for j in aimed) / alive_s if alive_s else 0.0,
        "violated_jobs_share": sum(j.violated for j in aimed) / len(aimed) if aimed else 0.0,
        "migrations": float(s["migrations"]),
        "completed": float(len(sim.finished)),
        "instructions_done": sum(j.work for j in jobs if j.kind == "application"),
        "samples_done": sum(j.work for j in jobs if j.kind == "training"),
        "time_to_target_s": _all_ended_s(sim, jobs),
        "throttled_time_share": float(s["throttled_s"]) / seconds if seconds else 0.0,
        "cap_violation_time_share": float(s["over_cap_s"]) / seconds if seconds else 0.0,
        "max_overshoot_share": float(s["overshoot"]),
    }
