"""A trace survives files, slices and changes of form bit for bit."""

import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hw_models.trace import JobReading, Reading, Trace, read_trace

BOUNDED = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
FINITE = st.floats(allow_nan=False)
NUMBER = st.none() | FINITE
NAME = st.text("abcdefgXYZ_0123456789-, \"'é", min_size=1, max_size=8)
TEXT = st.none() | st.text(st.characters(codec="utf-8"), max_size=12)
INT64 = st.integers(-(2**63), 2**63 - 1)


@st.composite
def times_s(draw: st.DrawFn) -> list[float]:
    return sorted(draw(st.sets(st.floats(-1e300, 1e300), max_size=6)))


@st.composite
def columns(draw: st.DrawFn) -> dict[str, Any]:
    stamps = draw(times_s())

    def column(cells: st.SearchStrategy[Any], dtype: Any) -> NDArray[Any]:
        return np.array([draw(cells) for _ in stamps], dtype=dtype)

    made: dict[str, Any] = {"t_s": np.array(stamps, dtype=float)}
    for group in draw(st.lists(st.sampled_from(["temps_c", "power_w", "freq_hz", "extra"]))):
        made[f"{group}.{draw(NAME)}"] = column(NUMBER, float)
    made["fan"] = column(INT64, np.int64)
    made["throttled"] = column(st.booleans(), bool)
    made[f"extra.text_{draw(NAME)}"] = column(TEXT, object)
    made[f"extra.count_{draw(NAME)}"] = column(INT64, np.int64)
    made[f"extra.flag_{draw(NAME)}"] = column(st.booleans(), bool)
    made[f"jobs.{draw(NAME)}.unit"] = column(TEXT, object)
    return made


def _bits(values: NDArray[Any]) -> list[Any]:
    """Every bit of a column; all gaps look the same."""
    if values.dtype != np.float64:
        return [(type(cell), cell) for cell in values.tolist()]
    return [None if math.isnan(cell) else struct.pack("d", cell) for cell in values.tolist()]


@pytest.mark.parametrize("write", [Trace.to_parquet, Trace.to_csv])
@given(columns=columns(), meta=st.dictionaries(st.text('abc\n"é#'), st.text('abc\n"é#')))
@BOUNDED
def test_a_file_keeps_every_bit(
    write: Callable[[Trace, Path], None],
    columns: dict[str, Any],
    meta: dict[str, str],
    tmp_path: Path,
) -> None:
    trace = Trace(columns, meta)
    write(trace, tmp_path / "trace")
    again = read_trace(tmp_path / "trace")
    assert list(again.columns) == list(columns)
    for name, values in columns.items():
        assert again.columns[name].dtype == values.dtype
        assert _bits(again.columns[name]) == _bits(values)
    assert again.meta == meta
    assert again == trace


JOBS = st.dictionaries(
    st.text("abc-1", min_size=1, max_size=3),
    st.builds(
        JobReading,
        unit=st.none() | st.sampled_from(["a53", "a73", "gpu"]),
        progress=st.none() | st.floats(0, 1),
        rate=FINITE,
        target=NUMBER,
        l2d_per_s=NUMBER,
        batch=st.none() | st.integers(1, 4096),
    ),
    max_size=3,
)


@st.composite
def readings(draw: st.DrawFn) -> list[Reading]:
    """What one board says: the same zones, rails, domains and units all the time."""
    has_power = draw(st.booleans())
    rows = [
        Reading(
            t_s=t_s,
            temps_c={zone: draw(NUMBER) for zone in ("gpu", "cpu")},
            power_w={"vdd_in": draw(NUMBER)} if has_power else None,
            energy_j=draw(NUMBER),
            freq_hz={"gpu": draw(FINITE)},
            busy={"gpu": draw(st.floats(0, 1))},
            fan=draw(st.none() | st.integers(0, 255)),
            throttled=draw(st.booleans()),
            cap_w=draw(NUMBER),
            jobs=draw(JOBS),
        )
        for t_s in draw(times_s())
    ]
    return rows


@given(readings=readings())
@BOUNDED
def test_readings_come_back_from_their_columns(readings: list[Reading]) -> None:
    trace = Trace.from_readings(readings)
    again = Trace(trace.columns)
    assert list(again) == readings
    assert again == trace


@given(readings=readings(), cut=st.integers(0, 6), is_columnar=st.booleans())
@BOUNDED
def test_the_parts_of_a_trace_join_to_the_whole(
    readings: list[Reading], cut: int, is_columnar: bool
) -> None:
    whole = Trace.from_readings(readings, {"board": "x"})
    if is_columnar:
        whole = Trace(whole.columns, whole.meta)
    parts = [whole.select(slice(0, cut)), whole.select(slice(cut, None))]
    assert Trace.concat(parts) == whole


@given(readings=readings(), keep=st.lists(st.booleans(), min_size=6, max_size=6))
@BOUNDED
def test_a_mask_keeps_the_readings_it_says(readings: list[Reading], keep: list[bool]) -> None:
    mask = np.array(keep[: len(readings)], dtype=bool)
    kept = [reading for reading, keeps in zip(readings, mask, strict=True) if keeps]
    assert list(Trace.from_readings(readings).select(mask)) == kept
