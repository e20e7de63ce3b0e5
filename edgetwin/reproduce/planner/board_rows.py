"""Rows on the twins: peaks over many sensors, caps that change, the predictor, time, errors."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, final

import numpy as np

from edgetwin.cells import CellStore, run_cells
from edgetwin.factory import make_backend
from edgetwin.reproduce.planner import boards, tasks
from edgetwin.reproduce.planner.grid_rows import data_folder, no_data
from edgetwin.simulator import Simulator
from edgetwin.simulator.batch import BatchSimulator
from edgetwin.studies import Figure, row
from edgetwin.systems.planner.choice import Planner
from edgetwin.systems.planner.meter import input_rail, sensor_period_s
from edgetwin.systems.planner.on_board import Task
from edgetwin.systems.planner.online import Online, Seen
from edgetwin.systems.planner.policy import MORE
from edgetwin.systems.planner.profiler import POINTS
from edgetwin.systems.planner.schedule import under_caps
from edgetwin.systems.planner.space import product_space
from edgetwin.systems.planner.surface import Belief, Surface
from hw_models.board import Knobs

BOARD, NETWORK = "jetson-tx2", "resnet-18-cifar"
RUN_S: Final = 1800.0
CHANGES: Final = 5


def _task(store: CellStore, quick: bool, network: str = NETWORK, board: str = BOARD) -> Task:
    return tasks.task(board, network, tasks.efficiency(store, data_folder(), network, quick))


def violation_row(store: CellStore, quick: bool) -> dict[str, Any]:
    """Runs of planned cells with a thousand sensors: how many show a peak above the cap."""
    if data_folder() is None:
        return no_data()
    seeds, caps = (1000, 2) if quick else (1000, 6)
    task = _task(store, quick)
    truth = task.truth(Simulator(task.board), boards.CARE)
    keys = [{"violations": cap_w, "seeds": seeds, "needed": tasks.as_text(task.efficiency.needed)}
            for cap_w in boards.caps_w(truth, caps).tolist()]  # fmt: skip

    def work(key: dict[str, Any]) -> list[float]:
        return peaks_over(task, float(key["violations"]), int(key["seeds"]))

    over = np.array(run_cells(store, keys, work)).ravel()
    return row(
        {
            "runs_over_cap": Figure(value=float((over > 0).mean()), bar=0.01),
            "worst_overshoot": Figure(value=float(max(over.max(), 0.0)), bar=0.03),
        },
        seeds=seeds, caps=caps, run_s=RUN_S, board=BOARD, network=NETWORK,
        sensor_period_s=sensor_period_s(task.board),
        note="each run starts with a board that was idle, so that warming and the start of the "
        "fan count; the margin is for readings of an hour",
    )  # fmt: skip


def peaks_over(task: Task, cap_w: float, seeds: int) -> list[float]:
    """By how much, as a share of the cap, the highest reading of each run is above it."""
    meter = task.meter(
        make_backend("sim", board=task.board, seed=seeds), replace(boards.CARE, caps_w=(cap_w,))
    )
    cell = task.plan(meter, cap_w).choice
    batch = BatchSimulator(task.board, seeds, seeds=0, scenario=scenario_of(task, cell.label))
    for domain, freq_hz in cell.label["freq_hz"].items():
        batch.set_governor(domain, "userspace")
        at = list(task.board.clocks).index(domain)
        batch.rows("fixed", at)[:] = task.board.opp(domain, freq_hz)
    rail = list(task.board.sensors.rails).index(input_rail(task.board))
    # What the board did before the job has set its clocks is not the plan's.
    batch.advance(boards.CARE.settle_s)
    period_s = sensor_period_s(task.board)
    peak_w = np.zeros(seeds)
    for _ in range(round(RUN_S / period_s)):
        batch.advance(period_s)
        peak_w = np.maximum(peak_w, batch.power_w[:, rail])
    batch.close()
    return [float(p) for p in peak_w / cap_w - 1.0]


def scenario_of(task: Task, label: Any) -> Any:
    """A scenario in which a cell's batch size trains from the start and for good."""
    from edgetwin.scenario import parse_scenario

    batch = int(label["batch"])
    return parse_scenario(
        f"""
name = "one-cell"
title = "One cell of a plan"
duration_s = 100000
initial = "steady"
[[jobs]]
kind = "training"
id = "train"
network = "{task.network.name}"
batch = {batch}
[jobs.samples_to_target]
{batch} = 1e15
""",
        "one-cell",
    )


