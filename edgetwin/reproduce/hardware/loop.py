"""The calibration loop: a board with hidden numbers is excited, recorded, fitted, judged."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgetwin.backend import FunctionPolicy, run
from edgetwin.excitation import scenario_of
from edgetwin.factory import make_backend
from edgetwin.reproduce.hardware.bench import served
from edgetwin.scenario import Scenario, parse_scenario
from edgetwin.studies import Figure, row
from hw_models.board import Board, Knobs, load_board
from hw_models.board_file import write_board
from hw_models.certificate.evaluated import predicted
from hw_models.fit import FitResult, Run, fit_joint, plan_excitation, read_runs
from hw_models.openloop import starting_temps_c
from hw_models.parameters import std_at, value_at, with_values
from hw_models.trace import Trace

NAME: Final = "jetson-nano"
SPEED: Final = 10.0  # faster, and a reading that is late by the wall is late by much of a second
AMBIENT_C: Final = 25.0
# What is hidden: numbers that the plan can pin and the sensors can resolve, drawn from what the
# board file says of them. The GPU's leakage is not among them: at rest its rail reads one or two
# steps of 21 mW, which do not scatter, so that no fit can tell how far off they are.
HIDDEN: Final = (
    "power.units.cpu.active_capacitance_f",
    "power.units.gpu.active_capacitance_f",
    "power.memory.energy_j_per_byte",
    "power.baseline.module.power_w",
    "thermal.capacity_j_per_k[4]",
    "thermal.links[0].conductance_w_per_k",
    "thermal.links[1].conductance_w_per_k",
    "thermal.cooling[0].conductance_w_per_k[0]",
    "thermal.cooling[0].conductance_w_per_k[4]",
)
# Another run than the one that is fitted: other clocks, other loads, another fan level.
HELD_OUT: Final = """
name = "held-out"
title = "Loads that were not fitted"
duration_s = 600
ambient = 25.0
knobs = [
    { t_s = 0.0, freq_hz = { cpu = 1132.8e6, gpu = 614.4e6, emc = 1600e6 }, fan = 4 },
    { t_s = 300.01, freq_hz = { cpu = 1479e6, gpu = 76.8e6, emc = 1331.2e6 }, fan = 0 },
]
[[jobs]]
kind = "load"
unit = "gpu"
busy = 1.0
freq_hz = 614.4e6
at_s = 20.01
lifetime_s = 230.0
[[jobs]]
kind = "load"
unit = "cpu1"
busy = 1.0
freq_hz = 1132.8e6
at_s = 60.01
lifetime_s = 400.0
[[jobs]]
kind = "load"
unit = "cpu2"
busy = 0.6
freq_hz = 1479e6
at_s = 330.01
lifetime_s = 200.0
"""


def hidden_board(board: Board, seed: int) -> Board:
    """The board with other numbers where it does not know them, by one to two of its own std."""
    rng = np.random.default_rng([seed, 17])
    values = {}
    for path in HIDDEN:
        value, std = value_at(board, path), std_at(board, path)
        shift = rng.choice([-1.0, 1.0]) * rng.uniform(1.0, 2.0) * std
        values[path] = float(np.clip(value + shift, 0.4 * value, 2.5 * value))
    return with_values(board, values)


def close_the_loop(quick: bool) -> dict[str, Any]:
    """Row: how far the fit is from what was hidden, and what it makes of the twin's errors."""
    board, seeds = load_board(NAME), (1,) if quick else (1, 2, 3)
    plan = plan_excitation(board, free=HIDDEN)
    excite = scenario_of(plan, board)
    runs = [_one(board, excite, seed) for seed in seeds]
    away = [abs(p["away"]) for r in runs for p in r["parameters"].values() if p["pinned"]]
    return row(
        {
            "standard errors away at most": Figure(value=max(away, default=np.nan), bar=3.0),
            "error left, share of before": Figure(
                value=max(r["left"] for r in runs), bar=1.0 / 3.0
            ),
        },
        seeds=list(seeds), pinned=len(away), runs=runs, board=NAME, speed=SPEED,
        planned_s=plan.duration_s,
    )  # fmt: skip


def _one(board: Board, excite: Scenario, seed: int) -> dict[str, Any]:
    truth = hidden_board(board, seed)
    with tempfile.TemporaryDirectory(prefix="edgetwin-loop-") as folder:
        place = Path(folder)
        write_board(truth, place / "board.toml")
        with served(str(place / "board.toml"), speed=SPEED, seed=seed) as virtual:
            fitted = _record(board, virtual.root, excite, place / "fitted.parquet")
            held = _record(
                board, virtual.root, parse_scenario(HELD_OUT, "held-out"), place / "held.parquet"
            )
    result = fit_joint(board, fitted, free=HIDDEN)
    after = with_values(board, {path: result[path].value for path in HIDDEN})
    left = {name: _rms(after, held, name) / _rms(board, held, name) for name in _signals(board)}
    return {"seed": seed, "left": max(left.values()), "left_by_signal": left,
            "parameters": _parameters(result, board, truth)}  # fmt: skip


def _record(board: Board, root: Path, scenario: Scenario, out: Path) -> Sequence[Run]:
    """What the device's sensors say under a scenario, once a second, as a recorded trace."""
    device = make_backend("hardware", board=board, root=str(root), state=str(out) + ".state")
    try:
        still = FunctionPolicy(lambda reading: Knobs(), 1.0)
        trace = run(device, still, duration_s=scenario.duration_s, scenario=scenario).trace
    finally:
        device.close()
    Trace(trace.columns, trace.meta).to_parquet(out)
    return read_runs(board, out)


def _parameters(result: FitResult, board: Board, truth: Board) -> dict[str, dict[str, Any]]:
    found = {}
    for path in HIDDEN:
        p, true = result[path], value_at(truth, path)
        found[path] = {
            "before": value_at(board, path), "hidden": true, "fitted": p.value, "std": p.std,
            "away": (p.value - true) / p.std if p.std else np.nan, "pinned": p.status == "pinned",
        }  # fmt: skip
    return found


def _signals(board: Board) -> tuple[str, ...]:
    return (f"power_w.{board.sensors.input_rail}", "temps_c.cpu", "temps_c.gpu")


def _rms(board: Board, runs: Sequence[Run], signal: str) -> float:
    """Root of the mean square of predicted less measured, in the air that the scenario states.

    The air around a virtual board is known: it is not estimated, which would hide errors of heat.
    """
    errors = []
    for one in runs:
        seen = one.recorded
        start_c = starting_temps_c(board, seen, AMBIENT_C)
        measured = {f"power_w.{n}": w for n, w in seen.rails_w.items()}
        measured |= {f"temps_c.{n}": c for n, c in seen.zones_c.items()}
        errors.append(predicted(board, one, AMBIENT_C, start_c)[signal] - measured[signal])
    whole = np.concatenate(errors)
    return float(np.sqrt(np.nanmean(whole**2)))
