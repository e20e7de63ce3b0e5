"""Lanes of floats by their bits: powers of two, exponents, mantissas, random numbers."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.extending import intrinsic

from hw_models.lanes import KINDS, LANES, all_lanes, vector_type


@intrinsic
def _two_to(_: Any, exponent: Any) -> Any:
    """2^exponent for lanes of floats that hold whole numbers in the range of normal exponents."""
    kind = exponent.kind
    size, bias, mantissa = (64, 1023, 52) if kind == "f8" else (32, 127, 23)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        whole = ir.VectorType(ir.IntType(size), LANES)
        n = builder.fptosi(args[0], whole)
        n = builder.add(n, ir.Constant(whole, [bias] * LANES))
        n = builder.shl(n, ir.Constant(whole, [mantissa] * LANES))
        return builder.bitcast(n, vector_type(kind))

    return exponent(exponent), generate


def _of_bits(emit: Callable[[Any, Any], Any]) -> Any:
    """A function of the 64 bits of positive normal numbers, 2^k m with 1 <= m < 2, in float64."""

    @intrinsic
    def made(_: Any, value: Any) -> Any:
        if getattr(value, "kind", "") != "f8":
            return None

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return emit(builder, builder.bitcast(args[0], vector_type("i8")))

        return value(value), generate

    return made


def _exponent(builder: Any, word: Any) -> Any:
    k = builder.sub(builder.lshr(word, all_lanes(52)), all_lanes(1023))
    return builder.sitofp(k, vector_type("f8"))


def _mantissa(builder: Any, word: Any) -> Any:
    m = builder.or_(builder.and_(word, all_lanes((1 << 52) - 1)), all_lanes(1023 << 52))
    return builder.bitcast(m, vector_type("f8"))


@intrinsic
def _mantissa_hash(_: Any, key: Any, counter: Any) -> Any:
    """splitmix64 of key and counter (lanes of int64), as lanes of float64 in [0, 1)."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        x = builder.add(args[1], all_lanes(1))
        x = builder.add(args[0], builder.mul(x, all_lanes(0x9E3779B97F4A7C15)))
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            x = builder.mul(builder.xor(x, builder.lshr(x, all_lanes(shift))), all_lanes(factor))
        x = builder.lshr(builder.xor(x, builder.lshr(x, all_lanes(31))), all_lanes(11))
        made = builder.sitofp(x, vector_type("f8"))
        return builder.fmul(made, ir.Constant(vector_type("f8"), [1.0 / 2**53] * LANES))

    return KINDS["f8"](key, counter), generate


two_to: Any = _two_to
even_random: Any = _mantissa_hash
exponent: Any = _of_bits(_exponent)
mantissa: Any = _of_bits(_mantissa)