def schedule_row(store: CellStore, quick: bool) -> dict[str, Any]:
    """Five changes of the cap: the online plan on a twin against an oracle that knows them."""
    if data_folder() is None:
        return no_data()
    seeds = 3 if quick else 20
    task = _task(store, quick)
    truth = task.truth(Simulator(task.board), boards.CARE)
    runs = [online_run(task, truth, seed) for seed in range(seeds)]
    ratios = np.array([run["online_s"] / run["oracle_s"] - 1.0 for run in runs])
    return row(
        {"longer_than_oracle": Figure(value=float(ratios.mean()), bar=0.05)},
        worst=float(ratios.max()), seeds=seeds, changes=CHANGES, runs=runs,
        note="a cap becomes known when it comes, and gets a few more points on a twin then",
    )  # fmt: skip


def online_run(task: Task, truth: Planner, seed: int) -> dict[str, Any]:
    """One run under drawn caps: time to the target online, and of the oracle."""
    rng = np.random.default_rng([seed, 11])
    low_w, high_w = np.quantile(truth.belief.peak_w, [0.15, 0.9])
    levels_w = rng.uniform(low_w, high_w, CHANGES + 1)
    whole_s = float(np.median(truth.time_s)) / 4.0
    # Whole seconds: a run that waits for the rest of a float may never get there.
    times_s = np.concatenate([[0.0], np.cumsum(rng.uniform(0.4, 1.6, CHANGES)) * whole_s / CHANGES])
    times_s = times_s.round()
    caps = list(zip(times_s.tolist(), levels_w.tolist(), strict=True))
    best = under_caps(truth, caps, may_predict=True)
    profiled = _Profiled(task, seed)
    online = Online(profiled.planner(caps[0][1]))
    taken_s, over = _train(task, online, profiled, caps)
    return {"online_s": taken_s, "oracle_s": best.time_s, "caps": caps, "readings_over_cap": over,
            "changes": online.changes, "points": len(profiled.surface.points)}  # fmt: skip


@final
class _Profiled:
    """A twin of the planner's own, where every new cap gets a few more points when it comes."""

    def __init__(self, task: Task, seed: int) -> None:
        self.task, self.seed = task, seed
        self.meter = task.meter(make_backend("sim", board=task.board, seed=seed), boards.CARE)
        self.surface = Surface(task.space, seed=seed)

    def planner(self, cap_w: float) -> Planner:
        """What is known once this cap has been profiled for."""
        self.meter.care = replace(boards.CARE, caps_w=(cap_w,))
        found = self.task.profile(
            self.meter, [cap_w], points=max(POINTS, len(self.surface.points) + MORE),
            seed=self.seed, begin=self.surface,
        )  # fmt: skip
        self.surface = found.surface
        return self.task.planner(found)


