"""A run from start to end, in any runtime, going on where it stood: its course and its result."""

import io
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgetwin.fleet import Fleet
from edgetwin.fleet.core import FleetSnapshot
from edgetwin.progress import Progress
from edgetwin.storage import append_line, exact_json, json_lines, write_atomically
from edgetwin.systems.federated.boards import mixed_clients
from edgetwin.systems.federated.setup import Setup, Workshop, build
from hw_models.naming import unknown

RUNTIMES: Final = ("here", "simulation", "deployment")
COURSE, FLEET = "course.jsonl", "fleet.npz"
_SCORES: Final = ("loss", "accuracy")


def conduct(
    setup: Setup, folder: Path, *, runtime: str = "here", boards: Sequence[str] = (), looks: int = 8
) -> dict[str, Any]:
    """All rounds of a setup; loss, accuracy, FLOPs, bytes, and with boards seconds and joules.

    `folder` keeps the server's journal, the course (`looks` scores on the way, in this process)
    and, on Flower, logs and replicas of the nodes. KeyError for an unknown runtime, ValueError for
    boards on Flower, whose clock is that of the machine.
    """
    if runtime not in RUNTIMES:
        raise KeyError(unknown("runtime", runtime, RUNTIMES))
    if boards and runtime != "here":
        raise ValueError(f"boards are simulated in runtime here, not in {runtime}.")
    setup.save(folder)
    if runtime == "here":
        return _conduct_here(setup, folder, boards, looks)
    return _conduct_on_flower(setup, folder, runtime)


def _conduct_here(setup: Setup, folder: Path, boards: Sequence[str], looks: int) -> dict[str, Any]:
    shop = build(setup)
    server = shop.server(folder / "server")
    fleet = Fleet(mixed_clients(setup.clients, seed=setup.seed, boards=boards)) if boards else None
    if fleet is not None:
        _restore(fleet, folder / FLEET)
    federation = shop.federation(server, fleet)
    course = folder / COURSE
    spent = _last(course)
    if spent is None:
        spent = {"round": 0, "flops": 0.0, "upload_bytes": 0, "download_bytes": 0}
        append_line(course, exact_json(spent | shop.score()))
    for version in range(spent["round"], server.version):  # closed just before a kill
        spent["flops"] += sum(shop.step_flops(c, version) for c in shop.participants(version))
        spent["upload_bytes"] += setup.per_round * setup.steps * shop.method.form.packet_bytes
    with Progress(f"{setup.method}, rounds", setup.rounds) as progress:
        progress.advance(server.version)
        while server.version < setup.rounds:
            asked, version = shop.participants(server.version), server.version
            found = federation.round(asked)
            spent["flops"] += sum(shop.step_flops(c, version) for c in found.arrived)
            spent["upload_bytes"] += found.upload_bytes
            spent["download_bytes"] += found.download_bytes
            spent["round"] = server.version
            if fleet is not None:
                _keep(fleet, folder / FLEET)
                spent |= {"time_s": fleet.clock.now, "energy_j": float(fleet.energies_j().sum())}
            look = server.version * looks // setup.rounds > version * looks // setup.rounds
            append_line(course, exact_json(spent | (shop.score() if look else {})))
            progress.advance()
    return _result(shop, server.counts, spent, folder)


def _conduct_on_flower(setup: Setup, folder: Path, runtime: str) -> dict[str, Any]:
    needed = {"flwr": "flower"} | ({"ray": "ray"} if runtime == "simulation" else {})
    for package, extra in needed.items():
        if find_spec(package) is None:
            raise ModuleNotFoundError(
                f"runtime {runtime} needs {package}: pip install 'edgetwin[{extra}]'."
            )
    from edgetwin.systems.federated.flower.deployment import Deployment
    from edgetwin.systems.federated.flower.simulation import Simulation

    kind = Deployment if runtime == "deployment" else Simulation
    with Progress(f"{setup.method} on Flower"), kind(folder / "flower", setup.clients) as crowd:
        program = crowd.submit(folder.resolve())
        program.finish()
    shop = build(setup)
    server = shop.server(folder / "server")
    if server.version < setup.rounds:
        raise RuntimeError(f"Flower ended after {server.version} rounds; {program.said()}")
    rounds = [line for line in json_lines(folder / "flower.jsonl") if "answered" in line]
    spent = {
        "round": server.version,
        "flops": sum(
            shop.step_flops(c, line["round"]) for line in rounds for c in line["answered"]
        ),
        "upload_bytes": sum(sum(line["upload_bytes"].values()) for line in rounds),
        "download_bytes": sum(sum(line["order_bytes"].values()) for line in rounds),
    }
    return _result(shop, server.counts, spent, folder)


def _result(
    shop: Workshop, counts: Mapping[str, int], spent: Mapping[str, Any], folder: Path
) -> dict[str, Any]:
    steps = {name: int(n) for name, n in sorted(counts.items())}
    looks = list(json_lines(folder / COURSE)) if (folder / COURSE).exists() else []
    return {
        **{"method": shop.setup.method, "model": shop.setup.model, "task": shop.setup.task},
        **shop.score(),
        "majority": float(np.bincount(shop.test.labels).max() / len(shop.test.labels)),
        **spent,
        "bytes_per_step": shop.method.form.packet_bytes,
        "uploads": steps,
        "course": [line for line in looks if "loss" in line],
    }


def _last(course: Path) -> dict[str, Any] | None:
    """What had been spent after the last round that was noted."""
    lines = list(json_lines(course)) if course.exists() else []
    return {k: v for k, v in lines[-1].items() if k not in _SCORES} if lines else None


def _keep(fleet: Fleet, path: Path) -> None:
    """Heat and energy of the boards outlive the process."""
    now = fleet.snapshot()
    buffer = io.BytesIO()
    kinds: dict[str, Any] = {f"states_{k}": states for k, states in enumerate(now.states)}
    np.savez(buffer, now_s=now.now_s, rounds=now.rounds, kinds=len(kinds), **kinds)
    write_atomically(path, buffer.getvalue())


def _restore(fleet: Fleet, path: Path) -> None:
    if path.exists():
        kept = np.load(path)
        states = tuple(kept[f"states_{k}"] for k in range(int(kept["kinds"])))
        fleet.restore(
            FleetSnapshot(now_s=float(kept["now_s"]), rounds=int(kept["rounds"]), states=states)
        )
