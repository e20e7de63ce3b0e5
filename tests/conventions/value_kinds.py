"""Whether an expression may hold a number: what the source says, without running it.

NUMBER: numbers or arrays of them. OTHER: objects, text, truth values. UNKNOWN: it may be a number.
"""

import ast
from collections.abc import Iterable, Mapping
from enum import Enum

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class Kind(Enum):
    """What an annotation or a value tells."""

    NUMBER = "number"
    OTHER = "other"
    UNKNOWN = "unknown"


Index = Mapping[str, Kind]

_NUMERIC_TYPES = {"float", "int", "complex", "number", "ndarray", "NDArray", "ArrayLike"} | {
    "Floats",
    "Quantity",
    "Scalar",
}
_NUMERIC_ENDINGS = ("Array", "Matrix", "Vector")
_OPEN_TYPES = {"Any", "object"}
_NUMERIC_CALLS = {"float", "int", "abs", "sum", "round", "min", "max", "divmod", "pow"}
_OTHER_CALLS = {"str", "repr", "bool", "open", "len", "range", "enumerate", "zip", "set", "type"}


def joined(kinds: Iterable[Kind]) -> Kind:
    """The kind of several together: one number makes it a number, one doubt makes it a doubt."""
    found = set(kinds)
    for kind in (Kind.NUMBER, Kind.UNKNOWN):
        if kind in found:
            return kind
    return Kind.OTHER if found else Kind.UNKNOWN


def of_annotation(node: ast.expr | None) -> Kind:
    """What an annotation says: a name among the numeric types makes it a number."""
    if node is None:
        return Kind.UNKNOWN
    names = set(_type_names(node))
    if any(name in _NUMERIC_TYPES or name.endswith(_NUMERIC_ENDINGS) for name in names):
        return Kind.NUMBER
    return Kind.UNKNOWN if names & _OPEN_TYPES else Kind.OTHER


def _type_names(node: ast.expr) -> Iterable[str]:
    if isinstance(node, ast.Subscript):
        outer = _last_name(node.value)
        if outer in {"Literal", "Callable"}:
            return [outer]
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if outer in {"dict", "Mapping", "MutableMapping"}:
            inner = inner[-1:]
        return [outer, *(name for part in inner for name in _type_names(part))]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _type_names(ast.parse(node.value, mode="eval").body)
    if isinstance(node, ast.BinOp):
        return [*_type_names(node.left), *_type_names(node.right)]
    return [_last_name(node)]


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def index_of(trees: Iterable[ast.Module]) -> dict[str, Kind]:
    """What every field and every function of the packages holds or returns, by bare name."""
    said: dict[str, list[Kind]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, FunctionNode):
                said.setdefault(node.name, []).append(of_annotation(node.returns))
            elif isinstance(node, ast.AnnAssign):
                name = _last_name(node.target)
                said.setdefault(name, []).append(of_annotation(node.annotation))
    return {name: joined(kinds) for name, kinds in said.items()}


def of_value(node: ast.expr, names: Index, index: Index) -> Kind:
    """What a value is; `names` are the annotated names in scope, `index` the packages' fields."""
    match node:
        case ast.Name(id=name):
            return names.get(name, Kind.UNKNOWN)
        case ast.Attribute(attr=name):
            return index.get(name, Kind.UNKNOWN)
        case ast.Call(func=func):
            return _of_call(func, index)
        case ast.Constant():
            return Kind.NUMBER if _is_number(node) else Kind.OTHER
    held = (of_value(part, names, index) for part in _parts(node))
    return Kind.OTHER if _is_object(node) else joined(held)


def _is_number(node: ast.Constant) -> bool:
    return isinstance(node.value, int | float | complex) and not isinstance(node.value, bool)


def _is_object(node: ast.expr) -> bool:
    """Truth values, text, functions, and paths built with `/ "name"`."""
    match node:
        case ast.Compare() | ast.JoinedStr() | ast.Lambda() | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _is_text(left) or _is_text(right)
    return False


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


_PART_FIELDS: dict[type[ast.expr], tuple[str, ...]] = {
    ast.BinOp: ("left", "right"),
    ast.IfExp: ("body", "orelse"),
    ast.UnaryOp: ("operand",),
    ast.Subscript: ("value",),
    ast.Starred: ("value",),
    ast.NamedExpr: ("value",),
    ast.ListComp: ("elt",),
    ast.SetComp: ("elt",),
    ast.GeneratorExp: ("elt",),
    ast.DictComp: ("value",),
    ast.BoolOp: ("values",),
    ast.Tuple: ("elts",),
    ast.List: ("elts",),
    ast.Set: ("elts",),
    ast.Dict: ("values",),
}


def _parts(node: ast.expr) -> list[ast.expr]:
    """The expressions a composed value takes its kind from."""
    held = [getattr(node, name) for name in _PART_FIELDS.get(type(node), ())]
    return [part for item in held for part in (item if isinstance(item, list) else [item])]


def _of_call(func: ast.expr, index: Index) -> Kind:
    name = _last_name(func)
    if name in _NUMERIC_CALLS or _root(func) in {"np", "numpy", "math"}:
        return Kind.NUMBER
    if name in _OTHER_CALLS:
        return Kind.OTHER
    if name[:1].isupper():
        is_number = name in _NUMERIC_TYPES or name.endswith(_NUMERIC_ENDINGS)
        return Kind.NUMBER if is_number else Kind.OTHER
    return index.get(name, Kind.UNKNOWN)


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return _last_name(node)