def _train(
    task: Task, online: Online, profiled: _Profiled, caps: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """Seconds to the target on a twin, and the share of readings above the cap."""
    sim = Simulator(task.board, seed=profiled.seed + 1)
    rail = input_rail(task.board)
    cell = online.decide(Seen(cap_w=caps[0][1], power_w=None))
    name = sim.submit(task.job(int(cell.label["batch"])))
    now_s, over, readings, power_w, known_w = 0.0, 0, 0, None, caps[0][1]
    while sim.running:
        cap_w = [w for t, w in caps if t <= now_s][-1]
        if cap_w != known_w:
            online.know(profiled.planner(cap_w))
            known_w = cap_w
        cell = online.decide(Seen(cap_w=cap_w, power_w=power_w))
        sim.apply(Knobs(freq_hz=cell.label["freq_hz"], batch={name: int(cell.label["batch"])}))
        later = [t for t, _ in caps if t > now_s]
        step_s = min(5.0, later[0] - now_s) if later else 5.0
        reading = sim.advance(step_s).last
        now_s = reading.t_s
        power_w = None if reading.power_w is None else reading.power_w[rail]
        readings += 1
        over += int(power_w is not None and power_w > cap_w)
    return float(sim.results()[0].end_s or now_s), over / readings


def predictor_row(store: CellStore, quick: bool) -> dict[str, Any]:
    """The noise scale of a short run against real runs of every batch size."""
    by_script = {script: _of_script(store, script, quick) for script in tasks.SCRIPTS}
    return row(
        {
            "rank_correlation": Figure(
                value=min(each["rank_correlation"] for each in by_script.values()),
                bar=0.9, at_least=True,
            ),
            "regret": Figure(
                value=max(each["mean_regret"] for each in by_script.values()), bar=0.05
            ),
        },
        by_script=by_script,
    )  # fmt: skip


def _of_script(store: CellStore, script: str, quick: bool) -> dict[str, Any]:
    from scipy.stats import spearmanr

    runs = tasks.trained(store, script, quick)
    measured = runs.efficiency(runs.targets[0])
    batches = tuple(measured.needed)
    noise = tasks.noise(script)
    predicted = noise.efficiency(batches, measured.needed[noise.base])
    real, said = (np.array([e.needed[b] for b in batches]) for e in (measured, predicted))
    regrets = [_regret(board, script, measured, predicted) for board in tasks.BOARDS]
    flat = [r for of_board in regrets for r in of_board]
    return {
        "noise_scale_samples": noise.scale.samples,
        "rank_correlation": float(spearmanr(real, said).statistic),
        "mean_error": float(np.mean(np.abs(said / real - 1.0))),
        "mean_regret": float(np.mean(flat)),
        "worst_regret": float(np.max(flat)),
        "needed": {str(b): [measured.needed[b], predicted.needed[b]] for b in batches},
        "runs": len(next(iter(runs.needed.values()))[runs.targets[0]]),
    }


def _regret(board: str, script: str, measured: Any, predicted: Any) -> list[float]:
    """How much longer training takes with the plan of the predictor, for every cap."""
    task = tasks.task(board, script, measured)
    truth = task.truth(Simulator(task.board), boards.CARE)
    planned = Planner(truth.space, truth.belief, predicted)
    found = []
    for cap_w in boards.caps_w(truth, boards.CAPS):
        at = planned.plan(float(cap_w)).choice.at
        found.append(float(truth.time_s[at] / truth.plan(float(cap_w)).choice.time_s - 1.0))
    return found


def time_row(store: CellStore, quick: bool) -> dict[str, Any]:
    """Processor time of one plan over 13 clocks x 8 batches x 4 memory clocks."""
    from edgetwin.systems.planner.efficiency import table_efficiency

    batches = [2**k for k in range(2, 10)]
    space = product_space(batches, np.linspace(1e8, 1.3e9, 13).tolist(), "gpu_hz",
                          memory_hz=[0.8e9, 1.06e9, 1.6e9, 1.87e9])  # fmt: skip
    rng = np.random.default_rng(0)
    time_s = 1.0 / (space.setting * space.batch**0.2)
    power_w = 2.0 + space.setting * 5e-9
    share = np.full(len(space), 0.01)
    belief = Belief(
        time_s=time_s, time_share=share, mean_w=power_w, mean_share=share, peak_w=power_w * 1.1,
        peak_share=share, is_measured=rng.random(len(space)) < 0.05,
    )  # fmt: skip
    needed = table_efficiency({b: 1e5 * (1 + b / 64) for b in batches}, share=0.05)
    spent_s = []
    for _ in range(50):
        start_s = time.process_time()
        Planner(space, belief, needed).plan(6.0)
        spent_s.append(time.process_time() - start_s)
    return row({"plan_s": Figure(value=float(np.median(spent_s[1:])), bar=0.05)},
               cells=len(space), n=49)  # fmt: skip
