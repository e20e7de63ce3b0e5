"""A tegrastats log of any JetPack becomes one Trace per recorded session.

Names are tegrastats' own in lower case: ``temps_c.<zone>``, ``power_w.<rail>``, ``freq_hz.gpu``,
``freq_hz.emc``, ``freq_hz.cpu<N>``, ``busy.gpu``, ``busy.cpu<N>``. A second GPU cluster is
``gpu2``. A core or an engine that is off has load 0 and clock 0. The rest is kept under ``extra.``:
memory in bytes, engines' clocks, mean and peak power, and tokens that fit no form.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hw_models.reading import gathered
from hw_models.tegrastats_dialect import Dialect, Sample
from hw_models.tegrastats_format import format_line
from hw_models.tegrastats_line import dialect_of, parse_line
from hw_models.trace import Trace, read_trace
from hw_models.trace_csv import column_of, read_table
from hw_models.trace_files import naming, read_text

__all__ = [
    "Dialect",
    "Sample",
    "dialect_of",
    "format_line",
    "parse_line",
    "read_log",
    "read_tegrastats",
    "read_tx2_csv",
    "tx2_columns",
]

_Path = str | PathLike[str]
_Row = dict[str, float | None]

GAP_S: Final = 10.0
_ENGINES: Final = {"gr3d": "gpu", "gr3d2": "gpu2"}
_DOMAINS: Final = ("gpu", "gpu2", "emc")
_TX2_NAMES: Final = {
    "t": ("extra.unix_s", 1.0),
    "ram_mb": ("extra.ram_used_bytes", 2.0**-20),
    "cpu_util": ("busy.cpu", 100.0),
    "cpu_mhz": ("freq_hz.cpu", 1e-6),
    "emc_util": ("memory_busy", 100.0),
    "emc_mhz": ("freq_hz.emc", 1e-6),
    "gr3d_util": ("busy.gpu", 100.0),
    "gr3d_mhz": ("freq_hz.gpu", 1e-6),
}
_TX2_PREFIXES: Final = {"T_": ("temps_c", 1.0), "P_": ("power_w", 1000.0)}


def read_log(path: _Path, *, board: str | None = None, period_s: float = 1.0) -> list[Trace]:
    """Any recording we know becomes traces; its content says which kind it is, not its name.

    Reads our own Parquet and CSV, tegrastats text and the CSV of the TX2 recordings. Raises
    ValueError with one line where the file is empty, damaged or none of these.
    """
    with Path(path).open("rb") as file:
        head = file.readline(1 << 16)
    header = head.decode(errors="replace").strip().split(",")
    if "gr3d_mhz" in header:
        return [read_tx2_csv(path, board=board)]
    if head.startswith((b"PAR1", b"#")) or "t_s" in header:
        return [read_trace(path)]
    return read_tegrastats(path, board=board, period_s=period_s)


def read_tegrastats(path: _Path, *, board: str | None = None, period_s: float = 1.0) -> list[Trace]:
    """A tegrastats log becomes one trace per session, time counted from the session's first line.

    A session ends where the clock jumps back, or ahead by more than 10 s (3 periods if that is
    longer). Lines without a stamp are ``period_s`` apart; lines with the same stamp share its
    second evenly. Lines that are not tegrastats are skipped and counted in ``meta``. Raises
    ValueError when no line is left.
    """
    if not period_s > 0:
        raise ValueError(
            f"period_s is {period_s}; expected the seconds between two lines, above 0."
        )
    samples, skipped = _samples(path)
    meta = {"source": Path(path).name, "skipped_lines": str(skipped)}
    meta |= {} if board is None else {"board": board}
    unix_s = _stamps(samples, period_s)
    steps = np.diff(unix_s)
    starts = np.flatnonzero((steps < 0) | (steps > max(GAP_S, 3 * period_s))) + 1
    return [
        _session(samples[start:end], unix_s[start:end], meta)
        for start, end in pairwise([0, *starts.tolist(), len(samples)])
    ]


def _samples(path: _Path) -> tuple[list[Sample], int]:
    """Every line of a log that is tegrastats, and how many are something else."""
    samples: list[Sample] = []
    skipped = 0
    with Path(path).open(encoding="utf-8", errors="replace") as file:
        for line in filter(str.strip, file):
            try:
                samples.append(parse_line(line))
            except ValueError:
                skipped += 1
    if not samples:
        found = f"none of its {skipped} lines is" if skipped else "it is empty; expected"
        raise ValueError(f"{path}: {found} tegrastats output (RAM ... CPU [...] ...).")
    return samples, skipped


def _stamps(samples: Sequence[Sample], period_s: float) -> NDArray[np.float64]:
    """When each line was written, shape (n,); a line without a stamp takes the one before it."""
    stamps_s = np.array([sample.time_s for sample in samples], dtype=float)
    rows = np.arange(len(stamps_s))
    known = ~np.isnan(stamps_s)
    if not known.any():
        return np.asarray(rows * period_s, dtype=np.float64)
    before = np.maximum.accumulate(np.where(known, rows, 0))
    return np.where(known[before], stamps_s[before], stamps_s[known][0])


def _session(
    samples: Sequence[Sample], unix_s: NDArray[np.float64], meta: Mapping[str, str]
) -> Trace:
    """The lines of one session; where they begin on the log's own clock is in ``meta``."""
    rows = [_rows(sample) for sample in samples]
    columns: dict[str, NDArray[Any]] = {"t_s": _spread(unix_s) - unix_s[0]}
    columns |= _lower("temps_c", [sample.temps_c for sample in samples])
    columns |= _lower("power_w", [sample.power_w for sample in samples])
    for i, group in enumerate(("freq_hz", "busy", "extra")):
        columns |= gathered(group, [row[i] for row in rows])
    if "extra.emc_busy" in columns:
        columns["memory_busy"] = columns.pop("extra.emc_busy")
    for field in ("power_avg_w", "power_peak_w", "temps_peak_c"):
        columns |= _lower(f"extra.{field}", [getattr(sample, field) for sample in samples])
    unknown = [" ".join(sample.unknown) or None for sample in samples]
    columns |= {"extra.unknown": np.array(unknown, dtype=object)} if any(unknown) else {}
    start = {"start_unix_s": repr(float(unix_s[0]))} if samples[0].time_s is not None else {}
    return Trace(columns, {**meta, **start})


