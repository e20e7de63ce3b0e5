"""Names that the shell completes: boards, scenarios, tasks, policies."""

from collections.abc import Callable, Iterable


def _starting(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        *before, last = incomplete.split(",")
        given = "".join(f"{name}," for name in before)
        return [given + name for name in names() if name.startswith(last) and name not in before]

    return complete


def _boards() -> Iterable[str]:
    from hw_models.board import board_names

    return board_names()


def _scenarios() -> Iterable[str]:
    from edgetwin.scenario import scenario_names

    return scenario_names()


def _tasks() -> Iterable[str]:
    from edgetwin.tasks import task_names

    return task_names()


def _policies() -> Iterable[str]:
    from edgetwin.policies import policy_entries

    return policy_entries()


def _backends() -> Iterable[str]:
    from edgetwin.factory import backend_kinds

    return backend_kinds()


boards = _starting(_boards)
scenarios = _starting(_scenarios)
tasks = _starting(_tasks)
policies = _starting(_policies)
backends = _starting(_backends)
