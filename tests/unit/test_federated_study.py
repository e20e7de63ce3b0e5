"""How the study judges: FLOPs to an equal loss, and a page for whatever was measured."""

from pathlib import Path
from typing import Any

import pytest

from edgetwin.cells import CellStore
from edgetwin.reproduce.federated.encoder import equal_loss_flops
from edgetwin.reproduce.federated.page import write_page_of
from edgetwin.reproduce.federated.rows_encoder import SPACES
from edgetwin.reproduce.federated.search import candidates
from edgetwin.studies import Figure, absent, cells, row


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
            store.put(key | {"seed": seed}, [[0.0, 1.0, 0.5], [2e12, 0.5 + seed, 0.75]])
    study = found(detail)
    page = write_page_of(study, tmp_path).read_text(encoding="utf-8")
    assert "FLOPs to an equal held-out loss" in page
    assert "docstrings: loss and accuracy over FLOPs" in page
    assert "no board here" in page
    assert [line[4] for line in cells(study)] == ["holds", "not measured"]
