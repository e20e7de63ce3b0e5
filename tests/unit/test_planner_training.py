"""Scripts with the hook: what they are told, what is counted, and what the gradients say."""

from pathlib import Path

import numpy as np
import pytest

from edgetwin import training_hook
from edgetwin.cells import CellStore
from edgetwin.factory import make_backend
from edgetwin.systems.planner.convergence import (
    Trial,
    TrialSession,
    measure_runs,
    predicted_efficiency,
)
from edgetwin.systems.planner.hook import Listening
from edgetwin.systems.planner.launch import Aim, BoardSession, train
from edgetwin.systems.planner.noise_scale import NoiseMeter
from edgetwin.systems.planner.saved import Order, read_order
from edgetwin.systems.planner.script import find_script
from hw_models.workloads import load_network

SCRIPT = """
from edgetwin import training_hook
hook = training_hook(batch=32)
for step in range(4000):
    hook.step()
    if hook.report((step + 1) * hook.batch * hook.rate_factor):
        break
"""


def written(folder: Path, text: str = SCRIPT) -> Path:
    path = folder / "script.py"
    path.write_text(text, encoding="utf-8")
    return path


def trial(path: Path, **changes: object) -> Trial:
    fields = {"script": str(path), "target": 1000.0, "is_falling": False, "budget_samples": 1e4}
    return Trial(**{**fields, **changes})  # type: ignore[arg-type]


def test_without_edgetwin_the_hook_changes_nothing() -> None:
    hook = training_hook(batch=48)
    hook.step()
    assert (hook.batch, hook.rate_factor, hook.report(0.9)) == (48, 1.0, False)
    with pytest.raises(ValueError, match="at least 1"):
        training_hook(batch=0)


def test_a_session_gives_batch_and_learning_rate() -> None:
    session = TrialSession(trial(Path("digits-cnn"), rule="sqrt"), 128, 7)
    with Listening(session):
        hook = training_hook(batch=32)
        assert (hook.batch, hook.seed, hook.is_proxy) == (128, 7, True)
        assert hook.rate_factor == pytest.approx(2.0)


def test_runs_are_counted_in_samples_and_kept(tmp_path: Path) -> None:
    store = CellStore(path=tmp_path / "cells")
    asked = trial(written(tmp_path), rule="linear")
    runs = measure_runs(asked, (32, 64), (0, 1), store)
    # The script reports samples x rate factor: 1000 are reached by 1024 samples at batch 32, and
    # by 512 at batch 64, where the factor is 2.
    assert runs.needed[32][1000.0].tolist() == [1024.0, 1024.0]
    assert runs.needed[64][1000.0].tolist() == [512.0, 512.0]
    assert len(list(store.items())) == 4


def test_a_run_ends_at_its_budget(tmp_path: Path) -> None:
    asked = trial(written(tmp_path), target=1e9, budget_samples=640.0)
    runs = measure_runs(asked, (32,), (0,), CellStore(path=tmp_path / "cells"))
    assert np.isnan(runs.needed[32][1e9]).all()
    assert runs.budget == 640.0


def test_the_noise_scale_of_made_gradients_is_found() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    batch, size, variance = 32, 200, 0.5
    signal = rng.standard_normal(size) * 0.3
    meter = NoiseMeter()
    for _ in range(400):
        noise = rng.standard_normal(size) * np.sqrt(variance / batch)
        weight = torch.zeros(size, requires_grad=True)
        weight.grad = torch.tensor(signal + noise, dtype=torch.float32)
        meter.add(batch, [weight])
    truth = variance * size / float(signal @ signal)
    found = meter.result()
    assert found.samples == pytest.approx(truth, rel=4 * found.share)
    assert found.samples == pytest.approx(truth, rel=0.1)
    needed = found.needed((8, 64), 8)
    assert needed[1] / needed[0] == pytest.approx((1 + 64 / truth) / (1 + 8 / truth), rel=0.1)


NOISY = """
import torch
from edgetwin import training_hook

hook = training_hook(batch=32)
torch.manual_seed(hook.seed)
weight = torch.zeros(50, requires_grad=True)
for step in range(1, 200):
    weight.grad = 1.0 + torch.randn(50) * (64.0 / hook.batch) ** 0.5
    rate = hook.rate_factor
    hook.step([weight])
    if hook.report(step * hook.batch):
        break
"""


def test_one_batch_size_is_run_and_the_others_follow_from_its_gradients(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    store = CellStore(path=tmp_path / "cells")
    asked = trial(written(tmp_path, NOISY), target=1600.0)
    found = predicted_efficiency(asked, (8, 32, 128), (0,), store, steps=100)
    # The variance of a sample's gradient is 64 times its mean square: that is the noise scale.
    assert found.needed[32] == 1600.0
    for batch in (8, 128):
        predicted = 1600.0 * (1 + batch / 64.0) / (1 + 32 / 64.0)
        assert found.needed[batch] == pytest.approx(predicted, rel=0.1)
    assert found.target == 1600.0
    assert len(list(store.items())) == 1


def test_a_script_on_the_twin_pays_what_its_steps_cost_there(tmp_path: Path) -> None:
    backend = make_backend("sim", board="jetson-nano")
    order = Order(batch=64, freq_hz={"gpu": 460.8e6}, predicted={})
    aim = Aim(target=5e4, rule="constant")
    session = BoardSession(backend, order, load_network("digits-cnn"), aim)
    found = train(written(tmp_path), session)
    assert found["reached"]
    assert found["steps"] == 782
    rate = found["samples"] / found["time_s"]
    reading = make_backend("sim", board="jetson-nano")
    again = BoardSession(reading, order, load_network("digits-cnn"))
    again.begin()
    settled = reading.advance(1.0).last
    assert rate == pytest.approx(next(iter(settled.jobs.values())).rate, rel=0.05)
    assert found["mean_power_w"] == pytest.approx(found["energy_j"] / found["time_s"], rel=0.1)


def test_a_script_that_never_calls_the_hook_is_an_error(tmp_path: Path) -> None:
    backend = make_backend("sim", board="jetson-nano")
    order = Order(batch=16, freq_hz={"gpu": 460.8e6}, predicted={})
    session = BoardSession(backend, order, load_network("digits-cnn"))
    with pytest.raises(ValueError, match=r"never|without calling hook.step"):
        train(written(tmp_path, "x = 1\n"), session)
    silent = "from edgetwin import training_hook\nhook = training_hook(batch=8)\nhook.step()\n"
    with pytest.raises(ValueError, match=r"never called hook.report"):
        measure_runs(
            trial(written(tmp_path, silent)), (8,), (0,), CellStore(path=tmp_path / "cells")
        )


def test_a_plan_file_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"schema": 1}')
    with pytest.raises(ValueError, match="is no plan"):
        read_order(path)
    path.write_text('{"choice": {"batch": 8, "limit_w": 150.0}}')
    with pytest.raises(ValueError, match="plans a power limit"):
        read_order(path)


def test_examples_have_names_and_other_scripts_paths(tmp_path: Path) -> None:
    assert find_script("digits-cnn").is_file()
    with pytest.raises(KeyError, match="Did you mean 'digits-cnn'"):
        find_script("digit-cnn")
    with pytest.raises(FileNotFoundError, match="no training script"):
        find_script(str(tmp_path / "none.py"))
