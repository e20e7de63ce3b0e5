"""Things of third parties by name: added in this process, or entry points of installed packages."""

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Final, Generic, TypeVar, cast, final

T = TypeVar("T")

GROUPS: Final = (
    "edgetwin.boards",
    "edgetwin.policies",
    "edgetwin.tasks",
    "edgetwin.governors",
    "edgetwin.workloads",
    "edgetwin.backends",
)
"""Groups of entry points that edgetwin reads."""


@final
class Registry(Generic[T]):
    """A table that others extend: by `add` here, or by an entry point of its group.

    An entry point is loaded when its name is asked for, not before. What is added comes first.
    """

    def __init__(self, group: str, what: str) -> None:
        self.group = group
        self.what = what
        self._added: dict[str, T] = {}
        self._points: Mapping[str, EntryPoint] | None = None

    def add(self, name: str, thing: T) -> None:
        """Add one; ValueError where the name is taken."""
        if name in self.names():
            raise ValueError(f"a {self.what} named {name!r} exists; choose another name.")
        self._added[name] = thing

    def remove(self, name: str) -> None:
        """Take out what was added under a name; nothing happens where nothing was."""
        self._added.pop(name, None)

    def added(self) -> tuple[str, ...]:
        """Names of what is there already, without a look at installed packages."""
        return tuple(self._added)

    def names(self) -> tuple[str, ...]:
        """All names, added ones first."""
        return tuple(dict.fromkeys((*self._added, *self._entry_points())))

    def find(self, name: str) -> T | None:
        """What has that name, None where there is none; ValueError for one that does not load."""
        if name in self._added:
            return self._added[name]
        point = self._entry_points().get(name)
        if point is None:
            return None
        try:
            self._added[name] = cast(T, point.load())
        except (ImportError, AttributeError) as error:
            raise ValueError(
                f"{self.what} {name!r} of the entry point {point.value} does not load: {error}."
            ) from error
        return self._added[name]

    def _entry_points(self) -> Mapping[str, EntryPoint]:
        if self._points is None:
            self._points = {point.name: point for point in entry_points(group=self.group)}
        return self._points
