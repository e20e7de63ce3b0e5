"""Arrays as addresses: one small array crosses the border to compiled code instead of many.

numba unpacks every argument at every call, which for eight of them costs as much as the physics of
a control period. Who makes a handle keeps the arrays alive and makes a new one when one has moved.
"""

from typing import Any

import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

Handle = NDArray[np.int64]
WORDS = 3


def handle(*arrays: NDArray[Any]) -> Handle:
    """Address, length and columns (1 if flat) of every contiguous array: (WORDS * n,) int64."""
    for array in arrays:
        if not array.flags.c_contiguous:
            raise ValueError("a handle takes contiguous arrays only.")
    found = [(a.ctypes.data, len(a), a.shape[1] if a.ndim > 1 else 1) for a in arrays]
    return np.array(found, np.int64).ravel()


carray: Any = numba.carray  # type: ignore[attr-defined]


@intrinsic
def _pointer(_: Any, address: Any) -> Any:
    """An address as a pointer, for `numba.carray`."""

    def generate(__: Any, builder: Any, ___: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


pointer: Any = _pointer
