"""The outcome of a move without stepping is the outcome of the branch that is stepped."""

from dataclasses import replace

import numpy as np
import pytest

from edgetwin.kernel.outlook import ahead_s, least_clocks
from edgetwin.scenario import full_speed_ips
from edgetwin.simulator import Simulator
from edgetwin.systems.thermal.branches import HORIZON_S, LONGEST, outcomes
from edgetwin.systems.thermal.chip import chip_of
from edgetwin.systems.thermal.joint import best_placements, placements_as_they_are
from edgetwin.systems.thermal.labels import INFEASIBLE, OCCUPIED, soft_labels
from edgetwin.systems.thermal.snapshots import Drawn, Snapshots
from hw_models import load_board
from hw_models.board import Knobs
from hw_models.jobs import Application
from hw_models.workloads import load_application

BOARD = load_board("hikey970")
CHIP = chip_of(BOARD)
PROGRAMS = [load_application(name) for name in ("gemm", "durbin", "seidel-2d", "adi")]
PEAKS_IPS = np.array([full_speed_ips(p, BOARD) for p in PROGRAMS])
SCENES = Snapshots(BOARD, CHIP, PROGRAMS)


def drawn(jobs: list[tuple[int, int, float]], *, fan: int = 0) -> Drawn:
    """One board with jobs (program, core, share of peak)."""
    program, core, share = (np.array([list(column)]) for column in zip(*jobs, strict=True))
    return Drawn(
        program=program, core=core, target_ips=PEAKS_IPS[program] * share,
        raised=np.zeros((1, 2), np.int64), fan=np.array([fan]), ambient_c=np.array([25.0]),
    )  # fmt: skip


def judged(jobs: list[tuple[int, int, float]], *, fan: int = 0) -> tuple[object, object]:
    states = SCENES.states(drawn(jobs, fan=fan), np.random.default_rng(0))
    asked = np.zeros((1, len(jobs)), np.bool_)
    asked[0, 0] = True
    return outcomes(CHIP, SCENES.truth(states), np.arange(1), asked), states


def stepped(jobs: list[tuple[int, int, float]], fan: int, until_s: float) -> Simulator:
    """The same jobs on a simulated board under the 50 ms rule, from the start."""
    sim = Simulator(BOARD)
    sim.apply(Knobs(governor=dict.fromkeys(CHIP.domains, "qos-dvfs"), fan=fan))
    for program, core, share in jobs:
        target_ips = share * PEAKS_IPS[program]
        job = Application(profile=PROGRAMS[program], instructions=np.inf, target_ips=target_ips)
        sim.submit(job, CHIP.cores[core])
    sim.advance(until_s)
    return sim


BACKGROUND = [(1, 5, 0.5), (2, 1, 0.3)]


@pytest.mark.parametrize("core", [0, 4, 7])
@pytest.mark.parametrize("fan", [0, 1])
def test_a_stepped_branch_ends_where_the_outcome_says(core: int, fan: int) -> None:
    found, _ = judged([(0, 6, 0.25), *BACKGROUND], fan=fan)
    sim = stepped([(0, core, 0.25), *BACKGROUND], fan, 8000.0)
    assert found.temp_c[0, 0, core] == pytest.approx(sim.node_temps_c()["l2_big"], abs=2e-3)
    assert found.own[0, 0, core] == pytest.approx(
        sim.state[0]["job_rate"][0] / sim.state[0]["job_target"][0], rel=1e-9
    )


def test_the_horizon_looks_as_far_as_it_says() -> None:
    # From the idle board; the stepped clocks climb for 0.4 s, which costs some hundredths of 30 s.
    jobs = [(0, 6, 0.5), *BACKGROUND]
    states = SCENES.states(drawn(jobs), np.random.default_rng(0))
    idle = Simulator(BOARD)
    idle.apply(Knobs(fan=0))
    idle.advance(5000.0)
    states["modes"] = idle.state["modes"]
    asked = np.array([[True, False, False]])
    found = outcomes(CHIP, SCENES.truth(states), np.arange(1), asked)
    sim = Simulator(BOARD)
    sim.apply(Knobs(fan=0))
    sim.advance(5000.0)
    sim.apply(Knobs(governor=dict.fromkeys(CHIP.domains, "qos-dvfs")))
    for program, core, share in jobs:
        target_ips = share * PEAKS_IPS[program]
        job = Application(profile=PROGRAMS[program], instructions=np.inf, target_ips=target_ips)
        sim.submit(job, CHIP.cores[core])
    sim.advance(HORIZON_S)
    rise_k = sim.node_temps_c()["l2_big"] - idle.node_temps_c()["l2_big"]
    seen_k = found.later_c[0, 0, 6] - idle.node_temps_c()["l2_big"]
    assert rise_k > 1.0
    assert seen_k == pytest.approx(rise_k, rel=0.02)
    assert pytest.approx(ahead_s(0.05, LONGEST)) == HORIZON_S


def test_least_clocks_are_least() -> None:
    rng = np.random.default_rng(3)
    record, table = SCENES.lowered.record, SCENES.means
    for _ in range(20):
        jobs = [(int(rng.integers(4)), int(c), float(rng.uniform(0.1, 0.5)))
                for c in rng.permutation(8)[:3]]  # fmt: skip
        state = SCENES.states(drawn(jobs), rng)[0:1]
        if least_clocks(state[0], record[0], table, 2) < 1.0:
            continue
        levels = state["level"][0, :2].copy()
        for d in np.flatnonzero(levels > 0):
            state["level"][0, :2] = levels
            state["level"][0, d] -= 1
            assert _slowest(state) < 1.0


