"""Every backend keeps every promise, and a backend that breaks one is found out."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tiny_board import application, tiny_board

from edgetwin.backend import Applied, Backend, JobResult, run
from edgetwin.checks import BACKEND_CHECKS, ConformanceError, check_backend
from edgetwin.replay import Replay
from edgetwin.scenario import load_scenario
from edgetwin.simulator import Simulator
from hw_models.board import Knobs, board_names, load_board
from hw_models.jobs import Job
from hw_models.trace import Reading, Trace


@pytest.mark.parametrize("name", board_names())
def test_the_simulator_of_every_shipped_board_keeps_its_promises(name: str) -> None:
    check_backend(lambda: Simulator(load_board(name)))


def test_the_simulator_of_the_tiny_board_keeps_its_promises() -> None:
    board = tiny_board()
    check_backend(lambda: Simulator(board), job=application())


def test_the_simulator_under_a_scenario_keeps_its_promises() -> None:
    board, scenario = load_board("hikey970"), load_scenario("mixed-20")
    check_backend(lambda: Simulator(board, scenario=scenario, seed=3))


@pytest.mark.parametrize(
    ("name", "scenario"), [("hikey970", "mixed-20"), ("jetson-tx2", "train-cap")]
)
def test_a_recording_of_a_run_keeps_its_promises(name: str, scenario: str) -> None:
    board = load_board(name)
    simulator = Simulator(board, scenario=load_scenario(scenario))
    trace = run(simulator, lambda reading: Knobs(), duration_s=20.0).trace
    check_backend(lambda: Replay(board, trace), can_submit=False)


class Mutant:
    """A simulator of the tiny board; each subclass-free variant breaks one promise."""

    def __init__(self, **broken: Callable[..., Any]) -> None:
        self._real = Simulator(tiny_board())
        self._broken = broken
        self.board = self._real.board

    def _call(self, name: str, *arguments: Any, **named: Any) -> Any:
        result = getattr(self._real, name)(*arguments, **named)
        return self._broken[name](self, result) if name in self._broken else result

    @property
    def done(self) -> bool:
        return self._real.done

    def reset(self, *, seed: int | None = None, scenario: Any = None) -> Reading:
        reading: Reading = self._call("reset", seed=seed, scenario=scenario)
        return reading

    def submit(self, job: Job, unit: str | None = None) -> str:
        return str(self._call("submit", job, unit))

    def apply(self, knobs: Knobs) -> Applied:
        applied: Applied = self._call("apply", knobs)
        return applied

    def advance(self, dt_s: float) -> Trace:
        trace: Trace = self._call("advance", dt_s)
        return trace

    def results(self) -> tuple[JobResult, ...]:
        results: tuple[JobResult, ...] = self._call("results")
        return results

    def kpis(self) -> dict[str, float | None]:
        kpis: dict[str, float | None] = self._call("kpis")
        return kpis

    def close(self) -> None:
        self._call("close")


def edited(**changes: Callable[[Reading], Any]) -> Callable[[Mutant, Trace], Trace]:
    """Every reading of an advance with some fields made anew from it."""

    def edit(reading: Reading) -> Reading:
        return replace(reading, **{name: make(reading) for name, make in changes.items()})

    return lambda mutant, trace: Trace.from_readings([edit(reading) for reading in trace])


def _forgets_the_clock(mutant: Mutant, applied: Applied) -> Applied:
    for domain in applied.accepted.freq_hz:
        mutant._real.apply(Knobs(freq_hz={domain: 0.5e9 if domain != "gpu" else 0.4e9}))
    return applied


def _without_last(mapping: Any) -> dict[str, Any]:
    return dict(list(mapping.items())[:-1])


def _raises_again(mutant: Mutant, result: None) -> None:
    if getattr(mutant, "closed", False):
        raise RuntimeError("closed already")
    mutant.closed = True  # type: ignore[attr-defined]


def _counting(mutant: Mutant, result: Any) -> float:
    mutant.count = getattr(mutant, "count", 0) + 1  # type: ignore[attr-defined]
    return float(mutant.count)  # type: ignore[attr-defined]


MUTANTS: dict[str, tuple[dict[str, Callable[..., Any]], str]] = {
    "starts late": (
        {"reset": lambda m, reading: replace(reading, t_s=0.1)},
        "A reset gives the reading at 0 s",
    ),
    "is random": (
        {"advance": lambda m, t: edited(cap_w=lambda r: _counting(m, r))(m, t)},
        "The same seed gives the same readings",
    ),
    "oversleeps": ({"advance": edited(t_s=lambda r: r.t_s + 0.01)}, "dt_s later"),
    "loses a zone": (
        {"advance": edited(temps_c=lambda r: _without_last(r.temps_c))},
        "temps_c has cpu; the board has cpu, skin",
    ),
    "swaps its units": (
        {"advance": edited(busy=lambda r: dict(reversed([*r.busy.items()])))},
        "every zone, rail, domain and unit of the board, in its order",
    ),
    "reads no number": (
        {"advance": edited(temps_c=lambda r: {**r.temps_c, "cpu": float("nan")})},
        "temps_c.cpu is nan",
    ),
    "hides its power": (
        {"advance": edited(power_w=lambda r: None)},
        "None on a board without a rail, and only there",
    ),
    "runs between its clocks": (
        {"advance": edited(freq_hz=lambda r: {**r.freq_hz, "big": 1.23e9})},
        "big runs at 1230000000.0 Hz",
    ),
    "is busier than busy": (
        {"advance": edited(busy=lambda r: {**r.busy, "big0": 1.2})},
        "big0 is busy by 1.2",
    ),
    "gains energy": ({"advance": edited(energy_j=lambda r: 5.0 - r.t_s)}, "energy_j counts up"),
    "accepts and forgets": (
        {"apply": _forgets_the_clock},
        "runs in the next readings, or is refused with a reason",
    ),
    "refuses without a reason": (
        {"apply": lambda m, applied: Applied(accepted=Knobs(), refused={})},
        "is neither accepted nor refused, or both",
    ),
    "refuses by half as recorded": (
        {
            "apply": lambda m, applied: Applied(
                accepted=replace(applied.accepted, freq_hz=_without_last(applied.accepted.freq_hz)),
                refused={f"freq_hz.{d}": "recorded" for d in list(applied.accepted.freq_hz)[-1:]},
            )
        },
        'refuses every knob with the reason "recorded"',
    ),
    "gives every job one name": (
        {"submit": lambda m, ident: "job"},
        "two jobs share an id",
    ),
    "puts jobs elsewhere": (
        {
            "advance": edited(
                jobs=lambda r: {k: replace(job, unit="big0") for k, job in r.jobs.items()}
            )
        },
        "and runs on big0",
    ),
    "forgets its jobs": ({"results": lambda m, results: ()}, "results() lacks"),
    "counts to infinity": (
        {"kpis": lambda m, kpis: {**kpis, "peak_power_w": float("inf")}},
        "peak_power_w is inf",
    ),
    "closes once": ({"close": _raises_again}, "Closing twice is fine"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_backend_that_breaks_a_promise_is_found_out(name: str) -> None:
    broken, said = MUTANTS[name]
    with pytest.raises(ConformanceError) as caught:
        check_backend(lambda: Mutant(**broken), job=application())
    text = str(caught.value)
    assert text.startswith("Mutant breaks a promise. ")
    assert said in text
    assert "\n" not in text


def test_the_mutants_are_sound_apart_from_what_they_break() -> None:
    check_backend(Mutant, job=application())


class Timeless(Mutant):
    """It takes any time and any name."""

    def advance(self, dt_s: float) -> Trace:
        return super().advance(dt_s if dt_s > 0 and dt_s < 1e9 else 0.0)


def test_a_backend_that_takes_any_time_is_found_out() -> None:
    with pytest.raises(ConformanceError, match=r"advance\(-1\.0\) was accepted; expected ValueErr"):
        check_backend(Timeless, job=application())


class Careless(Mutant):
    """It ignores what it does not know."""

    def apply(self, knobs: Knobs) -> Applied:
        try:
            return super().apply(knobs)
        except (KeyError, ValueError):
            return Applied(accepted=knobs)


def test_a_backend_that_ignores_unknown_names_is_found_out() -> None:
    with pytest.raises(ConformanceError, match="was accepted; expected"):
        check_backend(Careless, job=application())


class Restless(Mutant):
    """Its old readings follow the board."""

    def reset(self, *, seed: int | None = None, scenario: Any = None) -> Reading:
        reading = super().reset(seed=seed, scenario=scenario)
        self.shared = dict(reading.temps_c)
        return replace(reading, temps_c=self.shared)

    def advance(self, dt_s: float) -> Trace:
        last = super().advance(dt_s).last
        self.shared.update({zone: (c or 0.0) + dt_s for zone, c in last.temps_c.items()})
        return Trace.from_readings([last])


def test_a_backend_whose_old_readings_change_is_found_out() -> None:
    with pytest.raises(ConformanceError, match="the first reading has changed since"):
        check_backend(Restless, job=application())


def test_something_without_the_methods_is_no_backend() -> None:
    class Half:
        board = tiny_board()

        def close(self) -> None:
            pass

    with pytest.raises(ConformanceError, match="a method or attribute of Backend is missing"):
        check_backend(Half)  # type: ignore[arg-type]


def test_a_recording_must_refuse_jobs() -> None:
    with pytest.raises(ConformanceError, match="takes no jobs says so with a ValueError"):
        check_backend(lambda: Simulator(tiny_board()), can_submit=False, job=application())


def test_every_promise_is_said_in_a_sentence() -> None:
    said = [str(check.__doc__).partition("\n")[0] for check in BACKEND_CHECKS]
    assert all(line.endswith(".") for line in said)
    assert len({*said}) == len(said) >= 20


def test_backends_are_closed_whatever_happens() -> None:
    closed: list[Backend] = []

    class Careful(Mutant):
        def close(self) -> None:
            closed.append(self)

    with pytest.raises(ConformanceError):
        check_backend(lambda: Careful(reset=lambda m, r: replace(r, t_s=1.0)), job=application())
    assert len(closed) == 1
