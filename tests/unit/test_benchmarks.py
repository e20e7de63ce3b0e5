"""The foundation study is complete, and what it holds against the twin does the same work."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.fidelity import study as fidelity
from benchmarks.foundation import study
from benchmarks.foundation.job_sets import levels_of, random_job_set, run_both, without_leakage
from benchmarks.foundation.naive import NaiveBoard
from benchmarks.foundation.workload import drawn_j, eight_applications, simulator, temps_of
from benchmarks.frame import command
from benchmarks.frame.side_by_side import median_ratio, side_by_side
from benchmarks.product import study as product
from edgetwin.studies import Figure, Study, absent, outcome, row

LINES_OF_THE_TABLE = [
    "thermal_step", "energy", "linear_part", "against_polling", "coasting", "environment",
    "import", "bad_input", "traps",
]  # fmt: skip
Table = dict[str, tuple[str, Callable[[bool], dict[str, Any]]]]


@pytest.fixture
def fake_rows(monkeypatch: pytest.MonkeyPatch) -> Table:
    """Rows that are measured at once: one holds, one falls short, one cannot be measured."""
    for name in command.THREADS:
        monkeypatch.setenv(name, "1")
    rows: Table = {
        "fast": ("a fast row", lambda quick: row({"s": Figure(value=1.0, bar=2.0)}, n=1)),
        "slow": ("a slow row", lambda quick: row({"s": Figure(value=3.0, bar=2.0)}, n=1)),
        "missing": ("no such package", lambda quick: absent("not here")),
    }
    monkeypatch.setattr(study, "STUDY", Study(name="foundation", rows=rows))
    return rows


def test_every_line_of_the_table_has_its_row() -> None:
    assert list(study.ROWS) == LINES_OF_THE_TABLE


def test_readme_lists_every_row() -> None:
    readme = Path(study.__file__).parents[1] / "README.md"
    section = readme.read_text("utf-8").split("## The foundation")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.M) == LINES_OF_THE_TABLE


def test_fidelity_has_every_line_of_its_table() -> None:
    readme = Path(study.__file__).parents[1] / "README.md"
    section = readme.read_text("utf-8").split("## Fidelity")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.M) == list(fidelity.ROWS)


def test_the_product_has_every_line_of_its_table() -> None:
    readme = Path(study.__file__).parents[1] / "README.md"
    section = readme.read_text("utf-8").split("## The product")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.M) == list(product.ROWS)


def test_a_row_without_data_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGETWIN_DATA", raising=False)
    found = {name: fidelity.ROWS[name][1](True) for name in ("latency", "hikey960", "zeus")}
    assert all(each["ok"] is None for each in found.values())
    assert all("EDGETWIN_DATA is not set" in each["reason"] for each in found.values())


def test_a_row_names_the_file_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGETWIN_DATA", str(tmp_path))
    assert (
        "tx2_inference_latency_train.csv is not in" in fidelity.ROWS["latency"][1](True)["reason"]
    )


def test_polling_model_and_twin_do_the_same_work() -> None:
    workload = eight_applications(3, 12.2)
    sim = simulator(workload)
    naive = NaiveBoard(workload, temps_of(sim), levels_of(sim))
    naive.run()
    sim.run_until(12_200_000_000)
    moves = sim.kpis()["migrations"]
    assert (len(sim.results()), moves) == (naive.arrived, naive.migrations)
    assert naive.arrived >= 8 and naive.migrations >= 10
    assert naive.energy_j == pytest.approx(drawn_j(sim), rel=0.01)
    assert np.abs(naive.temps_c - temps_of(sim)).max() < 0.3


def test_reference_and_twin_agree_on_joules_and_completions() -> None:
    board = without_leakage("hikey970")
    both = run_both(board, random_job_set(np.random.default_rng(4), board, 15.0))
    summed_j = sum(float(s.power_w.sum()) * s.dt_s for s in both.stretches)
    assert summed_j > 10.0
    assert both.counted_j == pytest.approx(summed_j, rel=1e-9)
    assert both.ends_s == pytest.approx(both.reference_ends_s, abs=1e-8)
    assert len(both.stretches) > 30


@pytest.mark.usefixtures("fake_rows")
def test_json_is_one_object_with_value_bar_and_ok(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert command.run_command("foundation", ["--json", "--out", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {name: found["ok"] for name, found in printed["bars"].items()} == {
        "fast": True,
        "slow": False,
        "missing": None,
    }
    assert all({"value", "bar", "ok"} <= set(found) for found in printed["bars"].values())
    assert printed["bars"]["missing"]["reason"] == "not here"
    assert json.loads((tmp_path / "foundation.json").read_text("utf-8")) == printed


@pytest.mark.usefixtures("fake_rows")
def test_table_names_every_row_and_its_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run_command("foundation", []) == 0
    shown = capsys.readouterr().out
    for text in ("a fast row", "holds", "a slow row", "falls short", "not here", "not measured"):
        assert text in shown


def test_strict_fails_only_when_a_measured_row_falls_short(fake_rows: Table) -> None:
    assert command.run_command("foundation", ["--json", "--strict"]) == 1
    del fake_rows["slow"]
    assert command.run_command("foundation", ["--json", "--strict"]) == 0


def test_a_row_that_breaks_down_falls_short_with_its_reason() -> None:
    def breaks(quick: bool) -> dict[str, Any]:
        raise RuntimeError("twin and reference disagree")

    assert outcome(breaks, True)["ok"] is False
    assert "disagree" in outcome(breaks, True)["reason"]


def test_a_row_without_its_package_is_not_measured() -> None:
    def lacks(quick: bool) -> dict[str, Any]:
        raise ImportError("No module named 'x'")

    assert outcome(lacks, True)["ok"] is None


def test_a_row_holds_only_if_all_its_figures_do() -> None:
    fine, slow = Figure(value=1.0, bar=2.0), Figure(value=1.0, bar=2.0, at_least=True)
    assert row({"a": fine, "b": slow})["ok"] is False
    assert row({"a": fine})["value"] == 1.0
    assert not Figure(value=float("nan"), bar=1.0).ok


def test_contestants_take_turns_in_reverse_order() -> None:
    calls: list[tuple[str, int]] = []
    times_s = {"a": [4.0, 6.0, 9.0], "b": [2.0, 2.0, 3.0]}

    def contestant(name: str) -> Callable[[int], float]:
        def run(number: int) -> float:
            calls.append((name, number))
            return times_s[name][max(number, 0)]

        return run

    found = side_by_side({name: contestant(name) for name in times_s}, 3)
    assert [name for name, number in calls if number >= 0] == ["a", "b", "b", "a", "a", "b"]
    assert found == times_s
    assert median_ratio(found, "a", "b") == 3.0
