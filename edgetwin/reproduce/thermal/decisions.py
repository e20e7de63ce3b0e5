"""Rows of the table that judge single decisions: states drawn at random, outcomes known."""

import time
from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgetwin.reproduce.thermal.grid import PLAIN, STUDENT, manager
from edgetwin.reproduce.thermal.lab import BOARD, Lab
from edgetwin.studies import Figure, row
from edgetwin.systems.thermal.chip import chip_of
from edgetwin.systems.thermal.choice import best_move
from edgetwin.systems.thermal.demos import PLACES, SWEEP, DemoSettings, Shard, draw_boards, judged
from edgetwin.systems.thermal.features import features
from edgetwin.systems.thermal.joint import best_placements, placements_as_they_are
from edgetwin.systems.thermal.oracle import Oracle
from edgetwin.systems.thermal.overhead import with_inference
from edgetwin.systems.thermal.policy_file import same_decisions
from edgetwin.systems.thermal.scores import Score, score
from edgetwin.systems.thermal.snapshots import Drawn
from edgetwin.systems.thermal.student import Student
from edgetwin.systems.thermal.view import Manager, View
from hw_models.thermal import leakage_law

SIMPLE: Final = ("always-big", "little-if-fits", "analytic")
MOVES: Final = 16


def decisions(lab: Lab) -> dict[str, Any]:
    """Student decisions on unseen programs."""
    found = lab.kept(["decisions"], lambda: _decisions(lab))
    students = [Score(**s) for s in found["student"]]
    rivals = {name: found[name][0]["cost_k"] for name in SIMPLE}
    cost_k = float(np.mean([s.cost_k for s in students]))
    return row(
        {
            "infeasible": Figure(value=_mean(students, "infeasible"), bar=0.05),
            "contested_regret": Figure(value=_mean(students, "regret"), bar=0.2),
            "cost_over_best_rule": Figure(value=cost_k / min(rivals.values()), bar=1.0),
        },
        cost_k={"student": cost_k, **rivals},
        n=students[0].n,
        contested=students[0].contested,
        training_seeds=lab.size.trainings,
        by_manager={
            name: {k: float(np.mean([s[k] for s in some])) for k in some[0]}
            for name, some in found.items()
            if name != "int8_parity"
        },
        int8_parity=found["int8_parity"],
    )


def _mean(scores: list[Score], name: str) -> float:
    return float(np.mean([getattr(s, name) for s in scores]))


def _unseen(lab: Lab) -> Shard:
    """Boards with unseen programs; the board of the file, so that only programs are new."""
    scenes = lab.size.states // (2 * SWEEP)
    return draw_boards(
        DemoSettings(board=BOARD, scenes=scenes, seed=5, posterior=False), "unseen", 0
    )


