"""One instruction of the noise: bits become signs, 32 a word, added to neighbouring weights.

Written as an explicit vector, because the compiler's own vectoriser leaves this loop alone.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_LINE = 16  # values of four bytes in a line of the cache
_TO_WRITE = (1, 3, 1)  # llvm.prefetch: a write will come, keep it near, it is data
_WIDTH = 8  # values at a time, a vector of 256 bits; wider ones are fused by the compiler


@intrinsic
def _add_words(_: Any, values: Any, at: Any, words: Any, steps: Any) -> Any:
    signature = types.void(values, types.intp, words, steps)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> None:
        array = context.make_array(sig.args[0])(context, builder, args[0])
        element = context.get_value_type(sig.args[0].dtype)
        is_float = isinstance(element, ir.FloatType)
        add = builder.fadd if is_float else builder.add
        spread = []
        for j, kind in enumerate(sig.args[3]):
            step = builder.extract_value(args[3], j)
            step = context.cast(builder, step, kind, sig.args[0].dtype)
            minus = builder.fneg(step) if is_float else builder.neg(step)
            word = builder.trunc(builder.extract_value(args[2], j), ir.IntType(32))
            spread.append([_spread(builder, value) for value in (word, step, minus)])
        for first in range(0, 32, _WIDTH):
            at = builder.add(args[1], ir.Constant(args[1].type, first))
            pointer = ir.VectorType(element, _WIDTH).as_pointer()
            place = builder.bitcast(builder.gep(array.data, [at]), pointer)
            total = builder.load(place, align=4)
            for bits, step, minus in spread:
                # A bit that becomes the topmost one chooses without a comparison.
                shifts = ir.Constant(bits.type, [31 - first - k for k in range(_WIDTH)])
                is_set = builder.icmp_signed("<", builder.shl(bits, shifts), bits.type(None))
                total = add(total, builder.select(is_set, step, minus))
            builder.store(total, place, align=4)

    return signature, generate


@intrinsic
def _fetch_words(_: Any, values: Any, at: Any) -> Any:
    signature = types.void(values, types.intp)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> None:
        array = context.make_array(sig.args[0])(context, builder, args[0])
        byte, whole = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, whole, whole, whole])
        fetch = builder.module.declare_intrinsic("llvm.prefetch.p0", fnty=kind)
        for line in (0, _LINE):
            at = builder.add(args[1], ir.Constant(args[1].type, line))
            place = builder.bitcast(builder.gep(array.data, [at]), byte)
            builder.call(fetch, [place, *(ir.Constant(whole, flag) for flag in _TO_WRITE)])

    return signature, generate


def _spread(builder: Any, value: Any) -> Any:
    vector, places = ir.VectorType(value.type, _WIDTH), ir.VectorType(ir.IntType(32), _WIDTH)
    empty = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, empty, ir.Constant(places, [0] * _WIDTH))


add_words: Any = _add_words
"""values[at : at + 32] += steps[j] where a bit of words[j] is set (lowest first), else -steps[j].

words and steps are tuples of one length; words are uint64 of which the lower half counts.
"""

fetch_words: Any = _fetch_words
"""Begin to bring values[at : at + 32], of four bytes each, near; they may lie beyond the end.

Another thread of a matrix product may have read them; to be written, they must be had alone.
"""
