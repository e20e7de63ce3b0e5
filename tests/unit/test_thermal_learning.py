"""Learning to place programs: demonstrations, training, calibration, export."""

from pathlib import Path

import numpy as np
import pytest

from edgetwin.systems.thermal.calibration import calibrate, handicapped, pooled
from edgetwin.systems.thermal.demos import SWEEP, DemoSettings, Rows, draw_shard, pool_of
from edgetwin.systems.thermal.features import NAMES
from edgetwin.systems.thermal.make_demos import make_demos, read_demos, shard_path
from edgetwin.systems.thermal.programs import CHECKED, blend, unseen_programs
from edgetwin.systems.thermal.rivals import load_actors, load_tables, save_rivals
from edgetwin.systems.thermal.scores import MISS_K, score
from edgetwin.systems.thermal.toprl import Tables
from hw_models.workloads import load_application, peak_ips

SMALL = DemoSettings(shards=2, scenes=24, posterior=True)


@pytest.fixture(scope="module")
def rows() -> Rows:
    return draw_shard(SMALL, "train", 0)


@pytest.fixture(scope="module")
def check() -> Rows:
    return draw_shard(SMALL, "check", 0)


def judged(temp_c: list[list[float]], feasible: list[list[bool]]) -> Rows:
    """Outcomes of programs on two LITTLE and two big cores."""
    n = len(temp_c)
    return Rows(
        x=np.zeros((n, 21), np.float32), y=np.zeros((n, 4), np.float32),
        temp_c=np.array(temp_c, np.float32), later_c=np.array(temp_c, np.float32),
        feasible=np.array(feasible), facts={},
    )  # fmt: skip


def test_a_shard_is_the_same_for_the_same_seed(rows: Rows) -> None:
    again = draw_shard(SMALL, "train", 0)
    assert np.array_equal(rows.x, again.x) and np.array_equal(rows.y, again.y)
    other = draw_shard(SMALL, "train", 1)
    assert not np.array_equal(rows.x, other.x)


def test_a_scene_is_swept_over_targets_and_seen_from_two_cores(rows: Rows) -> None:
    per_scene = 2 * SWEEP
    assert len(rows.x) == SMALL.scenes * per_scene
    target = rows.facts["target_ips"].reshape(-1, SWEEP, 2)
    assert np.array_equal(target[:, :, 0], target[:, :, 1])
    assert (np.diff(target[:, :, 0], axis=1) > 0.0).all()
    # One label for both cores it is seen from: where it is now does not decide where it belongs.
    assert np.array_equal(rows.y[0::2], rows.y[1::2], equal_nan=True)
    program = rows.facts["program"].reshape(-1, per_scene)
    assert (program == program[:, :1]).all()


def test_a_higher_target_never_makes_a_core_feasible(rows: Rows) -> None:
    feasible = rows.feasible[::2].reshape(SMALL.scenes, SWEEP, -1)
    assert (np.diff(feasible.astype(int), axis=1) <= 0).mean() > 0.99


def test_parts_have_programs_of_their_own() -> None:
    rng = np.random.default_rng(0)
    names = {
        part: {half for p in pool_of(part, rng) for half in p.name.split("+")}
        for part in ("train", "check", "unseen")
    }
    assert names["check"] == set(CHECKED)
    assert names["unseen"] == set(unseen_programs())
    assert not names["train"] & (names["check"] | names["unseen"])


def test_a_blend_takes_the_time_of_its_shares() -> None:
    a, b = load_application("gemm"), load_application("seidel-2d")
    made = blend(a, b, 0.25)
    for kind, hz in (("cortex-a73", 2.362e9), ("cortex-a53", 1.0e9)):
        insn_s = 0.25 / peak_ips(a, kind, hz) + 0.75 / peak_ips(b, kind, hz)
        assert 1.0 / peak_ips(made, kind, hz) == pytest.approx(insn_s, rel=1e-12)


def test_demonstrations_go_on_after_a_kill_and_carry_their_provenance(tmp_path: Path) -> None:
    import json

    import pyarrow.parquet as pq

    settings = DemoSettings(shards=2, scenes=4)
    whole = make_demos(settings, tmp_path / "whole", ["demos"], jobs=1)
    make_demos(settings, tmp_path / "cut", ["demos"], jobs=1)
    log = next((tmp_path / "cut" / "cells").glob("*.jsonl"))
    log.write_text(log.read_text().splitlines()[1] + "\n")  # as if killed after one shard
    shard_path(tmp_path / "cut", "train", 1).unlink()
    again = make_demos(settings, tmp_path / "cut", ["demos"], jobs=1)
    assert again == whole
    assert whole["decisions"] == 3 * 4 * SWEEP
    file = shard_path(tmp_path / "whole", "train", 1)
    told = json.loads(pq.read_schema(file).metadata[b"edgetwin"])
    assert (told["board"], told["part"], told["shard"], told["seed"]) == ("hikey970", "train", 1, 0)
    fan = read_demos(tmp_path / "whole", "train", fan_only=True)
    assert 0 < len(fan.x) < len(read_demos(tmp_path / "whole", "train").x)
    with pytest.raises(FileExistsError, match="another run"):
        make_demos(DemoSettings(shards=2, scenes=5), tmp_path / "whole", ["demos"], jobs=1)


