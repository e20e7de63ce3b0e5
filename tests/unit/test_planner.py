"""The planner's parts: efficiency without survivor bias, profiling, choices, schedules."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from planner_case import BATCHES, NEEDED, TRAIN_HEAD, made_case, made_grid

from edgetwin.cells import CellStore
from edgetwin.systems.planner.baselines import fixed_batch, least_energy, max_throughput, oracle
from edgetwin.systems.planner.choice import Planner
from edgetwin.systems.planner.design import fixed_design
from edgetwin.systems.planner.efficiency import (
    Runs,
    read_efficiency,
    read_runs,
    runs_of,
    table_efficiency,
    write_efficiency,
)
from edgetwin.systems.planner.online import Online, Seen
from edgetwin.systems.planner.profiler import (
    GridMeter,
    Hold,
    KeptMeter,
    first_cells,
    profile,
    usable,
)
from edgetwin.systems.planner.schedule import Wanted, heat_cap_w, on_battery, several, under_caps
from edgetwin.systems.planner.space import Space, product_space
from edgetwin.systems.planner.surface import Belief, Point, Surface, known_belief
from hw_models.tables import Grid


def runs(needed: dict[int, list[float]], budget: float = 100.0, falling: bool = False) -> Runs:
    """Training runs of one target, NaN for those that missed it."""
    return Runs(
        workload="w", budget=budget, is_falling=falling,
        needed={b: {0.5: np.array(values)} for b, values in needed.items()},
    )  # fmt: skip


def test_a_batch_that_one_lucky_run_of_five_reached_is_not_best() -> None:
    nan = np.nan
    found = runs({32: [20.0] * 5, 64: [10.0, nan, nan, nan, nan]}).efficiency(0.5)
    assert found.needed == {32: 20.0, 64: 10.0 + 4 * 100.0}


def test_a_run_that_missed_the_target_counts_with_its_budget() -> None:
    found = runs({32: [10.0, 20.0, np.nan]}, budget=30.0).efficiency(0.5)
    assert found.needed[32] == pytest.approx((10 + 20 + 30) / 2)


def test_a_batch_that_no_run_brought_there_cannot_be_chosen() -> None:
    found = runs({32: [10.0, 12.0], 64: [np.nan, np.nan]}).efficiency(0.5)
    assert list(found.needed) == [32]


def test_the_default_target_is_the_hardest_that_two_batches_reach_dependably(
    tmp_path: Path,
) -> None:
    # 30 is harder than 40 (an error rate); only batch 8 reaches 30, and batch 16 by one run of two.
    rows = [TRAIN_HEAD]
    for batch, run, easy, hard in ((8, 1, 3, 9), (8, 2, 3, 8), (16, 1, 4, 9), (16, 2, 4, "")):
        rows += [f"d,n,{batch},o,1,{run},40,{easy}", f"d,n,{batch},o,1,{run},30,{hard}"]
    path = tmp_path / "train.csv"
    path.write_text("\n".join(rows) + "\n")
    found = read_runs(path)["d/n/o"]
    assert found.is_falling
    assert found.targets == (40.0, 30.0)
    assert found.default_targets() == (40.0,)


def test_an_optimizer_without_runs_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text(f"{TRAIN_HEAD}\nd,n,8,adam,1,1,0.5,3\n")
    with pytest.raises(KeyError, match="optimizer 'sgd' has no efficiency data"):
        runs_of(read_runs(path), "d/n/sgd")


def test_an_efficiency_comes_back_from_its_file(tmp_path: Path) -> None:
    given = table_efficiency({8: 1e5, 16: 2e5}, share=0.1, source="me")
    write_efficiency(given, tmp_path / "efficiency.json")
    assert read_efficiency(tmp_path / "efficiency.json") == given


@pytest.mark.parametrize("seed", range(3))
def test_fifteen_points_find_the_optimum_or_come_close(seed: int) -> None:
    case = made_case(seed)
    for cap_w in case.caps_w(4):
        _, judged = case.plan(float(cap_w), seed=seed)
        assert judged["gap"] <= 0.02
        assert judged["true"]["peak_power_w"] <= cap_w
        assert judged["points"] == 15


def test_the_same_seed_measures_the_same_cells() -> None:
    case = made_case()
    first, again, other = (case.profile([150.0], seed=s).measured for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_choice_of_the_fixed_batch_user_is_measured() -> None:
    case = made_case()
    for cap_w in (120.0, 150.0, 180.0, 210.0):
        at = fixed_batch(BATCHES[-1])(case.truth, cap_w)
        assert at is not None
        assert at in case.profile([cap_w]).measured


@pytest.mark.parametrize("seed", range(4))
def test_no_plan_is_slower_than_that_choice_where_power_does_not_follow_the_limit(
    seed: int,
) -> None:
    case = made_case(efficiency=table_efficiency(NEEDED | {256: 13.0}, unit="epochs"))
    power_w = 80.0 * np.exp(0.02 * np.random.default_rng(seed).standard_normal(len(case.space)))
    flat = replace(case, grid=replace(case.grid, power_w=power_w))
    for cap_w in flat.caps_w(5).tolist():
        at = fixed_batch(BATCHES[-1])(flat.truth, cap_w)
        plan, _ = flat.plan(cap_w, seed=seed)
        assert at is None or plan.choice.time_s <= flat.truth.time_s[at]
        assert at is None or at in flat.profile([cap_w], seed=seed).measured


def test_a_fixed_design_serves_all_caps_better_than_spread_cells() -> None:
    case = made_case()
    need, caps_w = case.efficiency.of(case.space.batch), case.caps_w()

    def excess(cells: list[int]) -> float:
        power_w, time_s = case.grid.power_w, case.truth.time_s
        best = [time_s[power_w <= cap_w].min() for cap_w in caps_w]
        had = [time_s[[c for c in cells if power_w[c] <= cap_w]].min() for cap_w in caps_w]
        return float(np.mean(np.divide(had, best) - 1.0))

    seeds = range(3)
    designs = [fixed_design(case.space, need, 15, np.random.default_rng(s)) for s in seeds]
    spread = [first_cells(case.space, 15, np.random.default_rng(s)) for s in seeds]
    assert [len(set(cells)) for cells in designs] == [15] * len(seeds)
    assert np.mean([excess(c) for c in designs]) < 0.5 * np.mean([excess(c) for c in spread])


def test_a_fixed_design_leaves_out_a_batch_that_needs_too_much() -> None:
    space = made_case().space
    need = np.where(space.batch == 64, 100.0, 1.0)
    cells = fixed_design(space, need, 15, np.random.default_rng(0))
    assert 64 not in space.batch[cells]
    with pytest.raises(ValueError, match="0 of 42 cells"):
        fixed_design(space, need, 0, np.random.default_rng(0))


def test_profiling_under_a_hold_keeps_near_the_cap() -> None:
    case = made_case()
    found = profile(
        case.space, case.efficiency, GridMeter(case.grid), caps_w=[110.0], hold=Hold(overshoot=0.1)
    )
    assert found.overshoot <= 0.1
    assert max(case.grid.power_w) > 1.3 * 110.0


def test_profiling_under_a_hold_climbs() -> None:
    space = product_space([8, 64], np.arange(1.0, 14.0).tolist(), "limit_w")
    ones = np.ones(len(space))
    known = np.isin(space.setting, (1.0, 2.0))
    belief = Belief(
        time_s=ones, time_share=ones, mean_w=ones, mean_share=ones, peak_w=ones,
        peak_share=0.0 * ones, is_measured=known,
    )  # fmt: skip
    allowed = Hold(overshoot=0.1).allowed(space, belief, 5.0)
    assert set(space.setting[allowed]) == {1.0, 2.0, 3.0, 4.0, 5.0}
    assert not Hold(overshoot=0.1).allowed(space, belief, 0.9).any()


def test_profiling_goes_on_from_known_cells() -> None:
    case = made_case()
    half = case.profile([150.0], points=8)
    whole = case.profile([150.0], points=12, begin=half.surface)
    assert whole.measured[:8] == half.measured
    assert len(whole.measured) == 12


def test_a_cell_the_board_refuses_is_left_out() -> None:
    case = made_case()

    class Refusing:
        def measure(self, at: int) -> Point | None:
            return None if case.space.batch[at] == 32 else GridMeter(case.grid).measure(at)

    found = profile(case.space, case.efficiency, Refusing(), caps_w=[150.0])
    assert found.refused
    assert all(case.space.batch[at] != 32 for at in found.measured)


def test_without_influence_of_the_batch_the_choice_is_the_highest_throughput() -> None:
    flat = table_efficiency(dict.fromkeys(NEEDED, 10.0))
    case = made_case(efficiency=flat)
    for cap_w in case.caps_w(5):
        chosen = case.truth.plan(float(cap_w)).choice.at
        assert chosen == max_throughput(case.truth, float(cap_w))


def test_the_choice_from_all_cells_is_brute_force_and_a_tighter_cap_never_faster() -> None:
    truth = made_case().truth
    times_s = []
    for cap_w in made_case().caps_w(10):
        chosen = truth.plan(float(cap_w)).choice
        assert chosen.at == oracle(truth, float(cap_w))
        assert chosen.peak_power_w <= cap_w
        times_s.append(chosen.time_s)
    assert times_s == sorted(times_s, reverse=True)


def test_nothing_below_the_cap_names_the_lowest_power() -> None:
    case = made_case()
    lowest = int(np.argmin(case.grid.power_w))
    with pytest.raises(ValueError, match=case.space.words(lowest)):
        case.truth.plan(10.0)


def test_a_measured_cell_is_preferred_to_a_predicted_one() -> None:
    case = made_case()
    belief = case.profile([150.0], points=6).belief
    planner = Planner(case.space, belief, case.efficiency)
    assert planner.plan(150.0).choice.is_measured
    assert planner.plan(150.0, may_predict=True).choice.time_s <= planner.plan(150.0).choice.time_s


def test_a_deadline_is_met_with_the_least_energy() -> None:
    truth = made_case().truth
    fast = truth.plan(200.0).choice
    frugal = truth.plan(200.0, objective="energy", deadline_s=1.3 * fast.time_s).choice
    assert frugal.time_s <= 1.3 * fast.time_s
    assert frugal.energy_j < fast.energy_j
    assert truth.plan(200.0, objective="energy").choice.at == least_energy(truth, 200.0)
    with pytest.raises(ValueError, match="the soonest is"):
        truth.plan(200.0, deadline_s=0.5 * fast.time_s)


def test_no_cell_of_the_front_is_beaten_in_time_and_energy() -> None:
    truth = made_case().truth
    front = truth.front(200.0)
    fits = truth.belief.peak_w <= 200.0
    for cell in front:
        better = (truth.time_s < cell.time_s) & (truth.energy_j < cell.energy_j)
        assert not (better & fits).any()
    assert front[0].at == truth.plan(200.0).choice.at


def test_a_plan_says_why() -> None:
    plan = made_case().truth.plan(125.0)
    assert plan.choice.words in plan.why()
    assert plan.runners_up[0].words in plan.why()
    assert "if the cap were" in plan.why()


def test_a_hole_in_the_belief_is_refused() -> None:
    case = made_case()
    grid = case.grid
    time_s = grid.time_s.copy()
    time_s[3] = np.nan
    belief = replace(known_belief(grid), time_s=time_s)
    with pytest.raises(ValueError, match=r"time_s of batch 8 at a limit of 175 W is nan"):
        Planner(case.space, belief, case.efficiency)
    with pytest.raises(ValueError, match="expected a number above zero"):
        Surface(case.space).add(0, Point(time_s=np.nan, mean_w=1.0, peak_w=1.0))


def test_under_changing_caps_every_stretch_runs_its_own_optimum() -> None:
    truth = made_case().truth
    wide, tight = truth.plan(220.0).choice, truth.plan(110.0).choice
    found = under_caps(truth, [(0.0, 220.0), (0.5 * wide.time_s, 110.0)])
    assert [s.cell.at for s in found.stretches] == [wide.at, tight.at]
    assert sum(s.share for s in found.stretches) == pytest.approx(1.0)
    assert found.time_s == pytest.approx(0.5 * wide.time_s + 0.5 * tight.time_s)


def test_a_battery_is_used_up_by_a_mix_of_two_cells() -> None:
    truth = made_case().truth
    fast, frugal = truth.front(250.0)[0], truth.front(250.0)[-1]
    charge_j = 0.5 * (fast.energy_j + frugal.energy_j)
    found = on_battery(truth, 250.0, charge_j)
    assert found.energy_j == pytest.approx(charge_j)
    assert fast.time_s < found.time_s < frugal.time_s
    single_s = min(c.time_s for c in truth.front(250.0) if c.energy_j <= charge_j)
    assert found.time_s <= single_s
    with pytest.raises(ValueError, match="do not last"):
        on_battery(truth, 250.0, 0.9 * frugal.energy_j)


def test_a_heat_budget_is_a_limit_of_mean_power() -> None:
    truth = made_case().truth
    temps_c = {at: 25.0 + 0.2 * float(truth.belief.mean_w[at]) for at in (0, 10, 20, 40)}
    cap_w = heat_cap_w(temps_c, truth, 60.0)
    assert cap_w == pytest.approx(175.0)
    assert truth.plan(1e3, mean_cap_w=cap_w).choice.mean_power_w <= cap_w
    with pytest.raises(ValueError, match="cannot be kept"):
        heat_cap_w(temps_c, truth, 20.0)


def test_several_jobs_run_in_turn_the_earliest_deadline_first() -> None:
    truth = made_case().truth
    once_s = truth.plan(200.0).choice.time_s
    jobs = [Wanted(name="late", planner=truth), Wanted(name="due", planner=truth,
            deadline_s=1.1 * once_s)]  # fmt: skip
    found = several(jobs, 200.0)
    assert list(found) == ["due", "late"]
    assert found["late"].start_s == pytest.approx(once_s)
    with pytest.raises(ValueError, match="would be done after"):
        several([*jobs, Wanted(name="too", planner=truth, deadline_s=1.2 * once_s)], 200.0)


def test_online_follows_the_cap_and_learns_the_board_s_power() -> None:
    truth = made_case().truth
    online = Online(truth)
    before = online.decide(Seen(cap_w=150.0, power_w=None))
    for _ in range(300):
        cell = online.decide(Seen(cap_w=150.0, power_w=1.1 * before.mean_power_w))
        before = cell
    assert online.factor == pytest.approx(1.1, abs=0.01)
    assert 1.1 * cell.peak_power_w <= 150.0 * 1.01
    assert online.decide(Seen(cap_w=110.0, power_w=None)).peak_power_w <= 110.0
    lowest = int(np.argmin(truth.belief.peak_w))
    assert online.decide(Seen(cap_w=1.0, power_w=None)).at == lowest


def test_only_cells_with_an_efficiency_can_be_used() -> None:
    space = product_space([8, 16], [1e8, 2e8], "gpu_hz")
    assert usable(space, table_efficiency({16: 1.0})).batches == (16,)
    with pytest.raises(ValueError, match="no batch size of the grid"):
        usable(space, table_efficiency({4: 1.0}))


def test_a_space_names_its_cells() -> None:
    space = product_space([8], [1e8], "gpu_hz", memory_hz=[1.6e9])
    assert space.label(0) == {"batch": 8, "freq_hz": {"gpu": 1e8, "emc": 1.6e9}}
    assert space.find(8, 1e8, 1.6e9) == 0
    with pytest.raises(KeyError, match="no cell with batch 9"):
        space.find(9, 1e8)
    with pytest.raises(ValueError, match="nothing to choose from"):
        Space(batch=np.array([]), setting=np.array([]), knob="limit_w")


def test_peak_power_of_a_grid_is_predicted_beside_its_mean() -> None:
    grid = made_grid(noise=0.0)
    whole = Grid(
        workload="w", knob="limit_w", batch=grid.batch, setting=grid.setting,
        time_s=grid.time_s, power_w=grid.power_w, peak_w=1.2 * grid.power_w,
    )  # fmt: skip
    space = Space(batch=grid.batch, setting=grid.setting, knob="limit_w")
    surface = Surface(space)
    for at in range(0, len(grid.batch), 3):
        surface.add(at, GridMeter(whole).measure(at))
    belief = surface.belief()
    off = np.abs(belief.peak_w / (1.2 * grid.power_w) - 1.0)
    assert off.max() < 0.05


def test_an_interrupted_profile_goes_on_where_it_stood(tmp_path: Path) -> None:
    case = made_case()
    store = CellStore(path=tmp_path / "cells")
    asked: list[int] = []

    class Dying:
        def __init__(self, most: int) -> None:
            self.most = most

        def measure(self, at: int) -> Point | None:
            if len(asked) >= self.most:
                raise KeyboardInterrupt
            asked.append(at)
            return GridMeter(case.grid).measure(at)

    def whole(most: int) -> tuple[int, ...]:
        kept = KeptMeter(Dying(most), store, case.space, {"what": "test"})
        return profile(case.space, case.efficiency, kept, caps_w=[120.0]).measured

    with pytest.raises(KeyboardInterrupt):
        whole(most=7)
    assert sorted(whole(most=99)) == sorted(asked)
    assert len(asked) == len(set(asked)) == 15
