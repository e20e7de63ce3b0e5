"""Managers: one move per epoch by the rules, the same on one board as in a batch."""

from dataclasses import replace

import numpy as np
import pytest

from edgetwin.backend import run
from edgetwin.policies import make_policy, policy_entries
from edgetwin.scenario import load_scenario
from edgetwin.simulator import BatchSimulator, Simulator
from edgetwin.systems.thermal.chip import chip_of
from edgetwin.systems.thermal.choice import best_move
from edgetwin.systems.thermal.eas import CAPACITIES, EasUclamp
from edgetwin.systems.thermal.joint import JointOracle
from edgetwin.systems.thermal.lives import lives_of
from edgetwin.systems.thermal.managers import AlwaysBig, Gts, LittleIfFits, RandomPlacement, Still
from edgetwin.systems.thermal.oracle import Oracle
from edgetwin.systems.thermal.overhead import REFILL_BYTES_PER_S, refill_s, with_inference
from edgetwin.systems.thermal.policies import ManagedPolicy
from edgetwin.systems.thermal.programs import CHECKED, training_programs, unseen_programs
from edgetwin.systems.thermal.rollout import Rollout
from edgetwin.systems.thermal.swaps import WithSwaps, due_swaps
from edgetwin.systems.thermal.toprl import TopRl, state_count, states_of
from edgetwin.systems.thermal.view import NOBODY, Orders, View, no_moves
from edgetwin.systems.thermal.workloads import Mix
from hw_models import load_board
from hw_models.jobs import Application
from hw_models.workloads import parsec_names, polybench_names

BOARD = load_board("hikey970")
CHIP = chip_of(BOARD)
MIX = Mix(programs="seen", load=4.0, shares=(0.2, 0.4), fixed="duration", cooling="fan", count=5)


def view_of_jobs(
    units: list[int], *, level: tuple[int, int] = (3, 3), target: float = 1e9, rate: float = 1.2e9
) -> View:
    """One board whose jobs all have the same target and rate."""
    n = len(units)
    unit = np.array([units])
    busy = np.array([[float(c in units) for c in range(8)]])
    levels = np.array([level])
    return View(
        t_s=np.zeros(1), temp_c=np.full(1, 40.0), level=levels, hz=CHIP.hz(levels), busy=busy,
        serial=np.arange(1, n + 1)[None], unit=unit, rate=np.full((1, n), rate),
        target=np.full((1, n), target), l2d_per_s=np.full((1, n), 1e7),
        rest_s=np.full((1, n), np.inf),
    )  # fmt: skip


def test_the_largest_gain_moves_and_taken_cores_do_not_count() -> None:
    view = view_of_jobs([0, 4])
    ratings = np.zeros((1, 2, 8))
    ratings[0, 0, 4] = 9.0  # taken by the other
    ratings[0, 0, 5] = 1.0
    ratings[0, 1, 6] = 2.0
    assert best_move(ratings, view, least_gain=0.5)[0, 0].tolist() == [1, 6]
    assert best_move(ratings, view, least_gain=2.5)[0, 0].tolist() == [NOBODY, NOBODY]


def test_who_has_just_moved_settles() -> None:
    view = view_of_jobs([0, 4])
    ratings = np.zeros((1, 2, 8))
    ratings[0, 1, 6], ratings[0, 0, 5] = 2.0, 1.0
    just = replace(view, rest_s=np.array([[np.inf, 0.5]]))
    assert best_move(ratings, just, least_gain=0.5)[0, 0].tolist() == [0, 5]


def test_global_task_scheduling_pulls_to_an_idle_big_core() -> None:
    gts = Gts("ondemand")
    gts.begin(CHIP, 1, 0)
    assert gts.decide(view_of_jobs([0, 4])).moves[0, 0].tolist()[0] == 0
    assert CHIP.cluster[gts.decide(view_of_jobs([0, 4])).moves[0, 0, 1]] == 1
    full = gts.decide(view_of_jobs([0, 4, 5, 6, 7])).moves[0, 0]
    assert full.tolist() == [NOBODY, NOBODY]
    shared = gts.decide(view_of_jobs([4, 4, 5, 6, 7])).moves[0, 0]
    assert shared[0] in (0, 1) and CHIP.cluster[shared[1]] == 0


