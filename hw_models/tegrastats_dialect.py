"""The grammar of tegrastats: what each token of a line says.

A line is a row of tokens of few kinds, told apart by their punctuation alone; nothing here knows a
board. A dialect is the order and the punctuation of the tokens of one example line. Covers L4T R28
to R39 (JetPack 3 to 7).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, final

Busy = tuple[float | None, tuple[float | None, ...]]

NUMBER: Final = r"-?\d+\.?\d*"
OFFLINE_C: Final = -256.0
PERCENT: Final = 100.0
MILLI: Final = 1000.0
MEGA: Final = 1e-6  # x / 1e-6 is exact for whole x below 2**33: the error is under half an ulp
_BYTES: Final = {"kB": 2.0**-10, "MB": 2.0**-20, "GB": 2.0**-30}
POWERS: Final = ("power_w", "power_avg_w", "power_peak_w")

_NAME: Final = r"[^\s@/%\[\](),]+"
_ENGINE: Final = r"(?:APE|NV(?:ENC|DEC|JPG)\d*|MSENC|VIC|VI|ISP|OFA|DLA\d*|PVA\d*|SE\d*|\w+_FREQ)"
_CORE: Final = rf"(?:off|{NUMBER}%(?:@{NUMBER})?)"
_CLOCK: Final = rf"(?:off|{NUMBER})"
_CLOCKS: Final = rf"@(?:{NUMBER}|\[{_CLOCK}(?:,{_CLOCK})*\])"
_SIZE: Final = r"\d+[kMG]B"
_TIMES: Final = {
    "unix": re.compile(rf"()({NUMBER}---\s*)", re.ASCII),
    "stamp": re.compile(r"()(\d\d-\d\d-\d{4} \d\d:\d\d:\d\d)(?!\S)\s*", re.ASCII),
}
_FORMS: Final = {
    "memory": rf"(RAM|SWAP|IRAM)( \d+/{_SIZE}(?: ?\((?:lfb (?:\d+x)?|cached ){_SIZE}\))?)",
    "cpu": rf"()((?:CPU|cpu) \[{_CORE}(?:,{_CORE})*\](?:@{NUMBER})?)",
    "mts": rf"(MTS)( fg {NUMBER}% bg {NUMBER}%)",
    "temp": rf"({_NAME})(@{NUMBER}C(?:/{NUMBER}C)?)",
    "unused": r"()(NC \S+)",
    "rail": rf"((?!RAM |SWAP |IRAM ){_NAME})( {NUMBER}(?:mW|(?:mW)?(?:/{NUMBER}(?:mW)?){{1,2}}))",
    "clock": rf"({_NAME})( (?:off|{NUMBER}%(?:{_CLOCKS})?|{_CLOCKS}))",
    "bare": rf"({_ENGINE})( {NUMBER})",
    "word": r"()(\S+)",
}
_TOKENS: Final = {kind: re.compile(rf"{form}(?!\S)\s*", re.ASCII) for kind, form in _FORMS.items()}
_PLACES: Final = {"bare": "clock"}
_NUMBERS: Final = re.compile(NUMBER, re.ASCII)
TEXTS: Final = ("stamp", "unused", "word")
_EMPTY: Final[Mapping[str, Any]] = {}


@final
class Sample(NamedTuple):
    """What one line of tegrastats says, in SI units.

    ``time_s`` is the log's own clock, taken for UTC, since 1970; None without a stamp. ``cpus`` has
    (load, clock in Hz) per core and ``clocks`` (load, clocks in Hz) per engine; loads are shares in
    [0, 1], None is what the line leaves out, a core that is off is (None, None) and an engine that
    is off (None, ()). A zone that is offline (-256C) is None. Of two temperatures the second is
    read as the highest so far; of a rail's values the first is now, the second the mean since
    tegrastats started and the third the highest so far (meaning of second and third: assumed).
    ``extras`` has memory in bytes and counts; ``unknown`` every token that fits no form.
    """

    time_s: float | None = None
    cpus: tuple[tuple[float | None, float | None], ...] = ()
    clocks: Mapping[str, Busy] = _EMPTY
    extras: Mapping[str, float] = _EMPTY
    temps_c: Mapping[str, float | None] = _EMPTY
    temps_peak_c: Mapping[str, float | None] = _EMPTY
    power_w: Mapping[str, float] = _EMPTY
    power_avg_w: Mapping[str, float] = _EMPTY
    power_peak_w: Mapping[str, float] = _EMPTY
    unknown: tuple[str, ...] = ()

    @property
    def gpu(self) -> Busy | None:
        """The GPU's load and the clock of each of its clusters; None where the line has none."""
        return self.clocks.get("GR3D_FREQ") or self.clocks.get("GR3D")

    @property
    def emc(self) -> Busy | None:
        """The memory controller's load and clock; None where the line has none."""
        return self.clocks.get("EMC_FREQ") or self.clocks.get("EMC")


