"""Numbers of LANES boards side by side, as one value of compiled code (explicit SIMD).

A row of a batch's state holds one number of LANES neighbouring boards. `load` makes it one value on
which the operators and the equations of hw_models work as on a float; `where` takes the place of
`if`. There are lanes of floats (float64 or float32, as the array), of int64 and of truth.
"""

import operator
from collections.abc import Callable
from typing import Any, final

from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model
from numba.np.arrayobj import make_array

LANES = 8
# The same freedom as `jit` gives: sums may be reordered and fused, NaN and infinity keep their meaning.
_FAST = ("reassoc", "contract", "arcp", "nsz")
_BITS = {"f8": 64, "f4": 32, "i8": 64, "b1": 1}


@final
class Lanes(types.Type):
    """The numba type of lanes: kind f8, f4, i8 or b1."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(name=f"Lanes({kind})")


KINDS = {kind: Lanes(kind) for kind in _BITS}
TRUTH, WHOLE = KINDS["b1"], KINDS["i8"]
_ELEMENT = {
    "f8": ir.DoubleType(), "f4": ir.FloatType(), "i8": ir.IntType(64), "b1": ir.IntType(1),
}  # fmt: skip
_SCALAR = {"f8": types.float64, "f4": types.float32, "i8": types.int64, "b1": types.boolean}


def _vector(kind: str) -> Any:
    return ir.VectorType(_ELEMENT[kind], LANES)


@register_model(Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        super().__init__(manager, lanes, _vector(lanes.kind))


def _kind_of(*arguments: Any) -> str | None:
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


def _spread(context: Any, builder: Any, value: Any, given: Any, kind: str) -> Any:
    """A value as lanes of a kind: a scalar goes to every lane, whole numbers become floats."""
    if isinstance(given, Lanes):
        if given.kind == kind:
            return value
        if kind[0] == "f" and given.kind == "i8":
            return builder.sitofp(value, _vector(kind))
        if (given.kind, kind) == ("f8", "f4"):
            return builder.fptrunc(value, _vector(kind))
        if (given.kind, kind) == ("f4", "f8"):
            return builder.fpext(value, _vector(kind))
        if (given.kind, kind) == ("b1", "i8"):
            return builder.zext(value, _vector(kind))
        raise TypeError(f"lanes of {given.kind} are no lanes of {kind}")
    one = context.cast(builder, value, given, _SCALAR[kind])
    empty = ir.Constant(_vector(kind), ir.Undefined)
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
            kind = _kind_of(*args)
            return kind and signature(TRUTH if truth else KINDS[kind], *args)

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = _kind_of(*sig.args)
        assert kind is not None
        values = [_spread(context, builder, v, t, kind) for v, t in zip(args, sig.args, strict=True)]
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
    name = f"llvm.pow.v{LANES}f{_BITS[kind]}"
    made = builder.module.globals.get(name) or ir.Function(
        builder.module, ir.FunctionType(_vector(kind), [_vector(kind)] * 2), name
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
        return signature(args[0], args[0]) if _kind_of(*args) in ("f8", "f4") else None


@lower_builtin(operator.neg, Lanes)
def _negate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.fneg(args[0])


@infer_global(abs)
class _Absolute(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        return signature(args[0], args[0]) if _kind_of(*args) in ("f8", "f4") else None


@lower_builtin(abs, Lanes)
def _absolute(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _called(builder, "fabs", sig.args[0].kind, args)


def _called(builder: Any, name: str, kind: str, args: Any) -> Any:
    """One of LLVM's own functions of floats, on lanes."""
    full = f"llvm.{name}.v{LANES}f{_BITS[kind]}"
    made = builder.module.globals.get(full) or ir.Function(
        builder.module, ir.FunctionType(_vector(kind), [_vector(kind)] * len(args)), full
    )
    return builder.call(made, args)


def _kind_of_array(array: Any) -> str:
    return {types.float64: "f8", types.float32: "f4", types.int64: "i8"}[array.dtype]


def _row(context: Any, builder: Any, array_type: Any, array: Any, row: Any, row_type: Any) -> Any:
    """The address of a row of an array (rows, LANES), as that of a vector."""
    data = make_array(array_type)(context, builder, array).data
    at = builder.mul(
        context.cast(builder, row, row_type, types.intp), ir.Constant(ir.IntType(64), LANES)
    )
    place = builder.gep(data, [at])
    return builder.bitcast(place, _vector(_kind_of_array(array_type)).as_pointer())


@intrinsic
def _load(_: Any, array: Any, row: Any) -> Any:
    kind = _kind_of_array(array)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _row(context, builder, array, args[0], args[1], row)
        return builder.load(place, align=8)

    return KINDS[kind](array, row), generate


@intrinsic
def _store(_: Any, array: Any, row: Any, value: Any) -> Any:
    kind = _kind_of_array(array)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _row(context, builder, array, args[0], args[1], row)
        builder.store(_spread(context, builder, args[2], value, kind), place, align=8)
        return context.get_dummy_value()

    return types.none(array, row, value), generate


@intrinsic
def _put(_: Any, array: Any, row: Any, mask: Any, value: Any) -> Any:
    kind = _kind_of_array(array)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _row(context, builder, array, args[0], args[1], row)
        new = _spread(context, builder, args[3], value, kind)
        old = builder.load(place, align=8)
        builder.store(builder.select(args[2], new, old), place, align=8)
        return context.get_dummy_value()

    return types.none(array, row, mask, value), generate


