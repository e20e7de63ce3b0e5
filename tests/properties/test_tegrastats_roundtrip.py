"""What a board of any dialect writes is read as what it was, and written back as it was."""

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.tegrastats import Sample, dialect_of, format_line, parse_line

BOUNDED = settings(max_examples=120, deadline=None, derandomize=True)
SIZES = {"kB": 1024, "MB": 1024**2, "GB": 1024**3}
ZONES = ("gpu", "CPU", "Tboard", "CV0", "soc2", "CPU-therm", "iwlwifi", "tj")
RAILS = ("VDD_IN", "GPU", "CPU", "SYS5V", "VDD_4V0_WIFI", "VDDQ_VDD2_1V8AO", "POM_5V_IN")
ENGINES = ("EMC_FREQ", "GR3D_FREQ", "GR3D2_FREQ", "APE", "NVENC", "NVJPG1", "VIC_FREQ", "PVA0_FREQ")
WORDS = ("FUTURE_TOKEN", "value=3", "NC 12mW/0mW", "NC 0mW/0mW", "x@C", "é", "(spare)", "[1]")

# A part of a line draws its numbers, writes itself, and tells a Sample's fields what it said.
Part = Callable[[Random, dict[str, Any]], str]


def _count(rng: Random) -> int:
    return rng.choice((0, 1, rng.randrange(100_000)))


def _memory(name: str, unit: str, about: str) -> Part:
    def write(rng: Random, said: dict[str, Any]) -> str:
        used, total, blocks, size = (_count(rng) for _ in range(4))
        extras, of = said["extras"], name.lower()
        extras[f"{of}_used_bytes"] = used * SIZES[unit]
        extras[f"{of}_total_bytes"] = total * SIZES[unit]
        head = f"{name} {used}/{total}{unit}"
        if about == "blocks":
            extras[f"{of}_lfb_blocks"] = blocks
            extras[f"{of}_lfb_block_bytes"] = size * 1024
            return f"{head} (lfb {blocks}x{size}kB)"
        if about == "lfb":
            extras[f"{of}_lfb_bytes"] = size * SIZES[unit]
            return f"{head}(lfb {size}{unit})"
        if about == "cached":
            extras[f"{of}_cached_bytes"] = size * SIZES[unit]
            return f"{head} (cached {size}{unit})"
        return head

    return write


def _cpu(cores: int, style: str) -> Part:
    def write(rng: Random, said: dict[str, Any]) -> str:
        shared_mhz = _count(rng)
        texts = []
        for core in range(cores):
            is_off, percent, core_mhz = rng.random() < 0.3, rng.randint(0, 100), _count(rng)
            if is_off and core:
                said["cpus"] += ((None, None),)
                texts.append("off")
                continue
            clock = {"each": core_mhz, "shared": shared_mhz}.get(style)
            said["cpus"] += ((percent / 100, None if clock is None else clock * 1e6),)
            texts.append(f"{percent}%@{core_mhz}" if style == "each" else f"{percent}%")
        listed = f"[{','.join(texts)}]"
        return f"cpu {listed}@{shared_mhz}" if style == "shared" else f"CPU {listed}"

    return write


def _engine(name: str, style: str, clusters: int) -> Part:
    def write(rng: Random, said: dict[str, Any]) -> str:
        percent, clocks = rng.randint(0, 100), [_count(rng) for _ in range(clusters)]
        if rng.random() < 0.25:
            said["clocks"][name] = (None, ())
            return f"{name} off"
        if style == "bare":
            said["clocks"][name] = (None, (clocks[0] * 1e6,))
            return f"{name} {clocks[0]}"
        load, share = (None, "") if "%" not in style else (percent / 100, f"{percent}%")
        if style == "%":
            said["clocks"][name] = (load, ())
            return f"{name} {share}"
        if "[" not in style:
            said["clocks"][name] = (load, (clocks[0] * 1e6,))
            return f"{name} {share}@{clocks[0]}"
        offs = [rng.random() < 0.2 for _ in clocks]
        hertz = (None if off else mhz * 1e6 for off, mhz in zip(offs, clocks, strict=True))
        said["clocks"][name] = (load, tuple(hertz))
        texts = ("off" if off else str(mhz) for off, mhz in zip(offs, clocks, strict=True))
        return f"{name} {share}@[{','.join(texts)}]"

    return write


def _mts(rng: Random, said: dict[str, Any]) -> str:
    front, back = rng.randint(0, 100), rng.randint(0, 100)
    said["extras"] |= {"mts_fg": front / 100, "mts_bg": back / 100}
    return f"MTS fg {front}% bg {back}%"


