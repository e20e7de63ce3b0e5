"""A promise is a function whose first line says it and that raises when it is broken."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any


class ConformanceError(AssertionError):
    """A promise is broken; one line says which one and what happened instead."""


def require(holds: bool, found: str) -> None:
    """ConformanceError with what was found, unless the condition holds."""
    if not holds:
        raise ConformanceError(found)


@contextmanager
def refused(kind: type[Exception], what: str) -> Iterator[None]:
    """The block must raise an error of this kind; `what` says what it tries."""
    try:
        yield
    except kind:
        return
    except Exception as error:
        got = f"{type(error).__name__} ({error})"
        raise ConformanceError(f"{what} raised {got}; expected {kind.__name__}") from None
    raise ConformanceError(f"{what} was accepted; expected {kind.__name__}")


def keep(what: str, promise: Callable[..., None], *arguments: Any) -> None:
    """Run one check; whatever it raises becomes one line that starts with the promise."""
    said = (promise.__doc__ or promise.__name__).partition("\n")[0].rstrip(".")
    try:
        promise(*arguments)
    except ConformanceError as broken:
        raise ConformanceError(f"{what} breaks a promise. {said}: {broken}") from None
    except Exception as error:
        raised = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConformanceError(f"{what} breaks a promise. {said}: raised {raised}") from error


def names(values: Iterable[object]) -> str:
    """Names in a row, for a message."""
    return ", ".join(map(str, values)) or "none"