def _decisions(lab: Lab) -> dict[str, Any]:
    shard = _unseen(lab)
    scenes = shard.scenes
    found = judged(shard)
    outcome = _Twice(
        temp_c=np.repeat(found.temp_c[:, 0], 2, axis=0),
        feasible=np.repeat(found.feasible[:, 0], 2, axis=0),
    )
    view = scenes.view(shard.states, PLACES)
    players: dict[str, list[Manager]] = {
        name: [PLAIN[name]()] for name in (*SIMPLE, "eas-uclamp", "oracle")
    }
    seeds = range(lab.size.trainings)
    for name in ("student", "ppo", "top-rl-200"):
        players[name] = [manager(name, seed, lab.trainings) for seed in seeds]
    scores = {
        name: [asdict(score(_rated(one, view, lab), outcome)) for one in some]
        for name, some in players.items()
    }
    little = np.repeat([1.0, 0.0], PLACES // 2)
    fits = outcome.feasible[:, : PLACES // 2].any(axis=1, keepdims=True)
    known = np.where(fits, little, 1.0 - little)
    scores["little-if-it-really-fits"] = [asdict(score(known, outcome))]
    rng = lab.rng(1)
    scores["random"] = [asdict(score(rng.random(known.shape), outcome))]
    return {**scores, "int8_parity": _parity(lab, view, outcome)}


def _rated(player: Any, view: View, lab: Lab) -> NDArray[Any]:
    """What a manager thinks of the cores for the program in place 0, (rows, cores)."""
    player.begin(chip_of(lab.board), len(view.t_s), 0)
    return np.asarray(player.ratings(view)[:, 0])


class _Twice:
    """Outcomes of the program in place 0, repeated for both cores it is seen from."""

    def __init__(self, *, temp_c: NDArray[Any], feasible: NDArray[np.bool_]) -> None:
        self.temp_c, self.feasible = temp_c, feasible


def _parity(lab: Lab, view: View, outcome: _Twice) -> list[float | None]:
    """Same decisions of the int8 export as of the float one, by training seed."""
    found: list[float | None] = []
    for seed in range(lab.size.trainings):
        try:
            small = manager("student-int8", seed, lab.trainings)
        except FileNotFoundError:
            found.append(None)
            continue
        full = manager("student", seed, lab.trainings)
        rated = [_rated(one, view, lab) for one in (full, small)]
        found.append(same_decisions(rated[0], rated[1], ~np.isnan(outcome.temp_c)))
    return found


def demonstrations(lab: Lab) -> dict[str, Any]:
    """Labelled decisions per second."""
    settings = DemoSettings(board=BOARD, scenes=64, seed=99, posterior=False)
    shard = draw_boards(settings, "train", 1)
    judged(shard)
    scenes = 512
    start_s = time.process_time()
    shard = draw_boards(replace(settings, scenes=scenes), "train", 2)
    judged(shard)
    features(shard.scenes.view(shard.states, PLACES), shard.scenes.chip)
    taken_s = time.process_time() - start_s
    per_core = scenes * SWEEP / taken_s
    return row(
        {"decisions_per_s": Figure(value=2 * per_core, bar=2000, at_least=True)},
        n=scenes * SWEEP,
        per_core=per_core,
        how="on the compiled steady state (edgetwin.kernel.outlook), held against stepped branches "
        "by tests/unit/test_thermal_system.py; per second of CPU time, shards share no work",
    )


def latency(lab: Lab) -> dict[str, Any]:
    """Decision latency for 8 applications, onnxruntime, one core; and what managing costs."""
    shard = _unseen(lab)
    full = np.flatnonzero((shard.drawn.program >= 0).all(axis=1))[:1]
    view = shard.scenes.view(shard.states[full], PLACES)
    player, student = (manager(name, 0, lab.trainings) for name in (STUDENT, "student"))
    assert isinstance(student, Student)
    player.begin(shard.scenes.chip, 1, 0)
    times_s = []
    for _ in range(300):
        start_s = time.thread_time()
        player.decide(view)
        times_s.append(time.thread_time() - start_s)
    x = features(view, shard.scenes.chip)[0]
    start_s = time.thread_time()
    for _ in range(300):
        student.file.rate(x)
    inference_s = (time.thread_time() - start_s) / 300
    inference = lab.board.performance.inference
    assert inference is not None
    return row(
        {"decision_s": Figure(value=float(np.median(times_s)), bar=1e-3)},
        n=300,
        inference_s=inference_s,
        on_the_board={
            "npu_s_per_epoch": inference.latency_s.value,
            "npu_share_of_time": inference.latency_s.value / student.period_s,
            "npu_mean_w": inference.energy_j.value / student.period_s,
            "idle_board_warmer_by_k": _warmer_k(lab, student.period_s),
            "grade": "assumed",
        },
    )


def _warmer_k(lab: Lab, period_s: float) -> float:
    """By how much inference alone warms the SoC zone of an idle board without fan."""
    found = []
    for board in (lab.board, with_inference(lab.board, period_s)):
        low = board.lower()
        power_w = np.zeros(len(low.parts))
        for name, part in board.power.baseline.items():
            power_w[low.parts.index(name)] = part.power_w.value
        temps_c = low.networks[0].steady(power_w, 25.0, np.zeros_like(power_w), leakage_law(board))
        zone = next(iter(board.sensors.zones.values()))
        found.append(temps_c[low.nodes.index(zone.node)])
    return float(found[1] - found[0])


def one_app_regret(lab: Lab) -> dict[str, Any]:
    """The one-application oracle against the joint one: random states, and the closed loop."""
    found = lab.kept(["joint"], lambda: _joint(lab))
    oracle, joint = lab.runs("oracle"), lab.runs("joint-oracle")
    warmer_k = oracle.mean_c - joint.mean_c
    more = (oracle.violated.sum() - joint.violated.sum()) / oracle.programs.sum()
    return {
        "value": None, "bar": None, "ok": None,
        "reason": "no bar: regret by number of applications is in `random_states`",
        "random_states": found,
        "closed_loop": {
            "warmer_k": float(warmer_k.mean()),
            "worst_run_k": float(warmer_k.max()),
            "more_violations": float(more),
            "n": len(warmer_k),
        },
    }  # fmt: skip


def _joint(lab: Lab) -> dict[str, Any]:
    """Random states in which the one-application oracle moves until it has no better move."""
    shard = draw_boards(
        DemoSettings(board=BOARD, scenes=lab.size.states // 20, seed=6, posterior=False),
        "unseen", 0,
    )  # fmt: skip
    pick = np.arange(0, len(shard.states), 2 * SWEEP)  # one target and core of every scene
    states, drawn = shard.states[pick].copy(), _some(shard.drawn, pick)
    chip, truth = shard.scenes.chip, shard.scenes.truth(states)
    everyone = np.arange(len(states))
    best = best_placements(chip, truth, everyone)
    oracle = Oracle()
    oracle.begin(chip, len(states), 0)
    for _ in range(MOVES):
        moves = best_move(
            oracle.ratings(shard.scenes.view(states, PLACES)), shard.scenes.view(states, PLACES),
            least_gain=oracle.least_gain,
        )[:, 0]  # fmt: skip
        moved = np.flatnonzero(moves[:, 0] >= 0)
        if not len(moved):
            break
        states["job_unit"][moved, moves[moved, 0]] = moves[moved, 1]
    own = placements_as_they_are(chip, truth, everyone)
    jobs = (drawn.program >= 0).sum(axis=1)
    return {str(n): _regret(own, best, jobs == n) for n in range(1, PLACES + 1)}


def _regret(own: Any, best: Any, which: NDArray[np.bool_]) -> dict[str, float]:
    missed = own.missed[which] - best.missed[which]
    warmer_k = (own.temp_c - best.temp_c)[which]
    equal = missed == 0
    return {
        "states": int(which.sum()),
        "more_missed": float(np.mean(missed > 0)),
        "over_1_k": float(np.mean(equal & (warmer_k > 1.0))),
        "mean_k": float(warmer_k[equal].mean()) if equal.any() else 0.0,
        "placements_tried": float(best.asked[which].mean()),
    }


def _some(drawn: Drawn, which: NDArray[np.int64]) -> Drawn:
    from dataclasses import fields

    return Drawn(**{f.name: getattr(drawn, f.name)[which] for f in fields(Drawn)})
