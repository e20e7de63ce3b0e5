"""A gate fails for a reason: what is worse than allowed by more than chance explains."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from edgetwin.gates import PolicyReport, assert_gate, gate, policy_report, read_report
from edgetwin.policy_files import policy_at, policy_from
from edgetwin.report.gate_files import markdown, write_junit
from edgetwin.scenario import load_scenario
from hw_models import Knobs


def report(temps_c, violations=None, seeds=None, digest="d", **more) -> PolicyReport:
    """A made-up report: peak temperature and share of violations by seed."""
    temps_c = list(map(float, temps_c))
    violations = [0.1] * len(temps_c) if violations is None else list(map(float, violations))
    kpis = [
        {"peak_temp_c": t, "violation_time_share": v, "time_to_target_s": None}
        for t, v in zip(temps_c, violations, strict=True)
    ]
    return PolicyReport(
        policy="p", board="b", scenario="s", duration_s=1.0, digest=digest, kpis=tuple(kpis),
        seeds=tuple(seeds or range(len(kpis))), **more,
    )  # fmt: skip


NOISE = np.random.default_rng(1).normal(0.0, 3.0, 10)


def test_the_luck_of_the_seeds_is_no_reason() -> None:
    old = report(50 + NOISE)
    assert gate(report(50 + NOISE), baseline=old).ok
    # Two kelvins more on every seed drown in a spread of three between seeds, but not seed by seed.
    assert not gate(report(52 + NOISE), baseline=old).ok
    assert gate(report(48 + NOISE), baseline=old).ok


def test_with_other_seeds_two_kelvins_drown_in_the_spread_and_that_is_said() -> None:
    old, new = report(50 + NOISE), report(52 + NOISE, seeds=range(100, 110))
    verdict = gate(new, baseline=old)
    assert verdict.ok
    (check,) = [c for c in verdict.checks if c.figure == "peak_temp_c"]
    assert check.note == "not the baseline's seeds"
    assert check.detects is not None and check.detects > 2.0


def test_a_mean_over_the_limit_by_chance_passes_and_by_more_does_not() -> None:
    assert gate(report([59.0, 61.5, 60.0, 60.5]), max_temp_c=60.0).ok
    assert not gate(report([60.9, 61.0, 61.1, 61.0]), max_temp_c=60.0).ok
    assert not gate(report([50.0] * 3, [0.2, 0.2, 0.2]), max_violation=0.19).ok


def test_one_seed_is_judged_as_it_is() -> None:
    assert not gate(report([60.1]), max_temp_c=60.0).ok
    (check,) = gate(report([59.9]), max_temp_c=60.0).checks
    assert check.note == "one seed says nothing of chance"


def test_tolerances_are_by_figure_or_a_multiple_of_the_usual() -> None:
    old, warmer = report([50.0] * 5), report([50.8] * 5)
    assert not gate(warmer, baseline=old).ok
    assert gate(warmer, baseline=old, tolerance=2.0).ok
    assert gate(warmer, baseline=old, tolerance={"peak_temp_c": 1.0}).ok
    assert not gate(warmer, baseline=old, tolerance={"peak_temp_c": 0.7}).ok


def test_unchanged_policies_with_noise_of_their_own_hardly_ever_fail() -> None:
    """600 gates of a policy whose own randomness has a spread of 1 K: at most 3 false alarms."""
    rng = np.random.default_rng(0)
    alarms = sum(
        not gate(
            report(50 + rng.normal(0, 1, 10), 0.1 + rng.normal(0, 0.01, 10)),
            baseline=report(50 + rng.normal(0, 1, 10), 0.1 + rng.normal(0, 0.01, 10)),
        ).ok
        for _ in range(600)
    )
    assert alarms <= 3


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({}, ValueError, "nothing to check"),
        ({"baseline": "nowhere.json"}, FileNotFoundError, "--update"),
        ({"limits": {"peak_temp": 1.0}}, KeyError, "Did you mean 'peak_temp_c'"),
        ({"baseline": report([50.0], digest="other")}, ValueError, "board or scenario have"),
    ],
)
def test_a_gate_that_cannot_be_held_is_an_error(asked, error, words) -> None:
    with pytest.raises(error, match=words):
        gate(report([50.0]), **asked)


def test_a_figure_that_a_run_lacks_fails_the_check() -> None:
    verdict = gate(report([50.0, 51.0]), limits={"time_to_target_s": 100.0})
    assert not verdict.ok and "not every run" in verdict.checks[0].sentence


def test_a_baseline_reads_back_as_it_was(tmp_path: Path) -> None:
    kept = report(50 + NOISE)
    kept.write(tmp_path / "main.json")
    assert read_report(tmp_path / "main.json") == kept
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(ValueError, match="no baseline of this version"):
        read_report(tmp_path / "bad.json")


def test_assert_gate_says_every_check_in_words(tmp_path: Path, monkeypatch) -> None:
    here = report([50.0, 50.1], folder=tmp_path)
    monkeypatch.setenv("EDGETWIN_UPDATE_BASELINES", "1")
    assert assert_gate(here, baseline="main.json").ok
    monkeypatch.delenv("EDGETWIN_UPDATE_BASELINES")
    with pytest.raises(AssertionError, match=r"FAIL peak_temp_c: change 5, .* beyond 0\.5"):
        assert_gate(report([55.0, 55.1], folder=tmp_path), baseline="main.json")


def test_junit_and_markdown_say_which_check_failed(tmp_path: Path) -> None:
    verdict = gate(report([70.0, 70.1], [0.0, 0.0]), max_temp_c=60.0, max_violation=0.1)
    write_junit(verdict, tmp_path / "gate.xml")
    (suite,) = ElementTree.parse(tmp_path / "gate.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    names = {case.get("name"): len(case.findall("failure")) for case in suite}
    assert names == {"peak_temp_c (limit)": 1, "violation_time_share (limit)": 0}
    text = markdown(verdict)
    assert text.startswith("## Failed: p on b") and text.count("**FAIL**") == 1


# ---- policies by their place


SOURCE = """
from hw_models import Knobs

