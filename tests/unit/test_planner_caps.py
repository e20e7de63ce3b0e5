"""A script trains under caps that change: the plan follows them, and what it rests on is kept."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgetwin.factory import make_backend
from edgetwin.scenario import load_scenario
from edgetwin.storage import strict_json, write_atomically
from edgetwin.systems.planner.choice import Planner
from edgetwin.systems.planner.course import caps_scenario, without_jobs
from edgetwin.systems.planner.efficiency import table_efficiency
from edgetwin.systems.planner.launch import Aim, BoardSession, online_of, train
from edgetwin.systems.planner.meter import Care
from edgetwin.systems.planner.on_board import Task, board_task
from edgetwin.systems.planner.saved import Order, planner_json, planner_of, read_order
from hw_models.board import load_board
from hw_models.workloads import load_network

CAPS = ((0.0, 5.0), (60.0, 3.5), (120.0, 4.2))
ENDLESS = """
from edgetwin import training_hook
hook = training_hook(batch=32)
samples = 0
while not hook.report(samples):
    samples += hook.batch
    hook.step()
"""
STUBBORN = ENDLESS.replace("samples += hook.batch", "samples += batch").replace(
    "samples = 0", "samples, batch = 0, hook.batch"
)


@cache
def task() -> Task:
    needed = table_efficiency({16: 142_500.0, 32: 124_500.0, 64: 138_000.0, 128: 147_000.0})
    return board_task(load_board("jetson-nano"), load_network("resnet-18-cifar"), needed)


@cache
def planner() -> Planner:
    """What is known after a profile for the three caps, as the sensors of the twin say it."""
    made = task()
    meter = made.meter(make_backend("sim", board=made.board, seed=1), Care(longest_s=300.0))
    return made.planner(made.profile(meter, [cap_w for _, cap_w in CAPS], points=20))


def order() -> Order:
    choice = planner().plan(CAPS[0][1]).choice
    return Order(
        batch=int(choice.label["batch"]), freq_hz=choice.label["freq_hz"],
        predicted=choice.as_json(), planner=planner(),
    )  # fmt: skip


def trained(folder: Path, script: str, samples: float) -> dict[str, Any]:
    """A script under CAPS on the twin until it has seen so many samples."""
    path = folder / "script.py"
    path.write_text(script, encoding="utf-8")
    backend = make_backend("sim", board=task().board, scenario=caps_scenario(CAPS))
    online = online_of(order(), "plan.json")
    aim = Aim(target=samples, rule="constant")
    return train(path, BoardSession(backend, order(), task().network, aim, online=online))


def test_the_plan_follows_the_caps(tmp_path: Path) -> None:
    found = trained(tmp_path, ENDLESS, 9000.0)
    assert found["time_s"] > CAPS[-1][0]
    cells = {change["cap_w"]: change for change in found["changes"]}
    assert set(cells) == {cap_w for _, cap_w in CAPS}
    for cap_w, change in cells.items():
        best = planner().plan(cap_w, may_predict=True).choice
        assert (change["batch"], change["freq_hz"]) == (best.label["batch"], best.label["freq_hz"])
    # A change is seen within a second, and the sensor shows the second before it.
    assert found["over_cap_share"] < 2.5 / found["time_s"]
    starts_s = [change["t_s"] for change in found["changes"] if change["t_s"] > 0]
    assert np.allclose(starts_s, [t for t, _ in CAPS[1:]], atol=1.5)


def test_a_script_that_keeps_its_batch_gets_the_clocks_of_that_batch(tmp_path: Path) -> None:
    found = trained(tmp_path, STUBBORN, 9000.0)
    assert found["batch"] == order().batch
    for change in found["changes"]:
        best = planner().plan(change["cap_w"], may_predict=True, batch=order().batch).choice
        assert change["freq_hz"] == best.label["freq_hz"]
    assert found["over_cap_share"] < 2.5 / found["time_s"]


def test_what_a_plan_rests_on_is_kept_in_its_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    choice = planner().plan(4.0).choice.as_json()
    write_atomically(path, strict_json({"choice": choice, "cells": planner_json(planner())}))
    again = read_order(path).planner
    assert again is not None
    for cap_w in (3.5, 4.2, 5.0):
        assert again.plan(cap_w).as_json() == planner().plan(cap_w).as_json()
    with pytest.raises(ValueError, match="not the cells of a plan"):
        planner_of({"batch": [1]})


def test_caps_begin_at_once_and_ascend() -> None:
    assert caps_scenario(CAPS).realise(task().board).cap_w == CAPS[0][1]
    for wrong in ([], [(1.0, 5.0)], [(0.0, 5.0), (0.0, 4.0)], [(0.0, 5.0), (9.0, 4.0), (3.0, 4.0)]):
        with pytest.raises(ValueError, match="ascending times"):
            caps_scenario(wrong)


def test_of_a_scenario_the_caps_are_taken_and_not_the_jobs() -> None:
    scenario = without_jobs(load_scenario("train-cap-steps"))
    assert not scenario.realise(task().board).arrivals
    assert [step.cap_w for step in scenario.cap] == [7.0, 9.0, 6.5, 8.0, 10.0, 7.0]
    with pytest.raises(ValueError, match="has no cap"):
        without_jobs(load_scenario("single-app"))


def test_a_choice_alone_cannot_follow_caps() -> None:
    alone = Order(batch=32, freq_hz={"gpu": 460.8e6}, predicted={})
    with pytest.raises(ValueError, match="make it again"):
        online_of(alone, "plan.json")
