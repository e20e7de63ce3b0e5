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
    compiled = numba.njit(cache=True, fastmath=_FASTMATH, error_model="numpy")(function)
    return cast(F, _stamped(compiled))


def free(function: F) -> F:
    """As `jit`, and other threads of Python go on while it runs: for loops over many boards."""
    made = numba.njit(cache=True, fastmath=_FASTMATH, error_model="numpy", nogil=True)
    return cast(F, _stamped(made(function)))


def inline(function: F) -> F:
    """Compile as part of the caller: for equations of a line or two."""
    return cast(F, numba.njit(inline="always", error_model="numpy")(function))


def _stamped(compiled: Any) -> Any:
    """Tie the cached code to every file that holds compiled code.

    numba looks at the file of the function alone, so that a changed equation in another module
    would go unnoticed.
    """
    file = compiled._cache._cache_file
    file._source_stamp = (file._source_stamp, _sources())
    return compiled


@cache
def _sources() -> str:
    digest = hashlib.sha256(numba.__version__.encode())
    root = Path(__file__).parent.parent
    for room in ("hw_models", "edgetwin/kernel", "edgetwin/envs"):
        for file in sorted((root / room).glob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def cached(function: Callable[..., Any]) -> bool:
    """True if machine code of this function lies on disk, so that the first call is quick."""
    index = Path(cast(Any, function)._cache._cache_file._index_path)
    if not index.is_file():
        return False
    return bool(cast(Any, function)._cache._cache_file._load_index())
