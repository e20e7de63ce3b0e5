"""Functions of lanes: rows to lanes and back, `where` for `if`, tables by board, rounding."""

from typing import Any, final

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from hw_models.lanes import (
    BITS,
    KINDS,
    LANES,
    WHOLE,
    Lanes,
    all_lanes,
    called,
    kind_of,
    spread,
    vector_type,
)


def kind_of_array(array: Any) -> str:
    """The kind of lanes that an array of this type is made of."""
    return {types.float64: "f8", types.float32: "f4", types.int64: "i8"}[array.dtype]


def row_place(
    context: Any, builder: Any, array_type: Any, array: Any, row: Any, row_type: Any
) -> Any:
    """The address of a row of an array (rows, LANES), as that of a vector."""
    data = make_array(array_type)(context, builder, array).data
    at = builder.mul(
        context.cast(builder, row, row_type, types.intp), ir.Constant(ir.IntType(64), LANES)
    )
    place = builder.gep(data, [at])
    return builder.bitcast(place, vector_type(kind_of_array(array_type)).as_pointer())


@final
class _Untouched(ir.LoadInstr):  # type: ignore[misc]  # llvmlite has no types
    """A load that the compiler leaves as it is (LLVM's volatile)."""

    def descr(self, buf: list[str]) -> None:
        text: list[str] = []
        super().descr(text)
        buf.append("".join(text).replace("load", "load volatile", 1))


def load_as_it_is(builder: Any, place: Any, align: int) -> Any:
    """What lies at a place, by a load of its own."""
    found = _Untouched(builder.block, place)
    found.align = align
    builder._insert(found)
    return found


@intrinsic
def _load(_: Any, array: Any, row: Any) -> Any:
    kind = kind_of_array(array)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = row_place(context, builder, array, args[0], args[1], row)
        return builder.load(place, align=8)

    return KINDS[kind](array, row), generate


@intrinsic
def _store(_: Any, array: Any, row: Any, value: Any) -> Any:
    kind = kind_of_array(array)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = row_place(context, builder, array, args[0], args[1], row)
        builder.store(spread(context, builder, args[2], value, kind), place, align=8)
        return context.get_dummy_value()

    return types.none(array, row, value), generate


@intrinsic
def _put(_: Any, array: Any, row: Any, mask: Any, value: Any) -> Any:
    """Store where the mask is true: load, choose, store.

    LLVM would make one masked store of it: on AMD's Zen 3 the thermal step took a quarter longer.
    """
    kind = kind_of_array(array)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = row_place(context, builder, array, args[0], args[1], row)
        new = spread(context, builder, args[3], value, kind)
        old = load_as_it_is(builder, place, 8)
        builder.store(builder.select(args[2], new, old), place, align=8)
        return context.get_dummy_value()

    return types.none(array, row, mask, value), generate


@intrinsic
def _where(_: Any, mask: Any, yes: Any, no: Any) -> Any:
    kind = kind_of(yes, no)
    if kind is None:
        kind = "f8" if isinstance(yes, types.Float) or isinstance(no, types.Float) else "i8"

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        made = [
            spread(context, builder, v, t, kind)
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


def _gathered(context: Any, builder: Any, kind: str, data: Any, index: Any) -> Any:
    """The numbers at data[index] for lanes of index; LLVM knows whether gathering pays."""
    size, truth = BITS[kind] // 8, ir.VectorType(ir.IntType(1), LANES)
    start = spread(context, builder, builder.ptrtoint(data, ir.IntType(64)), types.int64, "i8")
    at = builder.add(start, builder.mul(index, all_lanes(size)))
    places = ir.VectorType(data.type, LANES)
    name = f"llvm.masked.gather.v{LANES}{kind[0]}{BITS[kind]}.v{LANES}p0"
    found = vector_type(kind)
    made = builder.module.globals.get(name) or ir.Function(
        builder.module, ir.FunctionType(found, [places, ir.IntType(32), truth, found]), name
    )
    every, none = ir.Constant(truth, [1] * LANES), ir.Constant(found, ir.Undefined)
    align = ir.Constant(ir.IntType(32), size)
    return builder.call(made, [builder.inttoptr(at, places), align, every, none])


@intrinsic
def _pick(_: Any, array: Any, index: Any) -> Any:
    """The number of every lane at an index of its own, from an array as it lies in memory."""
    kind = kind_of_array(array)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        made = make_array(array)(context, builder, args[0])
        return _gathered(context, builder, kind, made.data, args[1])

    return KINDS[kind](array, index), generate


@intrinsic
def _pick_row(_: Any, array: Any, rows: Any) -> Any:
    """The number of every lane from a row of its own, of an array (rows, LANES)."""
    kind = kind_of_array(array)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        made = make_array(array)(context, builder, args[0])
        steps = ir.Constant(vector_type("i8"), [LANES] * LANES)
        index = builder.add(
            builder.mul(args[1], steps), ir.Constant(vector_type("i8"), list(range(LANES)))
        )
        return _gathered(context, builder, kind, made.data, index)

    return KINDS[kind](array, rows), generate


@intrinsic
def _floats(_: Any, value: Any, like: Any) -> Any:
    """Whole numbers or a scalar as lanes of floats of the kind of `like`, lanes or an array."""
    kind = like.kind if isinstance(like, Lanes) else kind_of_array(like)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return spread(context, builder, args[0], value, kind)

    return KINDS[kind](value, like), generate


@intrinsic
def _whole(_: Any, value: Any) -> Any:
    """Floats without their fraction, or a scalar in every lane, as lanes of int64."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if isinstance(value, Lanes) and value.kind[0] == "f":
            return builder.fptosi(args[0], vector_type("i8"))
        return spread(context, builder, args[0], value, "i8")

    return WHOLE(value), generate


@intrinsic
def _lane_numbers(_: Any) -> Any:
    """0, 1, 2 ... as lanes of int64."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(vector_type("i8"), list(range(LANES)))

    return WHOLE(), generate


@intrinsic
def _first(_: Any, lanes: Any) -> Any:
    """The number in the first lane of float64."""
    if getattr(lanes, "kind", "") != "f8":
        return None

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.extract_element(args[0], ir.Constant(ir.IntType(32), 0))

    return types.float64(lanes), generate


@intrinsic
def _highest(_: Any, lanes: Any) -> Any:
    """The highest number of lanes of int64."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        name = f"llvm.vector.reduce.smax.v{LANES}i64"
        kind = ir.FunctionType(ir.IntType(64), [vector_type("i8")])
        made = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        return builder.call(made, args)

    return types.int64(lanes), generate


def _function(name: str) -> Any:
    """One of LLVM's functions of one float, on lanes."""

    @intrinsic
    def made(_: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return called(builder, name, value.kind, args)

        return value(value), generate

    return made


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
nearest: Any = _function("rint")
upwards: Any = _function("ceil")
root: Any = _function("sqrt")
first: Any = _first
highest: Any = _highest