def cool(reading):
    \"\"\"Stays cool. And more.\"\"\"
    return Knobs()

class Slow:
    period_s = 2.0
    def reset(self, board, *, seed, twin=None): ...
    def __call__(self, reading):
        return Knobs()

def make():
    return Slow()

one = Slow()
"""


@pytest.mark.parametrize(("name", "period_s"), [("cool", 0.5), ("Slow", 2.0), ("make", 2.0),
                                                ("one", 2.0)])  # fmt: skip
def test_a_function_a_class_a_factory_and_an_object_are_policies(tmp_path, name, period_s) -> None:
    (tmp_path / "mine.py").write_text(SOURCE)
    found = policy_at(f"{tmp_path}/mine.py:{name}")
    assert found.make().period_s == period_s
    assert len(found.sha256) == 64
    assert found.name == ("mine" if name == "make" else f"mine.{name}")


def test_the_title_of_a_policy_is_its_first_line(tmp_path) -> None:
    (tmp_path / "mine.py").write_text(SOURCE)
    assert policy_at(f"{tmp_path}/mine.py:cool").title == "Stays cool. And more"


@pytest.mark.parametrize(
    ("place", "error", "words"),
    [
        ("nowhere.py:make", FileNotFoundError, "edgetwin new policy"),
        ("{}/mine.py:mak", KeyError, "Did you mean 'make'"),
        ("{}/mine.py:", ValueError, "file.py:name"),
    ],
)
def test_a_place_without_a_policy_is_one_line(tmp_path, place, error, words) -> None:
    (tmp_path / "mine.py").write_text(SOURCE)
    with pytest.raises(error, match=words):
        policy_at(place.format(tmp_path))


def test_a_function_with_an_argument_is_called_with_readings() -> None:
    assert policy_from(lambda reading: Knobs()).period_s == 0.5


# ---- on the twin


def test_a_duration_that_is_asked_for_is_the_same_as_one_that_the_scenario_says() -> None:
    short = load_scenario("single-app").with_(duration_s=2.0, until="duration")
    asked = {"board": "hikey970", "scenario": short, "seeds": 2}
    said = policy_report("powersave", **asked, duration_s=2.0)
    assert gate(policy_report("powersave", **asked), baseline=said).ok
    with pytest.raises(ValueError, match="write it again with --update"):
        gate(policy_report("powersave", **asked, duration_s=1.0), baseline=said)


def test_a_report_is_the_same_with_the_same_seeds_and_a_hotter_policy_is_caught() -> None:
    asked = {"board": "hikey970", "scenario": "mixed-20", "seeds": 8, "duration_s": 60.0}
    cool, again = (policy_report("powersave", **asked) for _ in range(2))
    assert cool.kpis == again.kpis and gate(again, baseline=cool).ok
    hot = policy_report("performance", **asked)
    failed = {check.figure for check in gate(hot, baseline=cool).checks if not check.ok}
    assert "peak_temp_c" in failed
