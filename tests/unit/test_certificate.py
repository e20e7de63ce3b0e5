"""A certificate says what was found, cannot be altered unseen, and is borne out or contradicted."""

import json
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from calibration_case import HIDDEN, file_board, session, true_board

from hw_models.board import load_board
from hw_models.board_file import write_board
from hw_models.certificate import judge, read_certificate, write_certificate
from hw_models.certificate.calibration import Calibrated, calibrate
from hw_models.certificate.evaluated import mean_error
from hw_models.certificate.model import Envelope
from hw_models.certificate.regimes import REGIMES
from hw_models.certificate.splits import BLOCK_S, GAP_S, split_runs
from hw_models.parameters import std_at, value_at, with_values
from hw_models.recorded import Recorded
from hw_models.trace import Reading

DATA = {"run1.parquet": "1" * 64, "run2.parquet": "2" * 64}


@cache
def calibrated() -> Calibrated:
    """The board fitted to two runs, judged by a third of another day."""
    runs = [session(seed) for seed in (1, 2, 3)]
    days = {"run1": "2026-03-01", "run2": "2026-03-01", "run3": "2026-03-02"}
    return calibrate(file_board(), runs, data=DATA, recipe="a test", days=days)


def kept(folder: Path) -> Path:
    write_board(calibrated().board, folder / "board.toml")
    write_certificate(calibrated().certificate, folder / "certificate.json")
    return folder / "board.toml"


def test_a_calibration_finds_the_numbers_that_made_the_traces() -> None:
    found, truth = calibrated().certificate, true_board()
    assert {p.path for p in found.parameters} == set(HIDDEN)
    for parameter in found.parameters:
        true = value_at(truth, parameter.path)
        assert parameter.value == pytest.approx(true, abs=4 * parameter.std)
        assert parameter.value == pytest.approx(true, rel=0.05)


def test_fitted_numbers_and_their_errors_are_in_the_board_file() -> None:
    board, certificate = calibrated().board, calibrated().certificate
    for parameter in certificate.parameters:
        assert value_at(board, parameter.path) == parameter.value
        assert std_at(board, parameter.path) == parameter.std
    source = board.sources["calibration"]
    assert source.kind == "fit" and source.recipe == "a test"
    assert 0.0 < float(source.holdout["temps_c.cpu.mae_k"]) < 0.2
    assert board.grades["thermal"] == board.grades["power"] == "A+"
    assert board.grades["performance"] == "D"


def test_a_certificate_is_read_back_equal_and_the_same_bytes_again(tmp_path: Path) -> None:
    certificate = calibrated().certificate
    write_certificate(certificate, tmp_path / "one.json")
    again = read_certificate(tmp_path / "one.json")
    write_certificate(again, tmp_path / "two.json")
    assert again == certificate
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    data = json.loads((tmp_path / "one.json").read_text())
    assert data["schema"] == 1
    assert len(data["covariance"]) == len(data["parameters"])


def test_a_board_file_brings_its_certificate(tmp_path: Path) -> None:
    board = load_board(kept(tmp_path))
    assert board == calibrated().board
    assert board.certificate == calibrated().certificate
    assert board.sampled_how == "covariance"
    assert board.sample(np.random.default_rng(0)).certificate is None


def test_an_altered_certificate_is_refused(tmp_path: Path) -> None:
    board = kept(tmp_path)
    file = tmp_path / "certificate.json"
    file.write_text(file.read_text().replace('"grade": "A+"', '"grade": "A"'))
    with pytest.raises(ValueError, match="was changed after it was made"):
        _ = load_board(board).certificate


def test_a_board_file_altered_beside_its_certificate_is_refused(tmp_path: Path) -> None:
    name = next(iter(HIDDEN))
    altered = with_values(calibrated().board, {name: 1.5 * value_at(calibrated().board, name)})
    write_board(altered, kept(tmp_path))
    with pytest.raises(ValueError, match="in the board file and"):
        _ = load_board(tmp_path / "board.toml").certificate


def test_draws_follow_the_certified_covariance(tmp_path: Path) -> None:
    board, rng = load_board(kept(tmp_path)), np.random.default_rng(4)
    covariance = np.array(calibrated().certificate.covariance)
    draws = [board.sample(rng) for _ in range(600)]
    values = np.array([[value_at(d, p) for p in HIDDEN] for d in draws])
    order = [p.path for p in calibrated().certificate.parameters]
    values = values[:, [list(HIDDEN).index(path) for path in order]]
    std = np.sqrt(np.diag(covariance))
    assert np.allclose(values.std(axis=0), std, rtol=4 / np.sqrt(2 * 600))
    correlation = covariance / np.outer(std, std)
    assert np.allclose(np.corrcoef(values.T), correlation, atol=4 / np.sqrt(600))


def test_errors_of_a_true_model_are_those_of_the_sensors() -> None:
    held = calibrated().certificate.errors["held-out"]
    noise_k = float(np.hypot(0.1, 0.1 / np.sqrt(12)))
    assert held["temps_c.skin"]["all"].rmse == pytest.approx(noise_k, rel=0.1)
    assert set(held["temps_c.cpu"]) <= {"all", *REGIMES}
    assert sum(row.n for name, row in held["temps_c.cpu"].items() if name != "all") == 1201