def test_trivial_rules_do_what_they_say() -> None:
    big, little = AlwaysBig(), LittleIfFits()
    for rule in (big, little):
        rule.begin(CHIP, 1, 0)
    assert CHIP.cluster[big.decide(view_of_jobs([1])).moves[0, 0, 1]] == 1
    # On big at 1364 MHz the program is 1.2 times as fast as it must be; by capacities LITTLE's top
    # gives 360 of the 591 that it has now.
    assert little.decide(view_of_jobs([4])).moves[0, 0].tolist() == [NOBODY, NOBODY]
    easy = view_of_jobs([4], target=0.4e9)
    assert CHIP.cluster[little.decide(easy).moves[0, 0, 1]] == 0


def test_random_placement_moves_something_in_every_epoch() -> None:
    rule = RandomPlacement()
    rule.begin(CHIP, 1, 0)
    view = view_of_jobs([0, 4])
    moved = {int(rule.decide(view).moves[0, 0, 0]) for _ in range(30)}
    assert moved == {0, 1}


def test_uclamp_asks_for_the_capacity_that_targets_need() -> None:
    eas = EasUclamp()
    eas.begin(CHIP, 1, 0)
    # 591 at 1364 MHz, 1.2 times too fast: 492.5 is enough, which 1210 MHz (524) gives.
    levels = eas.decide(view_of_jobs([4])).levels
    assert levels is not None and levels[0].tolist() == [0, 2]
    assert CAPACITIES[1, 2] == 524.0
    other = replace(CHIP, board="odroid-xu3")
    with pytest.raises(ValueError, match="hikey970"):
        EasUclamp().begin(other, 1, 0)


def test_states_of_agents_are_within_the_table() -> None:
    view = view_of_jobs([0, 4, 7])
    states = states_of(view, CHIP)
    assert (states >= 0).all() and (states < state_count(8)).all()
    assert len(set(states[0].tolist())) == 3  # the core is part of the state
    agent = TopRl(np.zeros((1, state_count(8), 8)))
    agent.begin(CHIP, 1, 0)
    assert agent.decide(view).moves[0, 0].tolist() == [NOBODY, NOBODY]


def test_training_and_test_share_no_program() -> None:
    assert not set(training_programs()) & set(unseen_programs())
    assert set(training_programs()) < set(polybench_names())
    assert set(parsec_names()) < set(unseen_programs())
    assert set(CHECKED) < set(training_programs())


def test_inference_heats_the_npu_and_nothing_else_changes() -> None:
    board = with_inference(BOARD, 0.5)
    assert board.power.baseline["manager"].power_w.value == pytest.approx(0.004 / 0.5)
    assert board.power.baseline["manager"].node == "npu"
    assert set(board.power.baseline) - set(BOARD.power.baseline) == {"manager"}
    rng = np.random.default_rng(0)
    drawn = BOARD.sample(np.random.default_rng(0)), board.sample(rng)
    assert drawn[0].thermal == drawn[1].thermal  # draws stay those of the board without it
    with pytest.raises(ValueError, match="inference"):
        with_inference(load_board("odroid-xu3"), 0.5)


def test_caches_refill_from_the_footprint_up_to_their_size() -> None:
    assert refill_s(1e6, "cortex-a73") == pytest.approx(1e6 / REFILL_BYTES_PER_S)
    assert refill_s(1e9, "cortex-a73") == pytest.approx(2 * 2**20 / REFILL_BYTES_PER_S)
    assert refill_s(1e9, "cortex-a53") == pytest.approx(2**20 / REFILL_BYTES_PER_S)


