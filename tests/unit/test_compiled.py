"""Compiled equations are the Python equations, and are compiled anew when any of them changes."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_board import tiny_board, trip

from edgetwin.kernel import advance
from edgetwin.kernel.sensors import gauss, rounded
from hw_models import compiled, heat, limits, power
from hw_models.performance import contention, roof_s

ROOT = Path(compiled.__file__).parents[1]
PACKAGES = ("hw_models", "edgetwin")
LAW, DT_S = np.array([25.0, 0.02, 2e-4, 1.5e-6, 0.0, 150.0]), 0.05


def files_with_compiled_code() -> list[str]:
    """Every module that imports the decorators, named from the root."""
    found = []
    for file in sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py")):
        names = [
            line.split(" import ")[1]
            for line in file.read_text(encoding="utf-8").splitlines()
            if line.startswith("from hw_models.compiled import ")
        ]
        if any(name in ("jit", "inline", "merged") for line in names for name in line.split(", ")):
            found.append(file.relative_to(ROOT).as_posix())
    return found


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of both packages, somewhere else."""
    root = tmp_path_factory.mktemp("sources")
    for name in PACKAGES:
        only_python = shutil.ignore_patterns("__pycache__", "*.csv", "*.toml")
        shutil.copytree(ROOT / name, root / name, ignore=only_python)
    return root


def stamp_of(name: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The stamp that the compiled code of a module would get, were the packages there."""
    monkeypatch.setattr(compiled, "__file__", str(root / "hw_models" / "compiled.py"))
    sources: Any = compiled._sources
    return str(sources.__wrapped__((root / name).parent))


def test_compiled_code_is_where_it_is_looked_for() -> None:
    found = files_with_compiled_code()
    assert {"hw_models/heat.py", "edgetwin/kernel/loop.py"} <= set(found)
    assert len(found) > 8


@pytest.mark.parametrize("name", files_with_compiled_code())
def test_editing_one_source_changes_the_stamp(
    name: str, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stamp_of(name, copied, monkeypatch)
    assert before == stamp_of(name, ROOT, monkeypatch)
    file = copied / name
    text = file.read_text(encoding="utf-8")
    file.write_text(text + "\n# another equation\n", encoding="utf-8")
    assert stamp_of(name, copied, monkeypatch) != before
    file.write_text(text, encoding="utf-8")
    assert stamp_of(name, copied, monkeypatch) == before
    physics = copied / "hw_models" / "heat.py"
    text = physics.read_text(encoding="utf-8")
    physics.write_text(text + "\n# another step\n", encoding="utf-8")
    assert stamp_of(name, copied, monkeypatch) != before
    physics.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("function", [advance, heat.heat_step, power.part_powers])
def test_machine_code_on_disk_bears_the_stamp(function: Any) -> None:
    room = Path(function.py_func.__code__.co_filename).parent
    assert function._cache._cache_file._source_stamp[1] == compiled._sources(room)


def test_machine_code_is_known_to_be_there_once_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module written now has no machine code; after its first call it has."""
    (tmp_path / "fresh_equation.py").write_text(
        "from hw_models.compiled import jit\n\n\n@jit\ndef half(x):\n    return 0.5 * x\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    import fresh_equation  # type: ignore[import-not-found]

    assert not compiled.cached(fresh_equation.half)
    assert fresh_equation.half(3.0) == 1.5
    assert compiled.cached(fresh_equation.half)


# -- the same results without the compiler --------------------------------------------------------


def plain(function: Any) -> Callable[..., Any]:
    """The function as it stands in the file."""
    found: Callable[..., Any] = function.py_func
    return found


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (roof_s, [(3.0, 4.0, 2.3), (0.0, 1.0, 1.0), (5.0, 0.0, 7.0), (2.0, 2.0, 1e9)]),
        (contention, [(0.0, 0.1, 0.0, 1.0), (3.0, 0.08, 0.7, 0.9), (1.0, 0.1, 9.0, 1.0)]),
        (power.switching_w, [(1e-9, 1e-10, 0.7, 0.9, 2e9), (0.0, 0.0, 1.0, 1.0, 1e9)]),
        (
            power.leakage_shape,
            [(t, 25.0, 0.02, 2e-4, 1.5e-6, 0.0, 150.0) for t in (-40.0, 25.0, 80.0, 300.0)],
        ),
        (rounded, [(21.3, 0.5), (21.25, 0.0), (-3.2, 0.216)]),
    ],
)
def test_an_equation_of_a_line_is_the_same_compiled(
    function: Any, arguments: list[tuple[float, ...]]
) -> None:
    for given in arguments:
        assert function(*given) == pytest.approx(plain(function)(*given), rel=1e-14)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (12, 9), (21, 17), (68, 30)])
