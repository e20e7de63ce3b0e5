"""How the study judges: FLOPs to an equal loss, and a page for whatever was measured."""

from pathlib import Path
from typing import Any

import pytest

from edgetwin.cells import CellStore
from edgetwin.reproduce.federated.encoder import equal_loss_flops
from edgetwin.reproduce.federated.page import write_page_of
from edgetwin.reproduce.federated.rows_digits import digits_rows
from edgetwin.reproduce.federated.search import (
    JUDGED_SEED,
    TUNING_SEED,
    Effort,
    Trial,
    best_of,
    candidates,
)
from edgetwin.reproduce.federated.spaces import SPACES
from edgetwin.reproduce.federated.study import make_study
from edgetwin.studies import Figure, Means, absent, cells, outcome, row


def test_the_worse_end_is_the_loss_that_both_reach() -> None:
    fast = [[0.0, 1.0, 0.5], [10.0, 0.5, 0.6], [20.0, 0.4, 0.7]]
    slow = [[0.0, 1.0, 0.5], [10.0, 0.9, 0.5], [20.0, 0.75, 0.6]]
    assert equal_loss_flops(fast, slow) == (pytest.approx(5.0), pytest.approx(20.0))
    assert equal_loss_flops(slow, fast) == (pytest.approx(20.0), pytest.approx(5.0))
    assert equal_loss_flops(fast, fast) == (pytest.approx(20.0), pytest.approx(20.0))


def test_a_rise_on_the_way_is_noise() -> None:
    rising = [[0.0, 1.0, 0.5], [10.0, 0.6, 0.6], [20.0, 0.8, 0.6]]
    flat = [[0.0, 1.0, 0.5], [10.0, 0.7, 0.6], [20.0, 0.7, 0.6]]
    assert equal_loss_flops(rising, flat) == (pytest.approx(10.0), pytest.approx(10.0))


def test_a_run_that_diverged_is_no_better_than_untrained() -> None:
    good = [[0.0, 1.0, 0.5], [10.0, 0.5, 0.6], [20.0, 0.4, 0.7]]
    lost = [[0.0, 1.0, 0.5], [20.0, float("inf"), 0.0]]
    ours, theirs = equal_loss_flops(good, lost)
    assert (ours, theirs) == (10.0, 20.0)


def found(detail: dict[str, Any]) -> dict[str, Any]:
    figures = {"docstrings_over_fedzo": Figure(value=2.0, bar=1.6, at_least=True)}
    return {
        "study": "federated",
        "quick": True,
        "bars": {"encoder": {"title": "gains", **row(figures, n=2, detail=detail)}},
        "more": {"boards": {"title": "boards", **absent("no board here")}},
        "versions": {},
    }


def test_a_page_shows_what_was_measured(tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    store = CellStore(path=tmp_path / "cells")
    detail: dict[str, Any] = {
        "docstrings": {
            m: {"settings": candidates(s, 1)[0], "loss": 0.5} for m, s in SPACES.items()
        },
        "docstrings_over_fedzo": {"value": 2.0, "low": 1.5, "high": 2.5},
    }
    for method, space in SPACES.items():
        for seed in (0, 1):
            key = {"task": "docstrings", "method": method, "settings": candidates(space, 1)[0]}
            curve = [[0.0, 1.0, 0.5], [2e12, 0.5 + seed, 0.75]]
            store.put(key | {"seed": seed}, {"curve": curve, "device": "cpu"})
    study = found(detail)
    page = write_page_of(study, tmp_path).read_text(encoding="utf-8")
    assert "FLOPs to an equal held-out loss" in page
    assert "docstrings: loss and accuracy over FLOPs" in page
    assert "no board here" in page
    assert [line[4] for line in cells(study)] == ["holds", "not measured"]


def test_candidates_fill_a_space_and_take_every_choice_equally_often() -> None:
    some = candidates(SPACES["fedzo"], 16)
    rates = sorted(one["lr"] for one in some)
    assert len(set(rates)) == 16
    assert 3e-5 <= rates[0] < 5e-5 and 3e-4 < rates[-1] <= 5e-4
    assert [one["perturbations"] for one in some].count(4) == 8
    assert some == candidates(SPACES["fedzo"], 16)


def test_every_method_has_the_same_trials_and_none_on_judged_seeds() -> None:
    effort = Effort(settings=8, tuning_seeds=3, seeds=5, budget_flops=1.0)
    tried = {name: candidates(space, 8) for name, space in SPACES.items()}
    seen: list[Trial] = []

    def cost(trials: list[Trial]) -> list[float]:
        seen.extend(trials)
        return [1.0 for _ in trials]

    best_of(tried, effort, cost)
    counts = {name: sum(trial[0] == name for trial in seen) for name in SPACES}
    assert set(counts.values()) == {8 + 2 * 2}
    seeds = {seed for _, _, seed in seen}
    assert seeds == {TUNING_SEED, TUNING_SEED + 1, TUNING_SEED + 2}
    assert seeds.isdisjoint(range(JUDGED_SEED, JUDGED_SEED + effort.seeds))


def test_the_search_takes_the_least_mean_over_its_seeds() -> None:
    effort = Effort(settings=8, tuning_seeds=3, seeds=5, budget_flops=1.0)
    tried = {"one": [{"lr": float(k)} for k in range(8)]}

    def cost(trials: list[Trial]) -> list[float]:
        """0 looks best on the first seed alone, 1 over all of them."""
        return [
            settings["lr"] + (3.0 if settings["lr"] == 0.0 and seed > TUNING_SEED else 0.0)
            for _, settings, seed in trials
        ]

    assert best_of(tried, effort, cost) == {"one": {"lr": 1.0}}


def test_a_row_whose_time_is_up_is_absent_and_says_so(tmp_path: Path) -> None:
    over = Means(jobs=1, until_s=0.0)
    _, measure = digits_rows(tmp_path, over)["digits"]
    found = outcome(measure, True)
    assert found["ok"] is None and "time is up" in found["reason"]


def test_some_rows_of_a_study_are_a_study(tmp_path: Path) -> None:
    some = make_study(tmp_path, Means()).only(["spsa", "split"])
    assert (list(some.rows), list(some.more)) == (["spsa"], ["split"])
    with pytest.raises(KeyError, match="split"):
        some.only(["splits"])
