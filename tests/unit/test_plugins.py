"""What third parties bring is found by name: registered here, or by an entry point."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from tiny_board import TEXT as TINY

import edgetwin
from edgetwin.factory import BACKENDS, KINDS, backend_kinds, make_backend
from edgetwin.governors import GOVERNORS, DomainLoad, RulePolicy
from edgetwin.policies import ADDED as POLICIES
from edgetwin.tasks import ADDED as TASKS
from edgetwin.tasks import find_task
from hw_models import board_names, load_application, load_board, load_network, register_board
from hw_models.board import BOARDS
from hw_models.plugins import GROUPS, Registry
from hw_models.workloads.added import WORKLOADS

REGISTRIES = (BOARDS, POLICIES, TASKS, GOVERNORS, WORKLOADS, BACKENDS)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test adds is gone after it."""
    for registry in REGISTRIES:
        monkeypatch.setattr(registry, "_added", dict(registry._added))
        monkeypatch.setattr(registry, "_points", dict(registry._entry_points()))


def entry(registry: Registry, name: str, value: str) -> None:
    """As if an installed package had this entry point."""
    assert isinstance(registry._points, dict)
    registry._points[name] = EntryPoint(name=name, value=value, group=registry.group)


def test_every_group_has_its_registry() -> None:
    assert {registry.group for registry in REGISTRIES} == set(GROUPS)


def test_an_entry_point_is_loaded_when_it_is_asked_for(tmp_path, monkeypatch) -> None:
    (tmp_path / "thirdparty_lazy.py").write_text("loaded = []\nrule = lambda load: 1e9\n")
    monkeypatch.syspath_prepend(tmp_path)
    entry(GOVERNORS, "third", "thirdparty_lazy:rule")
    import sys

    assert "third" in GOVERNORS.names() and "thirdparty_lazy" not in sys.modules
    assert isinstance(edgetwin.make_policy("third"), RulePolicy)
    assert "thirdparty_lazy" in sys.modules


def test_an_entry_point_that_does_not_load_says_which() -> None:
    entry(BACKENDS, "broken", "nowhere_at_all:Backend")
    with pytest.raises(ValueError, match="'broken' of the entry point nowhere_at_all:Backend"):
        make_backend("broken", board="hikey970")


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="choose another name"):
        edgetwin.register_backend("sim", lambda **_: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(ValueError, match="choose another name"):
        edgetwin.register_task(find_task("thermal"))
    (tmp_path / "board.toml").write_text(TINY)
    register_board(tmp_path / "board.toml")
    with pytest.raises(ValueError, match="choose another name"):
        register_board(tmp_path / "board.toml")


def test_a_board_is_found_by_its_name_with_path_or_function(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "board.toml").write_text(TINY)
    (tmp_path / "thirdparty_board.py").write_text(
        f"def file():\n    return {str(tmp_path / 'board.toml')!r}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    entry(BOARDS, "tiny", "thirdparty_board:file")
    assert "tiny" in board_names() and load_board("tiny").name == "tiny"
    assert load_board("hikey970").name == "hikey970"


def test_a_backend_gets_board_scenario_and_seed() -> None:
    asked = {}

    def make(**given: object) -> object:
        asked.update(given)
        return make_backend("sim", board="hikey970")

    edgetwin.register_backend("mine", make)  # type: ignore[arg-type]
    assert backend_kinds() == (*KINDS, "mine")
    make_backend("mine", board="hikey970", scenario="single-app", seed=3)
    assert (asked["board"].name, asked["scenario"].name, asked["seed"]) == (
        "hikey970", "single-app", 3,
    )  # fmt: skip


def test_workloads_are_told_apart_by_kind() -> None:
    program, network = load_application("adi"), load_network("mobilenet-v2")
    WORKLOADS.add("mine-a", program)
    WORKLOADS.add("mine-n", lambda: network)
    assert load_application("mine-a") is program
    assert load_network("mine-n") is network
    with pytest.raises(KeyError, match="no application named 'mine-n'"):
        load_application("mine-n")


def test_a_governor_sees_its_domain_and_sets_its_clock() -> None:
    seen: list[DomainLoad] = []

    def lowest(load: DomainLoad) -> float:
        """Always slow."""
        seen.append(load)
        return load.freqs_hz[0]

    edgetwin.register_governor("lowest", lowest)
    backend = make_backend("sim", board="hikey970", scenario="single-app")
    result = edgetwin.run(backend, edgetwin.make_policy("lowest"), duration_s=1.0)
    assert {load.domain for load in seen} == {"little", "big", "gpu", "npu"}
    board = backend.board
    assert result.trace.last.freq_hz["big"] == board.clocks["big"].freqs_hz.value[0]
    assert edgetwin.policies.find_policy("lowest").title == "Always slow"


def test_the_lowest_point_that_suffices() -> None:
    load = DomainLoad(domain="d", freqs_hz=(1.0, 2.0, 3.0), freq_hz=1.0, busy=1.0, temp_c=None)
    assert [load.at_least(hz) for hz in (0.5, 1.5, 2.0, 9.0)] == [1.0, 2.0, 2.0, 3.0]


def test_a_task_of_others_is_run_from_the_command_line(tmp_path: Path, capsys) -> None:
    from dataclasses import replace

    from edgetwin.cli import OK, _run

    edgetwin.register_task(
        replace(find_task("thermal"), name="cool", env_id="mine/Cool-v0", policies=("powersave",))
    )
    assert _run(["run", "cool", "--duration", "2", "--json"]) == OK
    assert '"powersave"' in capsys.readouterr().out
