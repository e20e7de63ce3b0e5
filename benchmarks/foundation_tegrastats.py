"""Reading a line of tegrastats costs at most twice its bare numbers.

The reference is the least a parser could do: one anchored pattern written by hand for one dialect,
and every number in it made a float. It keeps no names and knows no other line.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from time import thread_time
from typing import Any, Final, final

from hw_models.tegrastats import parse_line

BAR: Final = 2.0
_START_S: Final = 1_781_442_000


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """A real line, the pattern of all lines like it, and the rail of the group ``board``."""

    line: str
    pattern: re.Pattern[str]
    step_c: float
    rail: str
    is_dated: bool = False


def _pattern(*parts: str) -> re.Pattern[str]:
    return re.compile(" ".join(parts) + r"\Z")


_CORE: Final = r"(\d+)%@(\d+)"
_TEMP: Final = r"(-?[\d.]+)C"
_MEMORY: Final = (
    r"RAM (\d+)/(\d+)MB \(lfb (\d+)x(\d+)MB\)",
    r"SWAP (\d+)/(\d+)MB \(cached (\d+)MB\)",
)
DIALECTS: Final = {
    "nano": Dialect(
        line=(
            "RAM 331/3964MB (lfb 758x4MB) SWAP 17/1982MB (cached 1MB) IRAM 0/252kB(lfb 252kB) "
            "CPU [1%@102,12%@102,3%@102,41%@102] EMC_FREQ 3%@204 GR3D_FREQ 17%@76 APE 25 PLL@20.5C "
            "CPU@23.5C PMIC@100C GPU@22.5C AO@27.5C thermal@23C POM_5V_IN 933/941 POM_5V_GPU 40/31 "
            "POM_5V_CPU 84/105"
        ),
        pattern=_pattern(
            *_MEMORY,
            r"IRAM (\d+)/(\d+)kB\(lfb (\d+)kB\)",
            rf"CPU \[{','.join([_CORE] * 4)}\] EMC_FREQ (\d+)%@(\d+) GR3D_FREQ (\d+)%@(\d+)",
            rf"APE (\d+) PLL@{_TEMP} CPU@{_TEMP} PMIC@{_TEMP} GPU@{_TEMP} AO@{_TEMP}",
            rf"thermal@{_TEMP} POM_5V_IN (?P<board>\d+)/(\d+) POM_5V_GPU (\d+)/(\d+)",
            r"POM_5V_CPU (\d+)/(\d+)",
        ),
        step_c=0.5,
        rail="POM_5V_IN",
    ),
    "tx2": Dialect(
        line=(
            "RAM 1101/7850MB (lfb 451x4MB) SWAP 437/3925MB (cached 19MB) CPU [1%@2031,21%@2033,"
            "30%@2035,5%@2035,11%@2035,62%@2034] EMC_FREQ 8%@1062 GR3D_FREQ 99%@114 APE 150 "
            "MTS fg 1% bg 4% PLL@38.5C MCPU@38.5C PMIC@50C Tboard@35C GPU@38C BCPU@38.5C "
            "thermal@38.5C Tdiode@36.5C VDD_SYS_GPU 152/152 VDD_SYS_SOC 533/533 VDD_4V0_WIFI 19/8 "
            "VDD_IN 1945/1957 VDD_SYS_CPU 228/228 VDD_SYS_DDR 269/275"
        ),
        pattern=_pattern(
            *_MEMORY,
            rf"CPU \[{','.join([_CORE] * 6)}\] EMC_FREQ (\d+)%@(\d+) GR3D_FREQ (\d+)%@(\d+)",
            rf"APE (\d+) MTS fg (\d+)% bg (\d+)% PLL@{_TEMP} MCPU@{_TEMP} PMIC@{_TEMP}",
            rf"Tboard@{_TEMP} GPU@{_TEMP} BCPU@{_TEMP} thermal@{_TEMP} Tdiode@{_TEMP}",
            r"VDD_SYS_GPU (\d+)/(\d+) VDD_SYS_SOC (\d+)/(\d+) VDD_4V0_WIFI (\d+)/(\d+)",
            r"VDD_IN (?P<board>\d+)/(\d+) VDD_SYS_CPU (\d+)/(\d+) VDD_SYS_DDR (\d+)/(\d+)",
        ),
        step_c=0.5,
        rail="VDD_IN",
    ),
    "orin_nano": Dialect(
        line=(
            "06-14-2026 13:13:57 RAM 5323/7607MB (lfb 1x2MB) SWAP 409/3804MB (cached 7MB) "
            "CPU [3%@1510,8%@1510,12%@1510,31%@1510,54%@1510,2%@1510] GR3D_FREQ 99% cpu@60.156C "
            "soc2@59C soc0@56.75C gpu@61.687C tj@61.687C soc1@58.375C VDD_IN 13443mW/9881mW "
            "VDD_CPU_GPU_CV 5383mW/3755mW VDD_SOC 2759mW/2051mW"
        ),
        pattern=_pattern(
            r"(\d+)-(\d+)-(\d+) (\d+):(\d+):(\d+)",
            *_MEMORY,
            rf"CPU \[{','.join([_CORE] * 6)}\] GR3D_FREQ (\d+)% cpu@{_TEMP} soc2@{_TEMP}",
            rf"soc0@{_TEMP} gpu@{_TEMP} tj@{_TEMP} soc1@{_TEMP} VDD_IN (?P<board>\d+)mW/(\d+)mW",
            r"VDD_CPU_GPU_CV (\d+)mW/(\d+)mW VDD_SOC (\d+)mW/(\d+)mW",
        ),
        step_c=1 / 32,
        rail="VDD_IN",
        is_dated=True,
    ),
}


def measure(quick: bool = False) -> dict[str, Any]:
    """Time per line over the reference's, for the worst dialect: median of interleaved repeats.

    Every repeat has lines of its own, so that no number is met again but by chance. Raises
    AssertionError where the two do not find the same powers.
    """
    repeats, n_lines = (7, 200) if quick else (15, 400)
    ratios = {name: _ratio(dialect, repeats, n_lines) for name, dialect in DIALECTS.items()}
    worst = max(ratios.values())
    return {
        "value": worst,
        "bar": BAR,
        "ok": worst <= BAR,
        "ratios": ratios,
        "repeats": repeats,
        "n": repeats * n_lines * len(DIALECTS),
    }


def _ratio(dialect: Dialect, repeats: int, n_lines: int) -> float:
    """The median over the repeats of parser time over reference time."""
    rng = random.Random(dialect.line)
    match = dialect.pattern.match

    def numbers_of(line: str) -> list[float]:
        found = match(line)
        return list(map(float, found.groups())) if found else []

    _check(dialect, numbers_of, _lines(dialect, n_lines, rng))
    ratios = []
    for repeat in range(repeats):
        lines = _lines(dialect, n_lines, rng)
        if repeat % 2:
            reference_s, parser_s = _timed_s(numbers_of, lines), _timed_s(parse_line, lines)
        else:
            parser_s, reference_s = _timed_s(parse_line, lines), _timed_s(numbers_of, lines)
        ratios.append(parser_s / reference_s)
    return median(ratios)


def _timed_s(read: Callable[[str], object], lines: Sequence[str]) -> float:
    start_s = thread_time()
    for line in lines:
        read(line)
    return thread_time() - start_s


def _check(
    dialect: Dialect, numbers_of: Callable[[str], list[float]], lines: Sequence[str]
) -> None:
    """Both read the same: the board's power of every line."""
    board = dialect.pattern.groupindex["board"] - 1
    said_w = [parse_line(line).power_w[dialect.rail] for line in lines]
    found_w = [numbers_of(line)[board] / 1000 for line in lines]
    assert said_w == found_w, f"{dialect.rail}: {said_w[:3]}... is not {found_w[:3]}..."