def test_a_batch_and_a_single_board_agree() -> None:
    """The same manager on the batch and as a policy on the scalar twin, where nothing is moved."""
    scenario = MIX.scenario(BOARD)
    outcome = Rollout(BOARD, Still(), [scenario] * 2, [3, 4]).run()
    for i, seed in enumerate((3, 4)):
        sim = Simulator(BOARD, scenario=scenario, seed=seed)
        single = run(sim, ManagedPolicy(Still), duration_s=5000.0, seed=seed)
        ends_s = max(job.end_s or 0.0 for job in single.jobs)
        assert outcome.makespan_s[i] == pytest.approx(ends_s, abs=0.5)
        violated = [job.violated for job in single.jobs]
        assert outcome.lives.violated[outcome.lives.board == i].sum() == sum(violated)
        assert outcome.mean_c[i] == pytest.approx(single.kpis["mean_temp_c"], abs=0.02)


def test_lives_in_a_batch_are_those_of_single_boards() -> None:
    """Jobs that ended, that run, and that were stopped, some of them while they waited."""
    arrivals = {
        "process": "poisson", "rate_hz": 40.0, "count": 40, "programs": "all",
        "instructions": [1e9, 5e10], "target_share": [0.2, 0.6], "lifetime_s": [4.0, 60.0],
    }  # fmt: skip
    scenario = load_scenario("mixed-20").with_(arrivals=arrivals)
    batch = BatchSimulator(BOARD, 3, scenario=scenario, seeds=7, keep_lives=True)
    sims = [Simulator(BOARD, scenario=scenario, seed=7 + i) for i in range(3)]
    for dt_s in (0.05, 0.5, 2.0, 20.0):
        batch.advance(dt_s)
        lives = lives_of(batch)
        for i, sim in enumerate(sims):
            sim.advance(dt_s)
            single = sorted(sim.results(), key=lambda job: job.start_s)
            for name, of in (("done", "work"), ("alive_s", "alive_s"), ("below_s", "below_s")):
                told = getattr(lives, name)[lives.board == i]
                assert told == pytest.approx([getattr(job, of) for job in single], rel=1e-8)


def test_lives_are_asked_for_before_they_are_lived() -> None:
    with pytest.raises(ValueError, match="make it with keep_lives=True"):
        lives_of(BatchSimulator(BOARD, 2))


def test_a_moved_program_waits_for_its_caches() -> None:
    """A move costs the board's 5 ms and the refill of the new core's L2."""
    rollout = Rollout(BOARD, Still(), [MIX.scenario(BOARD)], [1])
    while not rollout.view().runs.any():
        rollout.step(Orders(moves=no_moves(1)), rollout.live())
    view, batch = rollout.view(), rollout.batch
    slot = int(np.flatnonzero(view.runs[0])[0])
    core = (int(view.unit[0, slot]) + 4) % 8
    rollout.carry_out(np.array([[[slot, core]]]), rollout.live())
    waits_s = (batch.get("job_hold_ns", slot) - batch.get("t_ns"))[0] * 1e-9
    jobs = dict(batch.boards[0].table.jobs())
    job = jobs[int(batch.plans["first"][0, batch.get("job_serial", slot)[0] - 1])]
    assert isinstance(job, Application)
    refill = refill_s(job.profile.footprint_bytes, CHIP.kinds[int(CHIP.cluster[core])])
    assert waits_s == pytest.approx(0.005 + refill, abs=2e-9)
    assert rollout.view().unit[0, slot] == core


def test_the_oracle_keeps_targets_and_cools_where_it_can() -> None:
    scenario = MIX.scenario(BOARD)
    means = {}
    for manager in (Still(), Oracle(), JointOracle()):
        outcome = Rollout(BOARD, manager, [scenario] * 4, range(4)).run()
        means[type(manager).__name__] = (
            outcome.lives.violated.sum(), float(outcome.mean_c.mean()),
        )  # fmt: skip
    assert means["Oracle"][0] <= means["Still"][0]
    assert means["Oracle"][1] <= means["Still"][1] + 0.05
    assert means["JointOracle"][0] <= means["Still"][0]


