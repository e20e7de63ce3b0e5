"""Compiled functions are cached on disk and recompiled when any source of the physics changes."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

# Sums may be reordered (SIMD), but infinities and NaN keep their meaning: endless jobs use inf.
_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}


def jit(function: F) -> F:
    """Compile for the argument types of the first call; keep the machine code on disk."""
    return _compiled(function)


def free(function: F) -> F:
    """As `jit`, and other threads of Python go on while it runs: for loops over many boards."""
    return _compiled(function, nogil=True)


def merged(function: F) -> F:
    """As `jit`, and always part of its callers' machine code: for steps of a hot loop.

    A call passes every array field by field, lanes through memory, and counts who holds an array.
    """
    return _compiled(function, forceinline=True)


def _compiled(function: F, *, nogil: bool = False, forceinline: bool = False) -> F:
    made = numba.njit(
        cache=True, fastmath=_FASTMATH, error_model="numpy", nogil=nogil, forceinline=forceinline
    )  # each is named here, as numba has what is called do as the caller does
    return cast(F, _stamped(made(function)))


def inline(function: F) -> F:
    """Compile as part of the caller: for equations of a line or two."""
    return cast(F, numba.njit(inline="always", error_model="numpy")(function))


def _stamped(compiled: Any) -> Any:
    """Tie the cached code to every file whose equations it may hold.

    numba looks at the file of the function alone, so that a changed equation in another module
    would go unnoticed.
    """
    file = compiled._cache._cache_file
    room = Path(compiled.py_func.__code__.co_filename).parent
    file._source_stamp = (file._source_stamp, _sources(room))
    return compiled


@cache
def _sources(room: Path) -> str:
    """A hash of the rooms with the physics and control of boards, and of the function's own."""
    digest = hashlib.sha256(numba.__version__.encode())
    root = Path(__file__).parent.parent
    rooms = [root / name for name in ("hw_models", "edgetwin/kernel", "edgetwin/envs")]
    for place in rooms if room in rooms else [*rooms, room]:
        for file in sorted(place.glob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def cached(function: Callable[..., Any]) -> bool:
    """True if machine code of this function lies on disk, so that the first call is quick."""
    index = Path(cast(Any, function)._cache._cache_file._index_path)
    if not index.is_file():
        return False
    return bool(cast(Any, function)._cache._cache_file._load_index())
