"""A sweep is every policy on every board under every scenario with every seed, each once."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

import edgetwin
from edgetwin.intervals import summarise
from edgetwin.policies import PolicyEntry, find_policy
from edgetwin.scenario import load_scenario
from edgetwin.sweeps import Row, Study, groups
from hw_models.board import load_board

WHAT = {
    "policies": ["qos-dvfs", "powersave"],
    "boards": ["odroid-xu3", "hikey970"],
    "scenarios": ["single-app", "mixed-20"],
    "duration_s": 2.0,
}


def study(**changes: object) -> Study:
    fields = {
        "policies": (find_policy("powersave"),),
        "boards": (load_board("hikey970"),),
        "scenarios": (load_scenario("single-app"),),
        "seeds": (0,),
        "duration_s": 2.0,
    }
    return Study(**(fields | changes))


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Row, ...]]:
    folder = tmp_path_factory.mktemp("sweep")
    return folder, edgetwin.sweep(**WHAT, seeds=2, out=folder, jobs=1)


def test_every_combination_is_run_once_in_sorted_order(swept):
    _, rows = swept
    keys = [(row.board, row.scenario, row.policy, row.seed) for row in rows]
    assert keys == sorted(set(keys))
    assert len(keys) == 16


def test_a_row_is_the_run_that_it_names(swept):
    backend = edgetwin.make_backend(board="hikey970", scenario="mixed-20", seed=1)
    alone = edgetwin.run(backend, edgetwin.make_policy("qos-dvfs"), duration_s=2.0, seed=1)
    (row,) = [
        r for r in swept[1]
        if (r.board, r.scenario, r.policy, r.seed) == ("hikey970", "mixed-20", "qos-dvfs", 1)
    ]  # fmt: skip
    assert row.kpis == alone.kpis


def test_the_results_file_holds_the_rows(swept):
    folder, rows = swept
    table = pq.read_table(folder / "results.parquet").to_pylist()
    assert table == [
        {"board": r.board, "scenario": r.scenario, "policy": r.policy, "seed": r.seed, **r.kpis}
        for r in rows
    ]


def test_parallel_and_serial_sweeps_leave_the_same_file(swept, tmp_path):
    edgetwin.sweep(**WHAT, seeds=[1, 0], out=tmp_path, jobs=2)
    one, other = (folder / "results.parquet" for folder in (swept[0], tmp_path))
    assert one.read_bytes() == other.read_bytes()


def test_a_finished_sweep_is_not_run_again(swept, monkeypatch):
    monkeypatch.setattr("edgetwin.sweeps._cell", pytest.fail)
    assert edgetwin.sweep(**WHAT, seeds=2, out=swept[0], jobs=1) == swept[1]


def test_another_sweep_is_refused_in_the_same_folder(swept):
    with pytest.raises(FileExistsError, match=r"seeds \[0,1\] there, \[0,1,2\] now"):
        edgetwin.sweep(**WHAT, seeds=3, out=swept[0])


def test_a_policy_of_ones_own_goes_to_the_workers(tmp_path):
    entry = PolicyEntry(name="mine", title="powersave", make=find_policy("powersave").make)
    rows = edgetwin.sweep(
        [entry, "powersave"], ["hikey970"], ["single-app"], seeds=2, duration_s=2.0, jobs=2
    )
    by_policy = [kpis for _, kpis in sorted(groups(rows).items())]
    assert by_policy[0] == by_policy[1]


def test_without_a_duration_a_run_lasts_as_long_as_its_scenario(tmp_path):
    short = load_scenario("single-app").with_(duration_s=3.0, name="short")
    long = short.with_(duration_s=5.0, name="long")
    rows = edgetwin.sweep(["powersave"], ["hikey970"], [short, long], jobs=1)
    assert {row.scenario: row.kpis["duration_s"] for row in rows} == {"short": 3.0, "long": 5.0}


def test_a_misfit_is_said_before_anything_is_run(tmp_path):
    dark = load_scenario("mixed-20").with_(mode="MAXQ", name="dark")
    run = study(scenarios=(load_scenario("mixed-20"), dark))
    with pytest.raises(KeyError, match=r"scenario dark on hikey970: .*'MAXQ'"):
        run.open(tmp_path / "out", ["test"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"boards": ()}, r"boards are \[\]; name at least one"),
        ({"scenarios": (load_scenario("mixed-20"),) * 2}, "each once"),
        ({"seeds": ()}, "give at least one"),
        ({"seeds": (0, 0)}, "each once"),
        ({"seeds": (-1,)}, "from 0"),
        ({"duration_s": 0.0}, "positive number of seconds"),
        ({"duration_s": float("nan")}, "positive number of seconds"),
    ],
)
def test_a_study_of_nothing_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        study(**changes)


def test_an_interval_is_students(tmp_path):
    # Two values one apart: half of t(1 degree, 97.5 %) = 12.7062 (tables of Student's t)
    found = summarise([{"energy_j": 1.0}, {"energy_j": 2.0}], ["energy_j", "none"])
    assert found["energy_j"]["value"] == 1.5
    assert found["energy_j"]["high"] == pytest.approx(1.5 + 12.7062 / 2, rel=1e-5)
    assert found["none"] == {"value": None, "low": None, "high": None}
