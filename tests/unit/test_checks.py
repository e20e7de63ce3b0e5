"""check_board: what is shipped passes, what could not stand on a desk does not."""

from typing import Any

import pytest
from tiny_board import tiny_board, trip

from edgetwin.checks import BOARD_CHECKS, ConformanceError, check_board
from hw_models.board import board_names, load_board

BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "too hot at rest": ({"power.baseline.rest.power_w": 30.0}, "settles between"),
    "trips at rest": ({"limits.trips": [trip("throttle", 31.0)]}, "cpu rests at"),
    "burns at full load": ({"power.units.gpu.active_capacitance_f": 3e-7}, "settles between"),
    "slower than a day": (
        {"thermal.capacity_j_per_k": [0.05, 0.1, 0.2, 2.0, 1e5]},
        "with the fan at level 0",
    ),
    "less power at a higher clock": (
        {"clocks.big.volts_v": [1.2, 0.8, 0.7, 0.6]},
        "big draws less at [1000000000.0] Hz",
    ),
    "a fan that heats": (
        {"thermal.cooling": "swapped"},
        "fan levels 0, 1, ... give",
    ),
    "too many operating points": ({"clocks.mem": "long"}, "the simulator holds"),
}


def broken(name: str) -> Any:
    changes = dict(BROKEN[name][0])
    if changes.get("thermal.cooling") == "swapped":
        ways = tiny_board().thermal.model_dump(mode="python")["cooling"]
        for way in ways:
            way["conductance_w_per_k"]["value"] = way["conductance_w_per_k"]["value"][::-1]
        changes["thermal.cooling"] = ways
    if changes.get("clocks.mem") == "long":
        clock = tiny_board().clocks["mem"].model_dump(mode="python")
        for key, values in (
            ("freqs_hz", [1e8 + 1e7 * i for i in range(60)]),
            ("volts_v", [1.1] * 60),
            ("transition_s", [0.0] * 60),
        ):
            clock[key]["value"] = values
            clock[key]["std"] = 0.0
        changes["clocks.mem"] = clock
    return tiny_board(changes)


@pytest.mark.parametrize("name", board_names())
def test_every_shipped_board_is_sane(name: str) -> None:
    check_board(name)


def test_the_tiny_board_is_sane() -> None:
    check_board(tiny_board())


@pytest.mark.parametrize("name", BROKEN)
def test_a_board_that_could_not_be_is_named_in_one_line(name: str) -> None:
    with pytest.raises(ConformanceError) as caught:
        check_board(broken(name))
    text = str(caught.value)
    assert text.startswith("tiny breaks a promise. ")
    assert BROKEN[name][1] in text
    assert "\n" not in text


def test_a_board_that_throttles_may_be_too_hot_at_its_highest_clocks() -> None:
    hot = {"power.units.gpu.active_capacitance_f": 4e-8}
    with pytest.raises(ConformanceError, match="if need be by throttling"):
        check_board(tiny_board(hot))
    check_board(tiny_board(hot | {"limits.trips": [trip("throttle", 90.0, domains=("gpu",))]}))


def test_every_promise_is_said_in_a_sentence() -> None:
    for check in BOARD_CHECKS:
        assert check.__doc__
        assert check.__doc__.partition("\n")[0].endswith(".")


def test_there_must_be_a_board_to_check() -> None:
    with pytest.raises(KeyError, match="Did you mean 'hikey970'"):
        check_board("hikey97")
    assert load_board("hikey970").name == "hikey970"