def _zone(name: str, values: int) -> Part:
    def write(rng: Random, said: dict[str, Any]) -> str:
        texts = []
        for field in ("temps_c", "temps_peak_c")[:values]:
            thousandths = rng.choice((None, 29_000, *(rng.randint(-60_000, 130_000),) * 3))
            text = "-256" if thousandths is None else f"{thousandths / 1000:.3f}"
            text = text.rstrip("0").rstrip(".") if "." in text else text
            said[field][name] = None if thousandths is None else float(text)
            texts.append(f"{text}C")
        return f"{name}@{'/'.join(texts)}"

    return write


def _rail(name: str, values: int, suffix: str) -> Part:
    def write(rng: Random, said: dict[str, Any]) -> str:
        texts = []
        for field in ("power_w", "power_avg_w", "power_peak_w")[:values]:
            thousandths = rng.choice((0, rng.randint(-50, 300_000)))
            said[field][name] = thousandths / 1000
            texts.append(f"{thousandths}{suffix}")
        return f"{name} {'/'.join(texts)}"

    return write


def _word(text: str) -> Part:
    def write(_rng: Random, said: dict[str, Any]) -> str:
        said["unknown"] += (text,)
        return text

    return write


def _date(rng: Random, said: dict[str, Any]) -> str:
    said["time_s"] = float(rng.randrange(4_000_000_000))
    return f"{datetime.fromtimestamp(said['time_s'], UTC):%m-%d-%Y %H:%M:%S} "


def _unix(rng: Random, said: dict[str, Any]) -> str:
    said["time_s"] = rng.uniform(1e8, 4e9)
    return f"{said['time_s']!r}---"


def _undated(_rng: Random, _said: dict[str, Any]) -> str:
    return ""


def _named(part: Callable[..., Part], names: tuple[str, ...], *more: Any) -> Any:
    chosen = st.lists(st.sampled_from(names), unique=True, max_size=5)
    return chosen.flatmap(
        lambda found: st.tuples(*(st.builds(part, st.just(name), *more) for name in found))
    )


@st.composite
def boards(draw: st.DrawFn) -> tuple[Part, list[Part]]:
    """A dialect nobody has seen before: which parts a line has, in which order and style."""
    parts: list[Part] = [draw(st.builds(_cpu, st.integers(1, 12), st.sampled_from(CPU_STYLES)))]
    for memory in draw(st.lists(st.sampled_from(MEMORIES), unique_by=lambda m: m[0], max_size=3)):
        parts.append(_memory(*memory))
    parts += draw(_named(_engine, ENGINES, st.sampled_from(ENGINE_STYLES), st.integers(1, 3)))
    parts += draw(_named(_zone, ZONES, st.integers(1, 2)))
    parts += draw(_named(_rail, RAILS, st.integers(2, 3), st.sampled_from(["", "mW"])))
    parts += draw(st.sampled_from([[], [_mts], [_rail("VIN", 1, "mW")]]))
    parts += [_word(text) for text in draw(st.lists(st.sampled_from(WORDS), max_size=3))]
    return draw(st.sampled_from([_date, _unix, _undated])), draw(st.permutations(parts))


CPU_STYLES = ("each", "load", "shared")
ENGINE_STYLES = ("bare", "%", "%@", "%@[", "@[", "@")
MEMORIES = (
    ("RAM", "MB", "blocks"),
    ("RAM", "GB", ""),
    ("SWAP", "MB", "cached"),
    ("SWAP", "MB", ""),
    ("IRAM", "kB", "lfb"),
)


def _speak(seed: int, board: tuple[Part, list[Part]]) -> tuple[str, Sample]:
    """One line of a board, and what it says by the way it was made."""
    maps = ("extras", "clocks", "temps_c", "temps_peak_c", "power_w", "power_avg_w", "power_peak_w")
    said: dict[str, Any] = {"time_s": None, "cpus": (), "unknown": (), **{m: {} for m in maps}}
    rng, (stamp, parts) = Random(seed), board
    line = stamp(rng, said) + " ".join(part(rng, said) for part in parts)
    return line, Sample(**said)


@given(board=boards(), seed=st.integers(0, 2**32))
@BOUNDED
def test_every_line_of_a_board_says_what_it_was_made_of(
    board: tuple[Part, list[Part]], seed: int
) -> None:
    for line, sample in (_speak(seed + i, board) for i in range(4)):
        assert parse_line(line) == sample
        assert parse_line(line) == sample
        assert format_line(sample, dialect_of(line)) == line


@given(board=boards(), seed=st.integers(0, 2**32))
@BOUNDED
def test_a_sample_written_in_the_dialect_of_another_line_reads_the_same(
    board: tuple[Part, list[Part]], seed: int
) -> None:
    example, _ = _speak(seed, board)
    _, sample = _speak(seed + 1, board)
    assert parse_line(format_line(sample, dialect_of(example))) == sample
