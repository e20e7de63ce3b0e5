"""Flower runs the same clients and the same server: same seeds, same weights, bit for bit."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("flwr")
pytest.importorskip("sklearn")

from edgetwin.storage import json_lines
from edgetwin.systems.federated.flower.deployment import Deployment
from edgetwin.systems.federated.flower.simulation import Simulation
from edgetwin.systems.federated.setup import Setup, build

pytestmark = [pytest.mark.flower, pytest.mark.alone]


def digits(folder: Path, rounds: int, clients: int) -> Setup:
    setup = Setup(
        model="mlp", task="digits", settings={"at": 5, "lr": (5e-4, 4e-3)}, rounds=rounds,
        clients=clients, per_round=clients, batch=32, steps=2,
    )  # fmt: skip
    setup.save(folder)
    return setup


def course(run: Path) -> list[dict[str, Any]]:
    file = run / "flower.jsonl"
    return [line for line in json_lines(file) if "answered" in line] if file.exists() else []


def weights_on_flower(setup: Setup, run: Path) -> dict[str, bytes]:
    """What the server's journal says the weights are."""
    return build(setup).server(run / "server").replica.method.snapshot()


def weights_here(setup: Setup, rounds: Sequence[dict[str, Any]]) -> dict[str, bytes]:
    """The same participation in this process."""
    shop = build(setup)
    server = shop.server()
    federation = shop.federation(server)
    for line in rounds:
        missing = sorted(set(line["asked"]) - set(line["answered"]))
        federation.round(line["asked"], dropped=missing)
    return server.replica.method.snapshot()


def await_rounds(run: Path, rounds: int, timeout_s: float = 900.0) -> None:
    end_s = time.monotonic() + timeout_s
    while len(course(run)) < rounds:
        assert time.monotonic() < end_s, f"{len(course(run))} rounds of {rounds} in {timeout_s} s"
        time.sleep(0.2)


def test_a_deployment_with_tls_gives_the_weights_of_this_process(tmp_path: Path) -> None:
    run = tmp_path / "run"
    setup = digits(run, rounds=3, clients=2)
    with Deployment(tmp_path / "flower", 2) as deployment:
        deployment.submit(run).finish()
    rounds = course(run)
    assert [line["asked"] for line in rounds] == [[0, 1]] * 3
    assert rounds[-1]["answered"]  # a client's process may die, as on a full machine; it catches up
    sent_bytes = {size for line in rounds for size in line["upload_bytes"].values()}
    assert sent_bytes == {2 * 32}  # two steps at P2 = 4
    assert weights_on_flower(setup, run) == weights_here(setup, rounds)
    start = build(setup).method.snapshot()
    assert weights_here(setup, rounds) != start


@pytest.mark.slow
def test_a_node_that_was_killed_comes_back_and_catches_up(tmp_path: Path) -> None:
    run = tmp_path / "run"
    setup = digits(run, rounds=6, clients=2)
    with Deployment(tmp_path / "flower", 2) as deployment:
        program = deployment.submit(run)
        await_rounds(run, 1)
        deployment.kill_node(0)
        kept = list((deployment.folder / "nodes" / "0").rglob("replica.state"))
        await_rounds(run, 3)
        deployment.start_node(0)
        program.finish()
    rounds = course(run)
    assert len(kept) == 1
    assert len(rounds) == 6
    assert any(0 not in line["answered"] for line in rounds)
    assert all(1 in line["answered"] for line in rounds)
    assert 0 in rounds[-1]["answered"]
    assert weights_on_flower(setup, run) == weights_here(setup, rounds)


@pytest.mark.slow
def test_flowers_simulation_gives_the_weights_of_this_process(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    run = tmp_path / "run"
    setup = digits(run, rounds=3, clients=4)
    with Simulation(tmp_path / "flower", 4) as simulation:
        simulation.submit(run).finish()
    rounds = course(run)
    assert [line["answered"] for line in rounds] == [[0, 1, 2, 3]] * 3
    assert weights_on_flower(setup, run) == weights_here(setup, rounds)
