"""A pytest plugin: run a policy on a twin and hold it against limits and a baseline.

    from edgetwin.pytest_plugin import assert_gate

    @pytest.mark.edgetwin(board="hikey970", scenario="gate-mix", seeds=10)
    def test_my_policy(policy_report):
        assert_gate(policy_report("mine.py:make"), max_temp_c=60, baseline="main.json")

Board, scenario, seeds and duration come from the mark `edgetwin`, else from the ini options
`edgetwin_board` and so on, else they are a HiKey 970, `gate-mix` and 10 seeds.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from edgetwin.gates import PolicyReport, Verdict
    from edgetwin.scenario import Scenario
    from edgetwin.simulator import Simulator

MakeReport = Callable[..., "PolicyReport"]
"""What the fixture `policy_report` is."""

OPTIONS: Final = {
    "board": "board of the fixtures: a name or a board.toml",
    "scenario": "scenario of the fixtures: a name or a file",
    "seeds": "how many seeds a policy report has",
    "duration_s": "simulated seconds at most",
}
DEFAULTS: Final = {"board": "hikey970", "scenario": "gate-mix", "seeds": 10, "duration_s": None}


def assert_gate(report: "PolicyReport", **asked: Any) -> "Verdict":
    """Pass a policy, or say in words which figure is worse than allowed; see `edgetwin.gates`.

    max_temp_c, max_violation, limits={figure: most}, baseline="main.json", tolerance={figure: by}.
    """
    from edgetwin.gates import assert_gate as held

    return held(report, **asked)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the plugin."""
    group = parser.getgroup("edgetwin")
    group.addoption(
        "--edgetwin-update", action="store_true", help="write the baselines of gates anew"
    )
    for name, text in OPTIONS.items():
        parser.addini(f"edgetwin_{name}", text, default=None)


def pytest_configure(config: pytest.Config) -> None:
    """The mark of the plugin, and what --edgetwin-update means to the gates."""
    config.addinivalue_line(
        "markers", "edgetwin(board, scenario, seeds, duration_s): what the twin's fixtures run"
    )
    if config.getoption("--edgetwin-update"):
        os.environ["EDGETWIN_UPDATE_BASELINES"] = "1"


@pytest.fixture
def scenario(request: pytest.FixtureRequest) -> "Scenario":
    """The scenario of a test, by its mark or the ini file."""
    from edgetwin.scenario import load_scenario

    return load_scenario(_asked(request)["scenario"])


@pytest.fixture
def twin(request: pytest.FixtureRequest, scenario: "Scenario") -> "Iterator[Simulator]":
    """A twin of the test's board under its scenario, at t = 0."""
    from edgetwin.simulator import Simulator
    from hw_models.board import load_board

    made = Simulator(load_board(_asked(request)["board"]), scenario=scenario)
    yield made
    made.close()


@pytest.fixture
def policy_report(request: pytest.FixtureRequest) -> MakeReport:
    """Call it with a policy (name, `file.py:make`, object, function); it runs every seed.

    Keywords override the mark: board, scenario, seeds, duration_s. A relative file lies beside
    the test.
    """
    from edgetwin import gates

    asked, folder = _asked(request), request.path.parent

    def report(policy: Any, **more: Any) -> "PolicyReport":
        if isinstance(policy, str) and ".py" in policy and (folder / policy.split(":")[0]).exists():
            policy = str(folder / policy)
        return replace(gates.policy_report(policy, **{**asked, **more}), folder=folder)

    return report


def _asked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a test asks for: its mark before the ini file before the defaults."""
    ini = {name: request.config.getini(f"edgetwin_{name}") for name in OPTIONS}
    found: dict[str, Any] = DEFAULTS | {n: _number(n, v) for n, v in ini.items() if v}
    mark = request.node.get_closest_marker("edgetwin")
    if mark is not None:
        unknown = set(mark.kwargs) - set(OPTIONS)
        if unknown or mark.args:
            raise ValueError(f"mark edgetwin takes {', '.join(OPTIONS)} by name; given {mark}.")
        found |= mark.kwargs
    return found


def _number(name: str, text: str) -> Any:
    return {"seeds": int, "duration_s": float}.get(name, str)(text)