def test_an_oracle_refuses_to_go_without_a_twin() -> None:
    sim = Simulator(BOARD, scenario=MIX.scenario(BOARD))
    with pytest.raises(ValueError, match="twin"):
        run(sim, make_policy("oracle"), duration_s=5.0)


@pytest.mark.parametrize(
    "name", ["gts-ondemand", "eas-uclamp", "analytic", "joint-oracle", "imitation"]
)
def test_policies_by_name_run_on_one_board(name: str) -> None:
    if name == "imitation":
        pytest.importorskip("onnxruntime")
    assert "thermal" in policy_entries()[name].tasks
    sim = Simulator(BOARD, scenario=MIX.scenario(BOARD), seed=2)
    result = run(sim, make_policy(name), duration_s=60.0, seed=2, twin=sim)
    assert result.kpis["mean_temp_c"] is not None
    assert 25.0 < result.kpis["mean_temp_c"] < 95.0


def waiting_for_big(rate_share: list[float]) -> View:
    """Big is full; the job in place 4 is on LITTLE. Rates over the target of 1e9."""
    view = view_of_jobs([4, 5, 6, 7, 0])
    return replace(view, rate=1e9 * np.array([rate_share]))


def test_who_is_ahead_on_big_makes_room_for_who_is_behind() -> None:
    view = waiting_for_big([1.1, 1.6, 1.2, 1.0, 0.7])
    manager = WithSwaps(Still())
    manager.begin(CHIP, 1, 0)
    moves = [manager.decide(view).moves[0].tolist() for _ in range(6)]
    nothing = [[NOBODY, NOBODY]] * 2
    # Place 1 gains 0.3 s in an epoch and place 4 loses 0.15: more than 2 s apart after five.
    assert moves == [*[nothing] * 5, [[4, 5], [1, 0]]]


def test_no_swap_while_big_has_room_or_nobody_is_behind() -> None:
    ahead_s = np.array([[3.0, 0.0, 0.0, 0.0, -3.0]])
    view = waiting_for_big([1.0] * 5)
    assert due_swaps(view, ahead_s, CHIP)[0].tolist() == [[4, 4], [0, 0]]
    room = view_of_jobs([4, 5, 6, 1, 0])
    shared = view_of_jobs([4, 5, 6, 7, 7])
    moved = replace(view, rest_s=np.array([[0.0, 9.0, 9.0, 9.0, 9.0]]))
    for other, lead_s in ((room, ahead_s), (shared, ahead_s), (view, -ahead_s)):
        assert (due_swaps(other, lead_s, CHIP) == NOBODY).all()
    assert (due_swaps(moved, ahead_s, CHIP)[0, :, 0] != 0).all()  # who has just moved stays


def test_a_new_program_in_a_place_starts_even() -> None:
    manager = WithSwaps(Still())
    manager.begin(CHIP, 1, 0)
    view = waiting_for_big([1.0, 1.0, 1.0, 1.0, 0.5])
    for _ in range(3):
        manager.decide(view)
    assert manager.ahead_s(view)[0, 4] == pytest.approx(-0.75)
    other = replace(view, serial=view.serial + 10)
    assert (manager.ahead_s(other) == 0.0).all()


def test_swaps_save_targets_that_single_moves_miss() -> None:
    """Seen programs under load: fewer are violated, and it costs little heat."""
    mix = Mix(programs="seen", load=6.0, shares=(0.2, 0.6), fixed="work", cooling="no-fan")
    scenarios = [mix.scenario(BOARD)] * 6
    single, swaps = (
        Rollout(BOARD, manager, scenarios, range(40, 46)).run()
        for manager in (Oracle(), WithSwaps(Oracle()))
    )
    assert swaps.lives.violated.sum() < 0.5 * single.lives.violated.sum()
    assert swaps.mean_c.mean() < single.mean_c.mean() + 0.5
