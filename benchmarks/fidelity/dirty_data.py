"""Dirty traces: each is named with its time, then split, left out or refused."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.fidelity.truths import excitation, recording
from edgetwin.studies import Figure, row
from hw_models.board import Board, load_board
from hw_models.fit import Run, check_run, read_runs
from hw_models.trace import Trace

Columns = dict[str, NDArray[Any]]
# What a dirty trace must lead to: a finding with these words, or an error with them.
Case = tuple[str, Callable[[Columns], Columns], tuple[str, ...]]

ROWS: Final = 600
BOARD: Final = "jetson-tx2"
_LINE: Final = (
    "{stamp} RAM 1817/7607MB (lfb 98x4MB) SWAP 11/3804MB (cached 0MB) CPU [{busy}%@1510,"
    "1%@1510,1%@1510,1%@1510,12%@1510,5%@1510] GR3D_FREQ {busy}% cpu@{cpu}C soc2@{soc}C "
    "soc0@{soc}C gpu@{cpu}C tj@{cpu}C soc1@{soc}C VDD_IN {total}mW/{total}mW "
    "VDD_CPU_GPU_CV {cores}mW/{cores}mW VDD_SOC 1388mW/1388mW\n"
)


def measure(quick: bool) -> dict[str, Any]:
    """The share of dirty traces that were named; every way to be dirty, in every format."""
    board, rng = load_board(BOARD), np.random.default_rng(5)
    clean = recording(board, excitation(board, ROWS, rng), 25.0, rng)
    named: dict[str, str] = {}
    wrong: list[str] = []
    for name, spoil, words in CASES:
        for form in ("csv", "parquet"):
            said = _outcome(board, spoil(dict(clean.columns)), form)
            named[f"{name} ({form})"] = said
            wrong += [] if all(word in said for word in words) else [f"{name} ({form})"]
    for name, text, words in _logs():
        said = _of_log(text)
        named[f"{name} (tegrastats)"] = said
        wrong += [] if all(word in said for word in words) else [f"{name} (tegrastats)"]
    unspoilt = check_run(board, clean)
    false_alarms = sum(f.kind == "data" for run in unspoilt for f in run.findings)
    return row(
        {
            "named_share": Figure(value=1.0 - len(wrong) / len(named), bar=1.0, at_least=True),
            "false_alarms": Figure(value=float(false_alarms), bar=0.0),
        },
        cases=len(named),
        not_named=wrong,
        said=named,
    )


def _outcome(board: Board, columns: Columns, form: str) -> str:
    """What reading a trace of these columns says: findings, or the error."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"trace.{form}"
        _write(path, columns)
        return _said(lambda: read_runs(board, path))


def _said(read: Callable[[], tuple[Run, ...]]) -> str:
    try:
        runs = read()
    except ValueError as error:
        return f"refused: {error}"
    words = [f.message for run in runs for f in run.findings if f.kind == "data"]
    return f"{len(runs)} runs: {' | '.join(words)}"


def _write(path: Path, columns: Columns) -> None:
    """A file as a tool that checks nothing would write it: its times may run backwards."""
    times_s = columns["t_s"]
    if (np.diff(times_s) > 0).all():
        trace = Trace(columns)
        trace.to_csv(path) if path.suffix == ".csv" else trace.to_parquet(path)
        return
    if path.suffix == ".csv":
        lines = [",".join(columns)]
        lines += [",".join(map(repr, line)) for line in zip(*_lists(columns), strict=True)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), path)


def _lists(columns: Columns) -> Iterator[list[Any]]:
    return (values.tolist() for values in columns.values())


def _gap(columns: Columns) -> Columns:
    columns["t_s"] = columns["t_s"] + np.where(np.arange(ROWS) >= 300, 400.0, 0.0)
    return columns


def _reset(columns: Columns) -> Columns:
    columns["t_s"] = np.where(np.arange(ROWS) >= 300, columns["t_s"] - 300.0, columns["t_s"])
    return columns


def _two_boots(columns: Columns) -> Columns:
    for name in columns:
        if name.startswith("temps_c."):
            columns[name] = columns[name] + np.where(np.arange(ROWS) >= 300, 15.0, 0.0)
    return columns


