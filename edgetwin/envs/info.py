"""`info` of an environment: a dict whose entries are worked out when somebody reads them."""

from collections.abc import Callable, Iterator
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float64]
Entries = dict[str, Callable[[Block], Any]]


@final
class LazyInfo(dict[str, Any]):
    """The documented keys over a block of numbers that nobody changes after the step.

    It never changes, compares, copies and pickles like the plain dict with the same entries.
    """

    # Set by whoever makes one: an __init__ would cost as much as the rest of a step's info.
    __slots__ = ("_block", "_entries")
    _block: Block
    _entries: Entries

    def __missing__(self, key: str) -> Any:
        value = self[key] = self._entries[key](self._block)
        return value

    def _fill(self) -> "LazyInfo":
        for key in self._entries:
            self[key]
        return self

    def __contains__(self, key: object) -> bool:
        return key in self._entries or dict.__contains__(self, key)

    def __iter__(self) -> Iterator[str]:
        return dict.__iter__(self._fill())

    def __len__(self) -> int:
        return dict.__len__(self._fill())

    def __eq__(self, other: object) -> bool:
        return dict.__eq__(self._fill(), dict(other) if isinstance(other, dict) else other)

    __hash__ = None

    def __repr__(self) -> str:
        return dict.__repr__(self._fill())

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(dict.items(self._fill())),)

    def __or__(self, other: dict[str, Any]) -> dict[str, Any]:  # type: ignore[override]
        return dict(self) | other

    def keys(self) -> Any:
        """Documented keys, then those that others have added."""
        return dict.keys(self._fill())

    def values(self) -> Any:
        """Values in the order of the keys."""
        return dict.values(self._fill())

    def items(self) -> Any:
        """Keys and values."""
        return dict.items(self._fill())

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, default if there is none."""
        return self[key] if key in self else default  # noqa: SIM401  that would be this method

    def copy(self) -> dict[str, Any]:
        """A plain dict with the same entries."""
        return dict(self)