def test_a_thermal_step_is_the_same_in_plain_arithmetic(n: int, m: int) -> None:
    """Inputs and one step on random numbers, against the equations written with numpy."""
    rng = np.random.default_rng(11)
    start, power_w, gain_w = rng.uniform(0, 50, n), rng.uniform(0, 3, m), rng.uniform(0, 1, m)
    see, warm = rng.uniform(0, 0.3, (n, m)), rng.uniform(0, 0.3, (m, n))
    inflow, tau_s = rng.uniform(0, 9, n), np.geomspace(1e-2, 1e3, n)
    factors = np.zeros((3, len(heat.wide(tau_s))))
    heat.exponentials(heat.wide(tau_s, 1.0), DT_S, *factors)
    decay, phi1, phi2 = factors[:, :n]

    leak_w = gain_w * leakage(start @ see)
    push = inflow + (power_w + leak_w) @ warm
    predicted = decay * start + phi1 * push
    change_w = gain_w * leakage(predicted @ see) - leak_w
    more = change_w @ warm
    energy_j = (power_w + leak_w + change_w / 2) * DT_S
    expected = [predicted + phi2 * more, push + more, leak_w + change_w, energy_j]

    wide = [heat.wide(x) for x in (start, power_w, gain_w, see, warm, inflow)]
    modes, power, gain, sees, heats, pushes = wide
    leaks, energies, scratch = np.zeros((3, len(power)))
    heat.heat_inputs(n, m, modes, power, gain, LAW, pushes, sees, heats, leaks, pushes, scratch)
    heat.heat_step(
        n, m, DT_S, modes, pushes, leaks, power, gain, LAW, sees, heats, *factors, energies,
        scratch,
    )  # fmt: skip
    found = [modes[:n], pushes[:n], leaks[:m], energies[:m]]
    for x, y in zip(found, expected, strict=True):
        assert x == pytest.approx(y, rel=1e-11, abs=1e-11)
    assert not np.any(np.concatenate([modes[n:], leaks[m:], energies[m:]]))


def leakage(temps_c: Any) -> Any:
    """The cubic of LAW, written out."""
    d = np.clip(temps_c, 0.0, 150.0) - 25.0
    return 1.0 + d * (0.02 + d * (2e-4 + d * 1.5e-6))


def test_the_power_of_parts_is_the_same_compiled() -> None:
    rng = np.random.default_rng(11)
    temps_c, power_w, gain_w = rng.uniform(0, 50, 12), rng.uniform(0, 3, 9), rng.uniform(0, 1, 9)
    at = rng.integers(0, 12, 9)
    compiled_w = heat.part_heat_w(temps_c, at, power_w, gain_w, LAW)
    assert compiled_w == pytest.approx(plain(heat.part_heat_w)(temps_c, at, power_w, gain_w, LAW))
    assert compiled_w == pytest.approx(power_w + gain_w * leakage(temps_c[at]))


def test_power_of_the_parts_is_the_same_compiled() -> None:
    board = tiny_board()
    record = board.lower().record
    rng = np.random.default_rng(2)
    results = []
    busy, activity = rng.uniform(0, 1, 14), rng.uniform(0, 1, 24)
    online = np.array([1, 0, 1, 1, 1] + [1] * 9)
    level = np.array([2, 1, 0, 1, 0, 0, 0, 0])
    for function, b in (
        (power.part_powers, record[0]),
        (plain(power.part_powers), record.view(np.recarray)[0]),
    ):
        acts, power_w, gain_w = activity.copy(), np.zeros(24), np.zeros(24)
        function(b, level, busy, acts, 1.3e9, 1, online, power_w, gain_w)
        results.append(np.concatenate([acts, power_w, gain_w]))
    assert results[0] == pytest.approx(results[1], rel=1e-13)
    assert results[0][24 + 1] == 0.0  # the core that is switched off


def test_fan_trips_are_the_same_compiled() -> None:
    trips = [trip("fan", 40.0, fan_level=1), trip("fan", 50.0, fan_level=2), trip("shutdown", 99.0)]
    record = tiny_board({"limits.trips": trips}).lower().record
    expected = {(39.0, 0): 0, (40.0, 0): 1, (36.0, 1): 1, (35.0, 1): 0, (46.0, 2): 2, (60.0, 0): 2}
    for (temp_c, fan), level in expected.items():
        zones_c = np.full(12, temp_c)
        assert limits.fan_by_trips(record[0], zones_c, fan) == level
        assert plain(limits.fan_by_trips)(record.view(np.recarray)[0], zones_c, fan) == level
    assert limits.fan_by_trips(record[0], np.full(12, np.nan), 2) == 0


def test_random_numbers_are_the_same_compiled() -> None:
    with np.errstate(over="ignore"):
        for tick in (0, 1, 977, 2**40):
            for channel in (0, 5, 23):
                key = np.uint64(0xDEADBEEFCAFEBABE)
                expected = box_muller(int(key), 2 * (tick * 64 + channel))
                assert gauss(key, tick, channel) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def box_muller(key: int, counter: int) -> float:
    """A standard normal number from two words of splitmix64, by Python's own logarithm."""

    def share(number: int) -> float:
        word = (1 << 64) - 1
        x = (key + (number + 1) * 0x9E3779B97F4A7C15) & word
        x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & word
        x = ((x ^ x >> 27) * 0x94D049BB133111EB) & word
        return ((x ^ x >> 31) >> 11) / 2**53

    radius = math.sqrt(-2.0 * math.log(1.0 - share(counter)))
    return radius * math.cos(2.0 * math.pi * share(counter + 1))


def test_endless_work_keeps_its_meaning_under_fast_arithmetic() -> None:
    """Sums may be reordered, but infinity minus something is infinity and NaN is NaN."""
    assert roof_s(3.0, 4.0, float("inf")) == 4.0
    assert np.isnan(roof_s(float("nan"), 4.0, 2.0))
