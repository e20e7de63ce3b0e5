"""Arrays and lanes: room on the stack, arrays without owners, a group's lanes as rows of boards."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from hw_models.lane_functions import kind_of_array, row_place
from hw_models.lanes import KINDS, LANES, spread, vector_type


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
def _unowned(_: Any, array: Any) -> Any:
    """The same array without its owner: slices of it are not counted, which costs more than a row.

    Who calls must keep the array: it must be an argument of the calling function.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        made = make_array(array)(context, builder, args[0])
        made.meminfo = ir.Constant(made.meminfo.type, None)
        made.parent = ir.Constant(made.parent.type, None)
        return made._getvalue()

    return array(array), generate


turn: Any = _turn
scratch: Any = _scratch
unowned: Any = _unowned