@final
class Hole(NamedTuple):
    """One number (or unknown word) of a token: the place it fills in a Sample, and its divisor."""

    field: str
    key: Any
    divisor: float = 1.0


@final
@dataclass(frozen=True, slots=True)
class Token:
    """One token of a dialect: fixed text around holes; ``size`` counts its cores or clocks."""

    kind: str
    name: str
    pieces: tuple[str, ...]
    holes: tuple[Hole, ...]
    size: int = 0


Dialect = tuple[Token, ...]


def tokenize(line: str) -> tuple[Dialect, tuple[str, ...]]:
    """A line splits into tokens and the texts in their holes; only white space between is lost."""
    tokens: list[Token] = []
    texts: list[str] = []
    taken: set[tuple[str, str]] = set()
    at, forms = 0, _TIMES | _TOKENS
    line = line.strip()
    while at < len(line):
        kind, found = _first_form(line, at, forms, taken)
        name, said = found[1], found[2]
        holes, size = _READ[kind](name, said)
        whole = kind in TEXTS
        before, *pieces = ("", "") if whole else _NUMBERS.split(said)
        texts += [said] if whole else _NUMBERS.findall(said)
        tokens.append(Token(kind, name, (name + before, *pieces), tuple(holes), size))
        taken |= set() if whole else {(_PLACES.get(kind, kind), name)}
        at, forms = found.end(), _TOKENS
    return tuple(tokens), tuple(texts)


def _first_form(
    line: str, at: int, forms: Mapping[str, re.Pattern[str]], taken: set[tuple[str, str]]
) -> tuple[str, re.Match[str]]:
    """The first form that fits is the token, unless its place in a Sample is filled already."""
    for kind, form in forms.items():
        found = form.match(line, at)
        if found and (_PLACES.get(kind, kind), found[1]) not in taken:
            return kind, found
    raise ValueError(f"no token at {line[at : at + 40]!r}; expected a word.")


_Holes = tuple[list[Hole], int]


def _read_memory(name: str, said: str) -> _Holes:
    """RAM used, total and largest free blocks; IRAM alike; SWAP used, total and cached."""
    sizes = [_BYTES[unit] for unit in re.findall("[kMG]B", said)]
    says = [("used_bytes", sizes[0]), ("total_bytes", sizes[0])]
    if "x" in said:
        says += [("lfb_blocks", 1.0), ("lfb_block_bytes", sizes[1])]
    elif len(sizes) > 1:
        says.append(("cached_bytes" if "cached" in said else "lfb_bytes", sizes[1]))
    return [Hole("extras", f"{name.lower()}_{what}", divisor) for what, divisor in says], 0


def _read_cpu(_name: str, said: str) -> _Holes:
    """Each core tells load and clock; where one clock follows the list, it is every core's."""
    cores = said[said.index("[") + 1 : said.index("]")].split(",")
    holes: list[Hole] = []
    for core, text in enumerate(cores):
        holes += [Hole("core_load", core, PERCENT)] if "%" in text else []
        holes += [Hole("core_hz", core, MEGA)] if "@" in text else []
    holes += [] if said.endswith("]") else [Hole("cores_hz", None, MEGA)]
    return holes, len(cores)


def _read_clock(name: str, said: str) -> _Holes:
    """An engine tells load, clock, or a clock for each of its clusters."""
    load, at, clocks = said.partition("@")
    hertz = clocks.strip("[]").split(",") if at else []
    holes = [Hole("load", name, PERCENT)] if "%" in load else []
    holes += [Hole("hz", (name, i), MEGA) for i, text in enumerate(hertz) if text != "off"]
    return holes, len(hertz)


_READ: Final[Mapping[str, Callable[[str, str], _Holes]]] = {
    "unix": lambda _name, _said: ([Hole("unix", None)], 0),
    "stamp": lambda _name, _said: ([Hole("stamp", None)], 0),
    "memory": _read_memory,
    "cpu": _read_cpu,
    "mts": lambda _name, _said: ([Hole("extras", f"mts_{c}", PERCENT) for c in ("fg", "bg")], 0),
    "temp": lambda name, said: (
        [Hole(field, name) for field in ("temps_c", "temps_peak_c")[: said.count("C")]],
        0,
    ),
    "rail": lambda name, said: (
        [Hole(field, name, MILLI) for field in POWERS[: said.count("/") + 1]],
        0,
    ),
    "clock": _read_clock,
    "bare": lambda name, _said: ([Hole("hz", (name, 0), MEGA)], 1),
    "unused": lambda _name, _said: ([Hole("unknown", None)], 0),
    "word": lambda _name, _said: ([Hole("unknown", None)], 0),
}
