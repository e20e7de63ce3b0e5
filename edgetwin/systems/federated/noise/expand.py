"""One instruction of the noise: 32 bits become 32 signs, added to 32 neighbouring weights.

Written as an explicit vector, because the compiler's own vectoriser leaves this loop alone.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_WIDTH = 8  # values at a time, a vector of 256 bits; wider ones are fused by the compiler


@intrinsic
def _add_word(_: Any, values: Any, at: Any, word: Any, step: Any) -> Any:
    signature = types.void(values, types.intp, types.uint64, step)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> None:
        array = context.make_array(sig.args[0])(context, builder, args[0])
        element = context.get_value_type(sig.args[0].dtype)
        is_float = isinstance(element, ir.FloatType)
        step = context.cast(builder, args[3], sig.args[3], sig.args[0].dtype)
        minus = builder.fneg(step) if is_float else builder.neg(step)
        both = [_spread(builder, value) for value in (step, minus)]
        bits = _spread(builder, builder.trunc(args[2], ir.IntType(32)))
        for first in range(0, 32, _WIDTH):
            at = builder.add(args[1], ir.Constant(args[1].type, first))
            place = builder.bitcast(builder.gep(array.data, [at]), both[0].type.as_pointer())
            # A bit that becomes the topmost one chooses without a comparison.
            shifts = ir.Constant(bits.type, [31 - first - k for k in range(_WIDTH)])
            is_set = builder.icmp_signed("<", builder.shl(bits, shifts), bits.type(None))
            signs, held = builder.select(is_set, *both), builder.load(place, align=4)
            total = builder.fadd(held, signs) if is_float else builder.add(held, signs)
            builder.store(total, place, align=4)

    return signature, generate


def _spread(builder: Any, value: Any) -> Any:
    vector, places = ir.VectorType(value.type, _WIDTH), ir.VectorType(ir.IntType(32), _WIDTH)
    empty = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, empty, ir.Constant(places, [0] * _WIDTH))


add_word: Any = _add_word
"""values[at : at + 32] += step where a bit of the word is set (lowest first), -step elsewhere."""
