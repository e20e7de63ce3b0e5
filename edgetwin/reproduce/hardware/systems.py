"""Every policy by name on a virtual board, unchanged, and what it decides on the same readings."""

import tempfile
from collections.abc import Iterator
from typing import Any, Final

from edgetwin.backend import run
from edgetwin.factory import make_backend
from edgetwin.gap import decisions_on, heard, share_alike
from edgetwin.policies import policy_entries
from edgetwin.reproduce.hardware.bench import Served, served
from edgetwin.studies import Figure, absent, row
from edgetwin.tasks import TASKS

BOARDS: Final = {"thermal": "hikey970", "training": "jetson-nano"}
SPEED: Final = 10.0


def run_everything(quick: bool) -> dict[str, Any]:
    """Row: share of policies that run on a virtual board, and of their decisions that a fresh
    policy repeats on the same readings without any board."""
    found: dict[str, Any] = {}
    for task in TASKS:
        if task in BOARDS:
            with served(BOARDS[task], speed=SPEED) as board:
                found |= dict(_task(task, board, 10.0 if quick else 60.0))
    ran = [said for said in found.values() if "alike" in said]
    cannot = {name: said["cannot"] for name, said in found.items() if "cannot" in said}
    tried = len(found) - len(cannot)
    if not tried:
        return absent("no policy is registered")
    return row(
        {
            "share that run": Figure(value=len(ran) / tried, bar=1.0, at_least=True),
            "same decisions": Figure(
                value=min((said["alike"] for said in ran), default=0.0), bar=1.0, at_least=True
            ),
        },
        policies=found, cannot_drive_this_board=cannot, speed=SPEED,
    )  # fmt: skip


def _task(task: str, board: Served, duration_s: float) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, entry in policy_entries().items():
        if task in entry.tasks:
            yield f"{task}: {name}", _policy(name, task, board, duration_s)


def _policy(name: str, task: str, board: Served, duration_s: float) -> dict[str, Any]:
    policy = heard(name)
    with tempfile.TemporaryDirectory(prefix="edgetwin-state-") as state:
        device = make_backend(
            "hardware", board=board.name, scenario=TASKS[task].scenario, root=str(board.root),
            state=state,
        )  # fmt: skip
        try:
            policy.reset(device.board, seed=0)
        except ValueError as error:
            device.close()
            return {"cannot": str(error)}
        try:
            result = run(device, policy, duration_s=duration_s, seed=0)
            refused = device.apply(policy.decisions[-1]).refused
        except Exception as error:
            return {"broke": f"{type(error).__name__}: {error}"}
        finally:
            device.close()
    again = decisions_on(name, device.board, policy.readings, 0)
    return {
        "alike": share_alike(again, policy.decisions), "decisions": len(policy.decisions),
        "readings": len(result.trace), "refused last": dict(refused),
    }  # fmt: skip