@intrinsic
def _where(_: Any, mask: Any, yes: Any, no: Any) -> Any:
    kind = _kind_of(yes, no)
    if kind is None:
        kind = "f8" if isinstance(yes, types.Float) or isinstance(no, types.Float) else "i8"

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        made = [
            _spread(context, builder, v, t, kind)
            for v, t in zip(args[1:], sig.args[1:], strict=True)
        ]
        return builder.select(args[0], *made)

    return KINDS[kind](mask, yes, no), generate


@intrinsic
def _bits(_: Any, mask: Any) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        packed = builder.bitcast(args[0], ir.IntType(LANES))
        return builder.zext(packed, ir.IntType(64))

    return types.int64(mask), generate


@intrinsic
def _pick(_: Any, array: Any, index: Any) -> Any:
    """array[index] of every lane, from an array of one dimension."""
    kind = _kind_of_array(array)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        made = make_array(array)(context, builder, args[0])
        found = ir.Constant(_vector(kind), ir.Undefined)
        for lane in range(LANES):
            at = ir.Constant(ir.IntType(32), lane)
            place = builder.gep(made.data, [builder.extract_element(args[1], at)])
            found = builder.insert_element(found, builder.load(place), at)
        return found

    return KINDS[kind](array, index), generate


@intrinsic
def _pick_row(_: Any, array: Any, rows: Any) -> Any:
    """The number of every lane from a row of its own, of an array (rows, LANES)."""
    kind = _kind_of_array(array)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        made = make_array(array)(context, builder, args[0])
        steps = ir.Constant(_vector("i8"), [LANES] * LANES)
        index = builder.add(
            builder.mul(args[1], steps), ir.Constant(_vector("i8"), list(range(LANES)))
        )
        found = ir.Constant(_vector(kind), ir.Undefined)
        for lane in range(LANES):
            at = ir.Constant(ir.IntType(32), lane)
            place = builder.gep(made.data, [builder.extract_element(index, at)])
            found = builder.insert_element(found, builder.load(place), at)
        return found

    return KINDS[kind](array, rows), generate


@intrinsic
def _floats(_: Any, value: Any, like: Any) -> Any:
    """Whole numbers or a scalar as lanes of floats of the kind of `like`, lanes or an array."""
    kind = like.kind if isinstance(like, Lanes) else _kind_of_array(like)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _spread(context, builder, args[0], value, kind)

    return KINDS[kind](value, like), generate


@intrinsic
def _whole(_: Any, value: Any) -> Any:
    """Floats without their fraction, or a scalar in every lane, as lanes of int64."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if isinstance(value, Lanes) and value.kind[0] == "f":
            return builder.fptosi(args[0], _vector("i8"))
        return _spread(context, builder, args[0], value, "i8")

    return WHOLE(value), generate


@intrinsic
def _lane_numbers(_: Any) -> Any:
    """0, 1, 2 ... as lanes of int64."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(_vector("i8"), list(range(LANES)))

    return WHOLE(), generate


@intrinsic
def _two_to(_: Any, power: Any) -> Any:
    """2^power for lanes of floats that hold whole numbers in the range of normal exponents."""
    kind = power.kind
    size, bias, mantissa = (64, 1023, 52) if kind == "f8" else (32, 127, 23)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        whole = ir.VectorType(ir.IntType(size), LANES)
        n = builder.fptosi(args[0], whole)
        n = builder.add(n, ir.Constant(whole, [bias] * LANES))
        n = builder.shl(n, ir.Constant(whole, [mantissa] * LANES))
        return builder.bitcast(n, _vector(kind))

    return power(power), generate


def _function(name: str) -> Any:
    """One of LLVM's functions of one float, on lanes."""

    @intrinsic
    def made(_: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return _called(builder, name, value.kind, args)

        return value(value), generate

    return made


@intrinsic
def _mantissa_hash(_: Any, key: Any, counter: Any) -> Any:
    """splitmix64 of key and counter (lanes of int64), as lanes of float64 in [0, 1)."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        def all_lanes(value: int) -> Any:
            return ir.Constant(_vector("i8"), [value] * LANES)

        x = builder.add(args[1], all_lanes(1))
        x = builder.add(args[0], builder.mul(x, all_lanes(0x9E3779B97F4A7C15)))
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            x = builder.mul(builder.xor(x, builder.lshr(x, all_lanes(shift))), all_lanes(factor))
        x = builder.lshr(builder.xor(x, builder.lshr(x, all_lanes(31))), all_lanes(11))
        made = builder.sitofp(x, _vector("f8"))
        return builder.fmul(made, ir.Constant(_vector("f8"), [1.0 / 2**53] * LANES))

    return KINDS["f8"](key, counter), generate


load: Any = _load
store: Any = _store
put: Any = _put
where: Any = _where
bits: Any = _bits
pick: Any = _pick
pick_row: Any = _pick_row
floats: Any = _floats
whole: Any = _whole
lane_numbers: Any = _lane_numbers
two_to: Any = _two_to
even_random: Any = _mantissa_hash
nearest: Any = _function("rint")
upwards: Any = _function("ceil")
root: Any = _function("sqrt")
logarithm: Any = _function("log")
cosine: Any = _function("cos")