def _stuck(columns: Columns) -> Columns:
    values = columns["temps_c.mcpu"].copy()
    values[100:] = values[100]
    return columns | {"temps_c.mcpu": values}


def _stuck_rail(columns: Columns) -> Columns:
    values = columns["power_w.vdd_sys_gpu"].copy()
    values[100:] = values[100]
    return columns | {"power_w.vdd_sys_gpu": values}


def _nan(name: str, rows: slice) -> Callable[[Columns], Columns]:
    def spoil(columns: Columns) -> Columns:
        values = np.asarray(columns[name], dtype=np.float64).copy()
        values[rows] = np.nan
        return columns | {name: values}

    return spoil


def _impossible(columns: Columns) -> Columns:
    values = columns["temps_c.gpu"].copy()
    values[200] = 850.0
    return columns | {"temps_c.gpu": values}


def _swapped(a: str, b: str) -> Callable[[Columns], Columns]:
    return lambda columns: columns | {a: columns[b], b: columns[a]}


CASES: Final[tuple[Case, ...]] = (
    ("gap", _gap, ("2 runs", "401 s", "299 s", "reading 300")),
    ("clock reset", _reset, ("2 runs", "goes back", "reading 300")),
    ("two sessions", _two_boots, ("2 runs", "jumps", "300 s")),
    ("stuck zone", _stuck, ("temps_c.mcpu is stuck", "to 599 s")),
    ("stuck rail", _stuck_rail, ("power_w.vdd_sys_gpu is stuck", "to 599 s")),
    ("NaN zone", _nan("temps_c.gpu", slice(50, 90)), ("temps_c.gpu is missing in 40", "50 s")),
    ("NaN input", _nan("busy.gpu", slice(50, 60)), ("busy.gpu is missing in 10", "50 s")),
    ("input gone", _nan("busy.gpu", slice(50, 400)), ("refused", "busy.gpu", "50 s")),
    ("impossible value", _impossible, ("temps_c.gpu says 850 at 200 s",)),
    (
        "input and GPU rail swapped",
        _swapped("power_w.vdd_in", "power_w.vdd_sys_gpu"),
        ("refused", "power_w.vdd_in", "swapped"),
    ),
    (
        "GPU and memory rail swapped",
        _swapped("power_w.vdd_sys_ddr", "power_w.vdd_sys_gpu"),
        ("refused", "swapped"),
    ),
)


def _log(minutes: tuple[int, ...], total_w: float = 6.0) -> str:
    """A tegrastats log of an Orin Nano, a line a second, that begins anew at some minutes."""
    lines = []
    for minute in minutes:
        for second in range(120):
            stamp = f"06-13-2026 15:{minute + second // 60:02d}:{second % 60:02d}"
            cpu_c = 45.0 + 5.0 * np.sin(second / 30.0)
            lines.append(
                _LINE.format(
                    stamp=stamp, busy=second % 50, cpu=f"{cpu_c:.3f}", soc=f"{cpu_c - 2.0:.3f}",
                    total=round(total_w * 1000) + 10 * second, cores=2000 + 7 * second,
                )
            )  # fmt: skip
    return "".join(lines)


def _logs() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    yield "gap", _log((10, 20)), ("2 runs", "nothing for", "reading 120")
    yield "clock reset", _log((20, 10)), ("2 runs", "goes back", "reading 120")
    yield "input below GPU and CPU", _log((10,), total_w=1.0), ("refused", "vdd_in")
    stuck = "".join(_with_stuck_zone(_log((10, 12)).splitlines(keepends=True)))
    yield "stuck zone", stuck, ("temps_c.soc0 is stuck",)


def _with_stuck_zone(lines: list[str]) -> Iterator[str]:
    for line in lines:
        before, _, rest = line.partition("soc0@")
        yield f"{before}soc0@43.000C {rest.partition(' ')[2]}"


def _of_log(text: str) -> str:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tegrastats.log"
        path.write_text(text, encoding="utf-8")
        return _said(lambda: read_runs(load_board("jetson-orin-nano"), path))