def _lines(dialect: Dialect, n_lines: int, rng: random.Random) -> list[str]:
    """Lines of the dialect in which every number wanders about the example's."""
    example = dialect.pattern.match(dialect.line)
    assert example is not None, f"the pattern does not fit its line: {dialect.line}"
    first = 7 if dialect.is_dated else 1
    spans = [example.span(group) for group in range(first, len(example.groups()) + 1)]
    return [_line(dialect, spans, second, rng) for second in range(n_lines)]


def _line(
    dialect: Dialect, spans: Sequence[tuple[int, int]], second: int, rng: random.Random
) -> str:
    line, pieces, at = dialect.line, [], 0
    if dialect.is_dated:
        pieces.append(f"{datetime.fromtimestamp(_START_S + second, UTC):%m-%d-%Y %H:%M:%S}")
        at = len(pieces[0])
    for start, end in spans:
        is_temp = line[end : end + 1] == "C" and line[:start].endswith("@")
        said = _temp_text if is_temp else _count_text
        pieces += [line[at:start], said(float(line[start:end]), dialect, rng)]
        at = end
    return "".join(pieces) + line[at:]


def _temp_text(around_c: float, dialect: Dialect, rng: random.Random) -> str:
    """A temperature within 6 K of the example's, in the sensor's steps, cut to three decimals."""
    steps = round((around_c + rng.uniform(-6, 6)) / dialect.step_c)
    return f"{int(steps * dialect.step_c * 1000) / 1000:g}"


def _count_text(around: float, _dialect: Dialect, rng: random.Random) -> str:
    return str(round(around * rng.uniform(0.7, 1.3)))