def test_intervals_cover_held_out_readings_as_often_as_they_say() -> None:
    for signal in ("temps_c.cpu", "temps_c.skin"):
        found = calibrated().certificate.coverage[signal]
        assert found.share_50 == pytest.approx(0.5, abs=0.06)
        assert found.share_90 == pytest.approx(0.9, abs=0.04)


def test_the_twin_beats_the_table_of_means() -> None:
    skill = calibrated().certificate.skill
    assert all(row.skill is not None and row.skill > 0.3 for row in skill.values())


def test_new_data_of_the_same_board_bear_the_claim_out() -> None:
    verdict = judge(calibrated().board, calibrated().certificate, [session(5)])
    assert verdict.inside
    assert set(verdict.as_json()) == {"board", "signals", "claim", "inside"}


def test_data_of_another_board_contradict_it() -> None:
    verdict = judge(calibrated().board, calibrated().certificate, [session(5, altered=True)])
    assert not verdict.inside
    assert not verdict.signals["power_w.vdd_cpu"].holds


def test_a_certificate_that_speaks_of_nothing_measured_is_no_answer() -> None:
    bare = calibrated().certificate.model_copy(update={"errors": {}})
    with pytest.raises(ValueError, match="speaks of no signal"):
        judge(calibrated().board, bare, [session(5)])


@pytest.mark.parametrize(
    ("temp_c", "power_w", "hz", "inside"),
    [(40, 5, 1e9, True), (70, 5, 1e9, False), (40, 9, 1e9, False), (40, 5, 2e9, False),
     (None, None, 1e9, True)],
)  # fmt: skip
def test_the_envelope_is_what_was_seen(
    temp_c: float | None, power_w: float | None, hz: float, inside: bool
) -> None:
    seen = Envelope(
        temps_c={"cpu": (20, 60)}, power_w={"vdd_in": (1, 8)}, freq_hz={"big": (5e8, 1.5e9)}
    )
    certificate = calibrated().certificate.model_copy(update={"envelope": seen})
    reading = Reading(
        t_s=0.0, temps_c={"cpu": temp_c, "other": 99.0},
        power_w=None if power_w is None else {"vdd_in": power_w}, energy_j=None,
        freq_hz={"big": hz}, busy={}, fan=None, throttled=False, cap_w=None, jobs={},
    )  # fmt: skip
    assert certificate.inside(reading) is inside
    bare = certificate.model_copy(update={"envelope": Envelope()})
    assert bare.inside(reading) is None


# -- grades and splits ------------------------------------------------------------------------


def test_another_day_gives_a_plus_the_same_day_a() -> None:
    assert calibrated().certificate.grade == "A+"
    runs = [session(seed) for seed in (1, 2, 3)]
    days = dict.fromkeys(("run1", "run2", "run3"), "2026-03-01")
    found = calibrate(file_board(), runs, data=DATA, recipe="a test", days=days)
    assert found.certificate.grade == "A"


def test_without_a_held_out_run_it_is_only_fitted() -> None:
    found = calibrate(file_board(), [session(1)], data=DATA, recipe="a test").certificate
    assert found.grade == "B" and "no run was held out" in found.reason


def test_a_long_run_is_cut_into_blocks_with_gaps() -> None:
    run = session(1)
    long = replace(run, recorded=stretched(run.recorded, 4))
    split = split_runs([long])
    assert split.same_run
    ends = sorted((r.recorded.t_s[0], r.recorded.t_s[-1]) for r in (*split.fitted, *split.held_out))
    assert all(high - low >= BLOCK_S - 1 for low, high in ends)
    assert all(b[0] - a[1] >= GAP_S - 1e-6 for a, b in pairwise(ends))
    assert split.held_out[0].recorded.zones_c["cpu"].shape == split.held_out[0].recorded.t_s.shape


def stretched(seen: Recorded, times: int) -> Recorded:
    """The same readings, further apart."""
    return replace(seen, t_s=seen.t_s * times)


def test_runs_are_held_out_by_name_or_file() -> None:
    runs = [replace(session(1), name=name) for name in ("a-1", "a-2", "b")]
    assert [r.name for r in split_runs(runs, ["a.log"]).held_out] == ["a-1", "a-2"]
    assert [r.name for r in split_runs(runs).held_out] == ["b"]
    with pytest.raises(KeyError, match="no run named 'c'"):
        split_runs(runs, ["c"])
    with pytest.raises(ValueError, match="every run is held out"):
        split_runs(runs, ["a", "b"])


def test_a_mean_is_as_uncertain_as_its_stretches_differ() -> None:
    """Ten stretches that each hold one value: their mean is known as if from ten readings."""
    values = np.repeat(np.arange(10.0), 50)
    stretch = np.repeat(np.arange(10), 50)
    assert mean_error(values, stretch) == pytest.approx(np.std(np.arange(10.0), ddof=1) / 10**0.5)
    assert mean_error(np.ones(5), np.zeros(5, int)) == 1.0