def _spread(unix_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lines with the same stamp are evenly spaced within its second, or until the next stamp."""
    _, first, inverse, counts = np.unique(
        unix_s, return_index=True, return_inverse=True, return_counts=True
    )
    room = np.minimum(1.0, np.diff(unix_s[first], append=np.inf))
    place = np.arange(len(unix_s)) - first[inverse]
    return np.asarray(unix_s + place * (room / counts)[inverse])


def _lower(
    group: str, rows: Sequence[Mapping[str, float | None]]
) -> dict[str, NDArray[np.float64]]:
    """Columns under names in lower case; names that differ in case only fill each other's gaps."""
    columns: dict[str, NDArray[np.float64]] = {}
    for name, values in gathered(group, rows).items():
        same = columns.get(name.lower(), values)
        columns[name.lower()] = np.where(np.isnan(same), values, same)
    return columns


def _rows(sample: Sample) -> tuple[_Row, _Row, _Row]:
    """The clocks, loads and everything else of one line, by the names of a trace."""
    freq_hz: _Row = {}
    busy: _Row = {}
    extra: _Row = dict(sample.extras)
    for core, (load, hertz) in enumerate(sample.cpus):
        busy[f"cpu{core}"] = load or 0.0
        if load is None or hertz is not None:
            freq_hz[f"cpu{core}"] = hertz or 0.0
    for token, engine in sample.clocks.items():
        name = token.lower().removesuffix("_freq")
        name = _ENGINES.get(name, name)
        load, clocks = engine if engine != (None, ()) else (0.0, (0.0,))
        if load is not None:
            row, at = (busy, name) if name.startswith("gpu") else (extra, f"{name}_busy")
            row[at] = load
        for i, hertz in enumerate(clocks):
            cluster = name if i == 0 else f"{name}{i + 1}"
            row, at = (freq_hz, cluster) if name in _DOMAINS else (extra, f"{cluster}_hz")
            row[at] = hertz or 0.0
    return freq_hz, busy, extra


def read_tx2_csv(path: _Path, *, board: str | None = None) -> Trace:
    """A TX2 recording kept as CSV (MHz, mW, per cent, degC) becomes a trace.

    Its columns are named as ``read_tegrastats`` names them, except that it has one mean load and
    clock of all cores that are on: ``busy.cpu``, ``freq_hz.cpu``, ``extra.cpu_on``. Raises
    ValueError for a damaged table.
    """
    meta = {"source": Path(path).name} | ({} if board is None else {"board": board})
    with naming(path):
        return Trace(tx2_columns(path), meta)


def tx2_columns(path: _Path) -> dict[str, NDArray[Any]]:
    """The columns of a TX2 recording as they are in the file, times unchecked."""
    columns: dict[str, NDArray[Any]] = {}
    for name, cells in read_table(read_text(path)).items():
        target, divisor = _tx2_name(name)
        columns[target] = column_of(name, "float", cells) / divisor
    return columns


def _tx2_name(name: str) -> tuple[str, float]:
    for prefix, (group, divisor) in _TX2_PREFIXES.items():
        if name.startswith(prefix):
            return f"{group}.{name.removeprefix(prefix).lower()}", divisor
    return _TX2_NAMES.get(name, (name if name == "t_s" else f"extra.{name.lower()}", 1.0))
