"""Arrays and lanes: room on the stack, arrays without owners, a group's lanes as rows of boards."""

from math import prod
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array
from numpy.typing import NDArray

from hw_models.lane_functions import kind_of_array, load_as_it_is, row_place
from hw_models.lanes import KINDS, LANES, spread, vector_type

_LINE = 64


@intrinsic
def _turn(_: Any, rows: Any, row: Any, out: Any, i: Any, k: Any) -> Any:
    """out[i + lane, k + j] = rows[row + j, lane] for LANES rows j and every lane.

    rows (any, LANES) and out (boards, columns) of floats, out maybe narrower.
    """
    kind = kind_of_array(out)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        row_type, i_type, k_type = sig.args[1], sig.args[3], sig.args[4]
        first = context.cast(builder, args[1], row_type, types.intp)
        found = []
        for j in range(LANES):
            at = builder.add(first, ir.Constant(ir.IntType(64), j))
            given = builder.load(
                row_place(context, builder, rows, args[0], at, types.intp), align=8
            )
            found.append(spread(context, builder, given, KINDS[kind_of_array(rows)], kind))
        made = make_array(out)(context, builder, args[2])
        width = builder.extract_value(made.shape, 1)
        start = builder.mul(context.cast(builder, args[3], i_type, types.intp), width)
        start = builder.add(start, context.cast(builder, args[4], k_type, types.intp))
        for lane, value in enumerate(_transposed(builder, found)):
            at = builder.add(start, builder.mul(width, ir.Constant(ir.IntType(64), lane)))
            place = builder.bitcast(builder.gep(made.data, [at]), vector_type(kind).as_pointer())
            builder.store(value, place, align=4)
        return context.get_dummy_value()

    return types.none(rows, row, out, i, k), generate


def _place(context: Any, builder: Any, array_type: Any, array: Any, row: Any, lane: Any) -> Any:
    """The address of a number of an array (rows, LANES)."""
    first = builder.mul(row, ir.Constant(ir.IntType(64), LANES))
    return builder.gep(
        make_array(array_type)(context, builder, array).data, [builder.add(first, lane)]
    )


@intrinsic
def _peek(_: Any, array: Any, row: Any, lane: Any) -> Any:
    """array[row, lane] of an array (rows, LANES); nothing counts from the end."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        at = (context.cast(builder, args[k], sig.args[k], types.intp) for k in (1, 2))
        return builder.load(_place(context, builder, array, args[0], *at))

    return array.dtype(array, row, lane), generate


@intrinsic
def _move(_: Any, of: Any, row: Any, lane: Any, to: Any, to_lane: Any) -> Any:
    """to[row, to_lane] = of[row, lane], both (rows, LANES); nothing counts from the end.

    LLVM would gather and scatter many rows at once, which takes several times as long.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        row, lane, to_lane = (
            context.cast(builder, args[k], sig.args[k], types.intp) for k in (1, 2, 4)
        )
        given = _place(context, builder, of, args[0], row, lane)
        taken = _place(context, builder, to, args[3], row, to_lane)
        builder.store(load_as_it_is(builder, given, 8), taken)
        return context.get_dummy_value()

    return types.none(of, row, lane, to, to_lane), generate


@intrinsic
def _lay(_: Any, lanes: Any, out: Any, i: Any, k: Any) -> Any:
    """out[i, k + lane] = lanes[lane] for every lane; out (rows, columns) of floats."""
    kind = kind_of_array(out)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        made = make_array(out)(context, builder, args[1])
        row, column = (
            context.cast(builder, v, t, types.intp)
            for v, t in zip(args[2:], sig.args[2:], strict=True)
        )
        at = builder.add(builder.mul(row, builder.extract_value(made.shape, 1)), column)
        place = builder.bitcast(builder.gep(made.data, [at]), vector_type(kind).as_pointer())
        builder.store(spread(context, builder, args[0], lanes, kind), place, align=4)
        return context.get_dummy_value()

    return types.none(lanes, out, i, k), generate


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """LANES vectors as a square matrix, transposed by exchange of ever smaller quarters."""
    half = LANES // 2
    while half:
        low = [lane if not lane & half else lane - half + LANES for lane in range(LANES)]
        high = [lane + half if not lane & half else lane + LANES for lane in range(LANES)]
        masks = [ir.Constant(ir.VectorType(ir.IntType(32), LANES), m) for m in (low, high)]
        done = list(rows)
        for a in range(LANES):
            if not a & half:
                pair = rows[a], rows[a + half]
                done[a], done[a + half] = (builder.shuffle_vector(*pair, m) for m in masks)
        rows, half = done, half // 2
    return rows


@intrinsic(prefer_literal=True)
def _scratch(_: Any, rows: Any, columns: Any) -> Any:
    """Uninitialised float64 (rows, columns), both constants, that lasts until the caller returns.

    It lies on the stack: np.empty would cost as much as a thermal step.
    """
    if not isinstance(rows, types.IntegerLiteral) or not isinstance(columns, types.IntegerLiteral):
        return None
    shape = (rows.literal_value, columns.literal_value)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        block = ir.ArrayType(ir.DoubleType(), shape[0] * shape[1])
        room = cgutils.alloca_once(builder, block)
        room.align = 64
        size, row = (context.get_constant(types.intp, n) for n in (8, 8 * shape[1]))
        made = make_array(sig.return_type)(context, builder)
        populate_array(
            made,
            data=builder.bitcast(room, ir.DoubleType().as_pointer()),
            shape=[context.get_constant(types.intp, n) for n in shape],
            strides=[row, size],
            itemsize=size,
            meminfo=None,
        )
        return made._getvalue()

    return types.Array(types.float64, 2, "C")(rows, columns), generate


@intrinsic
def _unowned(_: Any, given: Any) -> Any:
    """The same array, or tuple of arrays, without its owner, so that uses of it are not counted.

    Counting costs more than a row of numbers. Who calls must keep the arrays: they must be
    arguments of the calling function.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if isinstance(given, types.BaseTuple):
            parts = cgutils.unpack_tuple(builder, args[0], len(given))
            kinds: Any = given
            bare = [_bare(context, builder, *pair) for pair in zip(kinds, parts, strict=True)]
            return context.make_tuple(builder, given, bare)
        return _bare(context, builder, given, args[0])

    return given(given), generate


def _bare(context: Any, builder: Any, array: Any, value: Any) -> Any:
    made = make_array(array)(context, builder, value)
    made.meminfo = ir.Constant(made.meminfo.type, None)
    made.parent = ir.Constant(made.parent.type, None)
    return made._getvalue()


@intrinsic
def _apart(_: Any) -> Any:
    """Machine code of its own for the function that says so: no caller gets a copy of it."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.none(), generate


def lane_rows(shape: tuple[int, ...], dtype: Any = np.float64) -> NDArray[Any]:
    """Zeros whose rows of LANES numbers each lie in one line of the cache (64 bytes).

    Rows that begin anywhere lie in two: the thermal step then takes a quarter longer.
    """
    size = prod(shape) * np.dtype(dtype).itemsize
    room = np.zeros(size + _LINE, np.uint8)
    first = -room.ctypes.data % _LINE
    found: NDArray[Any] = room[first : first + size].view(dtype).reshape(shape)
    return found


turn: Any = _turn
lay: Any = _lay
move: Any = _move
peek: Any = _peek
scratch: Any = _scratch
unowned: Any = _unowned
apart: Any = _apart
