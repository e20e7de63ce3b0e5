"""Every dimensional number carries its SI unit at the end of its name."""

import ast
from fnmatch import fnmatchcase

import pytest
from source_trees import PACKAGES, parsed, python_files, shown
from unit_names import findings
from value_kinds import Index, index_of

_INTEGER_CLOCK = "the kernel counts whole nanoseconds: no loop waits for a float's remainder"
# (files, names) -> why these names may stay as they are; an entry that matches nothing fails.
ALLOWED = {
    ("edgetwin/kernel*", "*_ns"): _INTEGER_CLOCK,
    ("edgetwin/simulator*", "*_ns"): _INTEGER_CLOCK,
    ("edgetwin/fleet/*", "*_ns"): _INTEGER_CLOCK,
    ("hw_models/lowering.py", "*_ns"): _INTEGER_CLOCK,
    ("edgetwin/hardware/*", "*_ns"): _INTEGER_CLOCK,
    ("edgetwin/virtual/*", "*_ns"): _INTEGER_CLOCK,
    ("edgetwin/envs/*", "*_ns"): _INTEGER_CLOCK,
    ("edgetwin/systems/thermal/*", "*_ns"): _INTEGER_CLOCK,
}


@pytest.fixture(scope="module")
def index() -> Index:
    return index_of(parsed(path) for path in python_files(*PACKAGES))


def test_every_dimensional_name_ends_in_its_unit(index: Index) -> None:
    found = {
        (shown(path), finding.name): f"{shown(path)}:{finding.line} {finding.name} {finding.why}"
        for path in python_files(*PACKAGES)
        for finding in findings(parsed(path), index)
    }
    wrong = [line for place, line in found.items() if not _is_allowed(*place)]
    assert not wrong, "\n".join(wrong)
    stale = [entry for entry in ALLOWED if not any(_matches(entry, *place) for place in found)]
    assert not stale, f"take these out of ALLOWED, nothing is found there any more: {stale}"


def _is_allowed(file: str, name: str) -> bool:
    return any(_matches(entry, file, name) for entry in ALLOWED)


def _matches(entry: tuple[str, str], file: str, name: str) -> bool:
    return fnmatchcase(file, entry[0]) and fnmatchcase(name, entry[1])


def _names(source: str) -> list[str]:
    tree = ast.parse(source)
    return [finding.name for finding in findings(tree, index_of([tree]))]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("def f(temp: float) -> None: ...", "temp"),
        ("def f(temp) -> None: ...", "temp"),
        ("def f(*, max_power: 'NDArray[np.float64]') -> None: ...", "max_power"),
        ("def f(freqs: dict[str, float]) -> None: ...", "freqs"),
        ("class A:\n    capacity: list[float]", "capacity"),
        ("class A:\n    capacity: Quantity[float] | None = None", "capacity"),
        ("AMBIENT = 25.0", "AMBIENT"),
        ("def f():\n    idle_power, n = 0.5, 2", "idle_power"),
        ("def f(x):\n    power = x.total()", "power"),
        ("def f(self):\n    self.period = 0.05", "period"),
        ("def f(x):\n    for freq in x:\n        pass", "freq"),
        ("temps = np.zeros(3)", "temps"),
        ("temps_c_max = np.zeros(3)", "temps_c_max"),
        ("state = np.dtype([('energy', 'f8')])", "energy"),
        ("def power() -> float: ...\nlast_power = power()", "last_power"),
        ("def f(freq_mhz: str) -> None: ...", "freq_mhz"),
        ("step_ms = 50", "step_ms"),
        ("def total_power_mw() -> float: ...", "total_power_mw"),
    ],
)
def test_a_name_without_its_unit_is_found(source: str, name: str) -> None:
    assert _names(source) == [name]


@pytest.mark.parametrize(
    "source",
    [
        "def f(temp_c: float, power_w, energy_j_per_sample: float) -> None: ...",
        "def f(conductance_w_per_k: float, leak_power_w_per_v2: float) -> None: ...",
        "def f(power: PowerModel, temp_path: str, freqs: dict[str, Domain]) -> None: ...",
        "def f(mode: Literal['power'], latency: Callable[[float], float]) -> None: ...",
        "n_temps = 3",
        "power_share = 0.5",
        "time_index = 3",
        "power = PowerModel(1.0)",
        "class B:\n    power: PowerModel\ndef f(board):\n    power = board.power",
        "def thermal() -> Network: ...\ntemps = thermal()",
        "over_time = a > b",
        "ambient = 'steady'",
        "timestep = 3",
        "Time = Annotated[float, Field(ge=0)]",
    ],
)
def test_a_name_with_its_unit_or_none_to_carry_passes(source: str) -> None:
    assert _names(source) == []