def _slowest(state: np.ndarray) -> float:
    """The least ratio of rate to target at the clocks of a state, by the equations of speed."""
    slowest = np.inf
    others = {d: 0 for d in (0, 1)}
    units = [int(u) for u in state["job_unit"][0] if u >= 0]
    for u in units:
        others[int(CHIP.cluster[u])] += 1
    for j, u in enumerate(units):
        d = int(CHIP.cluster[u])
        kind = BOARD.performance.cores[CHIP.kinds[d]]
        row = SCENES.means[state["job_first"][0, j]][1 + 8 * d : 9 + 8 * d]
        hz = CHIP.freqs_hz[d, state["level"][0, d]]
        # without the others' traffic, which only slows a program further
        crowd = 1.0 + kind.corunner_stall.value * (others[d] - 1)
        rate = 1.0 / (row[2] / hz + row[4] * crowd)
        slowest = min(slowest, rate / state["job_target"][0, j])
    return slowest


def test_taken_cores_have_no_outcome_and_codes_follow() -> None:
    found, _ = judged([(0, 6, 0.25), *BACKGROUND])
    assert np.flatnonzero(np.isnan(found.temp_c[0, 0])).tolist() == [1, 5]
    labels = soft_labels(found, found.temp_c)[0, 0]
    assert labels[1] == labels[5] == OCCUPIED
    assert labels.max() == 1.0
    best_c = np.nanmin(np.where(found.feasible[0, 0], found.temp_c[0, 0], np.nan))
    warm = found.feasible[0, 0] & (found.temp_c[0, 0] > best_c + 1e-6)
    assert labels[warm] == pytest.approx(np.exp(-(found.temp_c[0, 0, warm] - best_c)))


def test_a_target_that_only_big_cores_reach_marks_little_infeasible() -> None:
    found, _ = judged([(0, 6, 0.6)])
    assert found.feasible[0, 0].tolist() == [False] * 4 + [True] * 4
    assert (soft_labels(found, found.temp_c)[0, 0, :4] == INFEASIBLE).all()


def test_where_nothing_suffices_the_least_bad_core_is_rated_highest() -> None:
    found, _ = judged([(0, 6, 1.3)])
    labels = soft_labels(found, found.temp_c)[0, 0]
    assert not found.feasible.any()
    assert labels[4:].min() > labels[:4].max()
    assert (labels <= 0.0).all()


def test_a_background_that_is_slow_anyway_does_not_forbid_every_move() -> None:
    found, _ = judged([(1, 6, 0.2), (0, 5, 1.3)])
    assert found.feasible[0, 0].any()


def test_joint_placement_equals_trying_all() -> None:
    jobs = [(0, 0, 0.3), (1, 1, 0.2), (3, 5, 0.4)]
    states = SCENES.states(drawn(jobs), np.random.default_rng(0))
    best = best_placements(CHIP, SCENES.truth(states), np.arange(1))
    tried = []
    for a in range(8):
        for b in range(8):
            for c in range(8):
                if len({a, b, c}) == 3:
                    one = states.copy()
                    one["job_unit"][0, :3] = a, b, c
                    own = placements_as_they_are(CHIP, SCENES.truth(one), np.arange(1))
                    tried.append((int(own.missed[0]), float(own.temp_c[0])))
    missed, temp_c = min(tried)
    assert best.missed[0] == missed
    # The search over cores of a cluster is local: within hundredths of a kelvin.
    assert best.temp_c[0] == pytest.approx(temp_c, abs=0.05)
    assert best.asked[0] < len(tried)


def test_joint_placement_is_never_worse_than_the_present_one() -> None:
    rng = np.random.default_rng(5)
    for n in (1, 4, 8):
        cores = rng.permutation(8)[:n]
        jobs = [(int(rng.integers(4)), int(c), float(rng.uniform(0.1, 0.6))) for c in cores]
        states = SCENES.states(drawn(jobs), rng)
        truth = SCENES.truth(states)
        best = best_placements(CHIP, truth, np.arange(1))
        own = placements_as_they_are(CHIP, truth, np.arange(1))
        assert (best.missed[0], best.temp_c[0]) <= (own.missed[0], own.temp_c[0] + 1e-9)
        assert len(set(best.unit[0, :n].tolist())) == n


def test_a_chip_needs_two_clusters() -> None:
    with pytest.raises(ValueError, match="CPU clusters"):
        chip_of(load_board("jetson-nano"))


def test_features_tell_neither_power_nor_temperature() -> None:
    from edgetwin.systems.thermal.features import COUNT, features

    states = SCENES.states(drawn([(0, 6, 0.25), *BACKGROUND]), np.random.default_rng(0))
    view = SCENES.view(states, 3)
    x = features(view, CHIP)
    assert x.shape == (1, 3, COUNT) and COUNT == 21
    assert np.array_equal(x, features(replace(view, temp_c=view.temp_c + 30.0, truth=None), CHIP))
    hz = view.hz[0, 1]
    assert x[0, 0, 0] == pytest.approx(view.rate[0, 0] / hz, rel=1e-6)
    assert x[0, 0, 3 + 6] == pytest.approx(hz / CHIP.top_hz[1], rel=1e-6)
    assert x[0, 0, 13:].tolist() == [0, 1, 0, 0, 0, 1, 1, 0]
    # On its cluster the other big program needs this clock; on LITTLE there is one other.
    need = hz * view.target[0, 1] / view.rate[0, 1] / CHIP.top_hz[1]
    assert x[0, 0, 12] == pytest.approx(need, rel=1e-6)
