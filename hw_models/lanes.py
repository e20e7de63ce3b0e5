"""Numbers of LANES boards side by side, as one value of compiled code (explicit SIMD).

A row of a batch's state holds one number of LANES neighbouring boards. Here is the value that it
becomes: operators, min, max, abs and with them the equations of hw_models work on it as on a float.
There are lanes of floats (float64 or float32), of int64 and of truth. lane_functions.py has more.
"""

import operator
from collections.abc import Callable
from typing import Any, final

from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model

LANES = 8
# The same freedom as `jit` gives: sums may be reordered, NaN and infinity keep their meaning.
_FAST = ("reassoc", "contract", "arcp", "nsz")
BITS = {"f8": 64, "f4": 32, "i8": 64, "b1": 1}


@final
class Lanes(types.Type):
    """The numba type of lanes: kind f8, f4, i8 or b1."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(name=f"Lanes({kind})")


KINDS = {kind: Lanes(kind) for kind in BITS}
TRUTH, WHOLE = KINDS["b1"], KINDS["i8"]
_ELEMENT = {
    "f8": ir.DoubleType(), "f4": ir.FloatType(), "i8": ir.IntType(64), "b1": ir.IntType(1),
}  # fmt: skip
_SCALAR = {"f8": types.float64, "f4": types.float32, "i8": types.int64, "b1": types.boolean}


def vector_type(kind: str) -> Any:
    """The LLVM type of lanes of a kind."""
    return ir.VectorType(_ELEMENT[kind], LANES)


def all_lanes(value: int) -> Any:
    """The same whole number in every lane."""
    return ir.Constant(vector_type("i8"), [value] * LANES)


@register_model(Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        super().__init__(manager, lanes, vector_type(lanes.kind))


def kind_of(*arguments: Any) -> str | None:
    """The kind that arguments of an operation share: floats win, and the narrow ones most."""
    kinds = [a.kind for a in arguments if isinstance(a, Lanes)]
    if not kinds:
        return None
    floats = [k for k in kinds if k[0] == "f"]
    if floats:
        return "f4" if "f4" in floats else "f8"
    if any(isinstance(a, types.Float) for a in arguments):
        return None
    return kinds[0]


def spread(context: Any, builder: Any, value: Any, given: Any, kind: str) -> Any:
    """A value as lanes of a kind: a scalar goes to every lane, whole numbers become floats."""
    if isinstance(given, Lanes):
        if given.kind == kind:
            return value
        if kind[0] == "f" and given.kind == "i8":
            return builder.sitofp(value, vector_type(kind))
        if (given.kind, kind) == ("f8", "f4"):
            return builder.fptrunc(value, vector_type(kind))
        if (given.kind, kind) == ("f4", "f8"):
            return builder.fpext(value, vector_type(kind))
        if (given.kind, kind) == ("b1", "i8"):
            return builder.zext(value, vector_type(kind))
        raise TypeError(f"lanes of {given.kind} are no lanes of {kind}")
    one = context.cast(builder, value, given, _SCALAR[kind])
    empty = ir.Constant(vector_type(kind), ir.Undefined)
    first = builder.insert_element(empty, one, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, empty, mask)


_PAIRS = ((Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes))


def _binary(op: Callable[..., Any], emit: Callable[..., Any], *, truth: bool = False) -> None:
    """Teach an operator of two arguments to work on lanes; truth: the result is one of truth."""

    @infer_global(op)
    class _Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) != 2 or kws:
                return None
            kind = kind_of(*args)
            return kind and signature(TRUTH if truth else KINDS[kind], *args)

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = kind_of(*sig.args)
        assert kind is not None
        values = [spread(context, builder, v, t, kind) for v, t in zip(args, sig.args, strict=True)]
        return emit(builder, kind, *values)

    for pair in _PAIRS:
        lower_builtin(op, *pair)(lower)


def _arithmetic(name: str) -> Callable[..., Any]:
    def emit(builder: Any, kind: str, a: Any, b: Any) -> Any:
        if kind[0] == "f":
            return getattr(builder, f"f{name}")(a, b, flags=_FAST)
        return getattr(builder, {"div": "sdiv", "rem": "srem"}.get(name, name))(a, b)

    return emit


def _compare(sign: str) -> Callable[..., Any]:
    def emit(builder: Any, kind: str, a: Any, b: Any) -> Any:
        if kind[0] == "f":
            made = builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered
            return made(sign, a, b)
        return builder.icmp_signed(sign, a, b)

    return emit


def _extreme(sign: str) -> Callable[..., Any]:
    def emit(builder: Any, kind: str, a: Any, b: Any) -> Any:
        """Python's min and max: the first, unless the second is beyond it."""
        return builder.select(_compare(sign)(builder, kind, b, a), b, a)

    return emit


def _bitwise(name: str) -> Callable[..., Any]:
    return lambda builder, kind, a, b: getattr(builder, name)(a, b)


def _power(builder: Any, kind: str, a: Any, b: Any) -> Any:
    name = f"llvm.pow.v{LANES}f{BITS[kind]}"
    made = builder.module.globals.get(name) or ir.Function(
        builder.module, ir.FunctionType(vector_type(kind), [vector_type(kind)] * 2), name
    )
    return builder.call(made, [a, b])


for _name, _op, _in_place in (
    ("add", operator.add, operator.iadd),
    ("sub", operator.sub, operator.isub),
    ("mul", operator.mul, operator.imul),
    ("div", operator.truediv, operator.itruediv),
):
    _binary(_op, _arithmetic(_name))
    _binary(_in_place, _arithmetic(_name))
for _sign, _op in (
    ("<", operator.lt), ("<=", operator.le), (">", operator.gt), (">=", operator.ge),
    ("==", operator.eq), ("!=", operator.ne),
):  # fmt: skip
    _binary(_op, _compare(_sign), truth=True)
for _name, _op in (("and_", operator.and_), ("or_", operator.or_), ("xor", operator.xor)):
    _binary(_op, _bitwise(_name))
_binary(operator.floordiv, _bitwise("sdiv"))
_binary(operator.lshift, _bitwise("shl"))
_binary(operator.rshift, _bitwise("ashr"))
_binary(operator.pow, _power)
_binary(min, _extreme("<"))
_binary(max, _extreme(">"))


@infer_global(operator.invert)
class _Invert(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        return signature(TRUTH, TRUTH) if args == (TRUTH,) else None


@lower_builtin(operator.invert, Lanes)
def _invert(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.not_(args[0])


@infer_global(operator.neg)
class _Negate(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        return signature(args[0], args[0]) if kind_of(*args) in ("f8", "f4") else None


@lower_builtin(operator.neg, Lanes)
def _negate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.fneg(args[0])


@infer_global(abs)
class _Absolute(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        return signature(args[0], args[0]) if kind_of(*args) in ("f8", "f4") else None


@lower_builtin(abs, Lanes)
def _absolute(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return called(builder, "fabs", sig.args[0].kind, args)


def called(builder: Any, name: str, kind: str, args: Any) -> Any:
    """One of LLVM's own functions of floats, on lanes."""
    full = f"llvm.{name}.v{LANES}f{BITS[kind]}"
    made = builder.module.globals.get(full) or ir.Function(
        builder.module, ir.FunctionType(vector_type(kind), [vector_type(kind)] * len(args)), full
    )
    return builder.call(made, args)
