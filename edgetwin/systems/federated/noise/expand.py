"""One instruction of the noise: 32 bits become 32 signs, added to 32 neighbouring weights.

Written as an explicit vector, because the compiler's own vectoriser leaves this loop alone.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_WIDTH = 32


@intrinsic
def _add_word(_: Any, values: Any, at: Any, word: Any, step: Any) -> Any:
    signature = types.void(values, types.intp, types.uint64, values.dtype)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> None:
        array = context.make_array(sig.args[0])(context, builder, args[0])
        element = context.get_value_type(sig.args[0].dtype)
        vector = ir.VectorType(element, _WIDTH)
        place = builder.bitcast(builder.gep(array.data, [args[1]]), vector.as_pointer())
        bits = builder.bitcast(
            builder.trunc(args[2], ir.IntType(_WIDTH)), ir.VectorType(ir.IntType(1), _WIDTH)
        )
        is_float = isinstance(element, ir.FloatType)
        minus = builder.fneg(args[3]) if is_float else builder.neg(args[3])
        both = [_spread(builder, step, vector) for step in (args[3], minus)]
        signs = builder.select(bits, *both)
        held = builder.load(place, align=4)
        total = builder.fadd(held, signs) if is_float else builder.add(held, signs)
        builder.store(total, place, align=4)

    return signature, generate


def _spread(builder: Any, value: Any, vector: Any) -> Any:
    empty = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), _WIDTH), [0] * _WIDTH)
    return builder.shuffle_vector(first, empty, mask)


add_word: Any = _add_word
"""values[at : at + 32] += step where a bit of the word is set (lowest first), -step elsewhere."""
