"""Finds names of dimensional numbers that do not end in their SI unit."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

import value_kinds
from value_kinds import FunctionNode, Index, Kind

UNITS = {"s", "hz", "w", "j", "v", "f", "c", "k", "a", "ohm", "bytes", "ips", "ops"}
FOREIGN_UNITS = {"khz", "mhz", "ghz", "mw", "uw", "mv", "uv", "ma", "ua", "mj", "uj"} | {
    "ms",
    "us",
    "ns",
    "mc",
    "mohm",
    "kb",
    "mb",
    "gb",
}
_SINGULAR = {"temp", "temperature", "power", "freq", "voltage", "volt", "time", "duration"} | {
    "period",
    "resistance",
    "conductance",
    "timeout",
    "delay",
    "current",
}
DIMENSIONED = {
    *_SINGULAR,
    *(word + "s" for word in _SINGULAR),
    *("energy", "energies", "frequency", "frequencies", "latency", "latencies"),
    *("capacity", "capacities", "capacitance", "ambient", "wattage"),
}
# A name that ends in one of these is a ratio, a count, a label or an object, not a quantity.
_UNITLESS_ENDINGS = {
    *("share", "ratio", "fraction", "factor", "scale", "weight", "weights", "error", "exponent"),
    *("count", "counts", "index", "indices", "steps", "level", "levels", "order", "shape", "size"),
    *("name", "names", "key", "keys", "id", "ids", "kind", "source", "unit", "path", "dir", "file"),
    *("column", "columns", "text", "model", "mode", "modes", "field", "fields", "row", "rows"),
}
_COUNT_PREFIXES = {"n", "is", "has", "can"}


@final
@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A name, where it stands, and what is wrong with it."""

    line: int
    name: str
    why: str


def ends_in_unit(name: str) -> bool:
    """True for `temp_c`, `leak_w_per_v2`, `energy_j_per_sample`; a rate may count anything."""
    words = name.lower().strip("_").split("_")
    return words[-1].rstrip("0123456789") in UNITS or "per" in words[1:-1]


def needs_unit(name: str) -> bool:
    """True where a word of the name is a physical dimension and nothing makes it a bare count."""
    words = name.lower().strip("_").split("_")
    if name[0].isupper() and not name.isupper():
        return False  # a type
    if words[0] in _COUNT_PREFIXES or words[-1] in _UNITLESS_ENDINGS:
        return False
    return bool(DIMENSIONED & set(words)) and not ends_in_unit(name)


def findings(tree: ast.Module, index: Index) -> list[Finding]:
    """Every badly named number of one file, by line."""
    found = set()
    for name, line, kind in _named_values(tree, index):
        if "_" in name.strip("_") and name.lower().rsplit("_", 1)[-1] in FOREIGN_UNITS:
            found.add(Finding(line, name, "is not in an SI unit: convert it where it is read"))
        elif kind is not Kind.OTHER and needs_unit(name):
            found.add(Finding(line, name, "does not end in its SI unit, as in temp_c or power_w"))
    return sorted(found)


def _named_values(tree: ast.Module, index: Index) -> Iterator[tuple[str, int, Kind]]:
    yield from _in_scope(tree, {}, index)
    for node in ast.walk(tree):
        if isinstance(node, FunctionNode):
            yield node.name, node.lineno, Kind.OTHER
            arguments = [
                (a.arg, a.lineno, value_kinds.of_annotation(a.annotation)) for a in _args(node.args)
            ]
            yield from arguments
            yield from _in_scope(node, {name: kind for name, _, kind in arguments}, index)
        elif isinstance(node, ast.Lambda):
            yield from ((a.arg, a.lineno, Kind.UNKNOWN) for a in _args(node.args))
        elif isinstance(node, ast.Call):
            yield from _record_fields(node)


def _args(args: ast.arguments) -> list[ast.arg]:
    extra = [a for a in (args.vararg, args.kwarg) if a]
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *extra]


def _record_fields(call: ast.Call) -> Iterator[tuple[str, int, Kind]]:
    """The fields of `np.dtype([("temp_c", ...), ...])`."""
    if not (isinstance(call.func, ast.Attribute) and call.func.attr == "dtype" and call.args):
        return
    rows = call.args[0].elts if isinstance(call.args[0], ast.List) else []
    for row in rows:
        first = row.elts[0] if isinstance(row, ast.Tuple) and row.elts else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value, first.lineno, Kind.NUMBER


def _in_scope(
    scope: ast.Module | FunctionNode, arguments: Index, index: Index
) -> Iterator[tuple[str, int, Kind]]:
    """Names bound in a module (its classes included) or a function, nested functions apart."""
    names = dict(arguments)
    for node in _own_nodes(scope.body):
        for target, kind in _bindings(node, names, index):
            if isinstance(target, ast.Name):
                names[target.id] = kind
            yield from _named(target, kind)


def _own_nodes(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for node in body:
        yield node
        if not isinstance(node, FunctionNode | ast.Lambda):
            yield from _own_nodes(ast.iter_child_nodes(node))


def _bindings(node: ast.AST, names: Index, index: Index) -> Iterator[tuple[ast.expr, Kind]]:
    match node:
        case ast.AnnAssign(target=target, annotation=annotation):
            yield target, value_kinds.of_annotation(annotation)
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _pairs(target, value, names, index)
        case ast.AugAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
            yield target, value_kinds.of_value(value, names, index)
        case ast.For(target=target, iter=values) | ast.comprehension(target=target, iter=values):
            yield target, value_kinds.of_value(values, names, index)


def _pairs(
    target: ast.expr, value: ast.expr, names: Index, index: Index
) -> Iterator[tuple[ast.expr, Kind]]:
    if (
        isinstance(target, ast.Tuple)
        and isinstance(value, ast.Tuple)
        and len(target.elts) == len(value.elts)
    ):
        for part, part_value in zip(target.elts, value.elts, strict=True):
            yield from _pairs(part, part_value, names, index)
    else:
        yield target, value_kinds.of_value(value, names, index)


def _named(target: ast.expr, kind: Kind) -> Iterator[tuple[str, int, Kind]]:
    match target:
        case ast.Name(id=name):
            yield name, target.lineno, kind
        case ast.Attribute(attr=name, value=ast.Name(id="self")):
            yield name, target.lineno, kind
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _named(part, kind)
        case ast.Starred(value=part):
            yield from _named(part, kind)