def test_scores_count_what_they_say() -> None:
    nan = float("nan")
    states = judged(
        [[40, nan, 44, 45], [50, 51, 52, nan], [60, 61, 62, 63]],
        [[True, False, True, True], [False, False, True, False], [False] * 4],
    )
    best = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    found = score(best, states, little=2)
    assert (found.n, found.contested, found.infeasible, found.cost_k) == (2, 1, 0.0, 0.0)
    warm = score(best[:, ::-1], states, little=2)
    # The first state takes the core at 45 degC, 5 K above the best; the second one that misses.
    assert warm.infeasible == 0.5
    assert warm.regret_k == 5.0 and warm.regret == 1.0
    assert warm.cost_k == pytest.approx((5.0 + MISS_K) / 2)
    assert warm.within_1_k == 0.0


def test_calibration_makes_misses_rare() -> None:
    """LITTLE is rated as if it sufficed, somewhat higher where it does; big is 0.4 K warmer."""
    n = 400
    rng = np.random.default_rng(0)
    feasible = np.ones((n, 4), bool)
    feasible[: n // 2, :2] = False
    states = judged(np.tile([40.0, 40.0, 40.4, 40.4], (n, 1)).tolist(), feasible.tolist())
    ratings = np.tile([0.0, 0.0, 0.6, 0.6], (n, 1))
    ratings[:, :2] = np.where(feasible[:, :2], 0.9, 0.65) + 0.05 * rng.standard_normal((n, 1))
    found = calibrate(ratings, states)
    before = score(ratings, states, little=2)
    after = score(handicapped(ratings, found.handicap), states, little=2)
    assert before.infeasible > 0.3 and after.infeasible <= 0.02
    assert after.cost_k < before.cost_k
    assert after.excess_k < 0.2  # and LITTLE is still taken where it suffices
    shares = [share for _, share, _ in found.reliability]
    assert min(shares) < 0.5 < max(shares)


def test_cores_of_a_cluster_share_the_mean_of_the_free_ones() -> None:
    x = np.zeros((1, 21), np.float32)
    x[0, 3 + 5] = 0.8  # on core 5
    x[0, 13 + 5] = x[0, 13 + 6] = x[0, 13] = 1.0  # cores 0 and 6 have other programs
    found = pooled(np.array([[9.0, 1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 8.0]]), x)
    assert found[0].tolist() == [2.0] * 4 + [6.0] * 4


def test_rivals_come_back_as_they_were_saved(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tables = Tables(
        q=rng.random((2, 5, 8)), penalties=np.array([50.0, 200.0]), seeds=np.array([0, 1]),
        rewards=rng.random((8, 2)),
    )  # fmt: skip
    actors = [[(rng.random((4, 3)), rng.random(4)), (rng.random((8, 4)), rng.random(8))]] * 2
    save_rivals(tables, actors, tmp_path / "rivals.npz")
    found = load_tables(tmp_path / "rivals.npz")
    assert np.allclose(found.q, tables.q, atol=1e-6) and found.drift.shape == (2,)
    layers = load_actors(tmp_path / "rivals.npz")
    assert len(layers) == 2 and np.allclose(layers[1][0][0], actors[1][0][0], atol=1e-6)
    with pytest.raises(FileNotFoundError, match="train-manager"):
        load_tables(tmp_path / "none.npz")


def test_training_lowers_the_loss_and_export_decides_alike(rows: Rows, check: Rows) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    from edgetwin.systems.thermal.net import Recipe, train
    from edgetwin.systems.thermal.policy_file import described, load, same_decisions, to_onnx

    recipe = Recipe(depth=2, width=32, epochs=12, batch=64)
    made = train(rows, check, recipe, 1)
    assert min(made.losses) < 0.7 * made.losses[0]
    again = train(rows, check, recipe, 1)
    assert again.losses == made.losses
    told = described(calibrate(made.net(check.x), check), data_sha256="d" * 64, metrics={"n": 1})
    file = load(to_onnx(made.net, told))
    assert np.allclose(file.rate(check.x), made.net(check.x), atol=1e-4)
    both = (pooled(rated, check.x) for rated in (file.rate(check.x), made.net(check.x)))
    assert same_decisions(*both, ~np.isnan(check.temp_c)) == 1.0
    assert tuple(file.about["features"]) == NAMES
    assert file.about["data_sha256"] == "d" * 64
    assert np.allclose(file.about["mean"], rows.x.mean(axis=0), atol=1e-5)


def test_a_foreign_onnx_file_is_no_student(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from edgetwin.systems.thermal.policy_file import load

    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    same = onnx.helper.make_node("Identity", ["x"], ["y"])
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([same], "other", [value], [out])
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )
    (tmp_path / "other.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="no student"):
        load(tmp_path / "other.onnx")
    with pytest.raises(FileNotFoundError, match="train-manager"):
        load(tmp_path / "none.onnx")
