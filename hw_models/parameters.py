"""A parameter is a place in a board file: the path of a number, and of one entry of a list.

`power.units.gpu.active_capacitance_f`, `thermal.capacity_j_per_k[3]`,
`thermal.links[2].conductance_w_per_k`, `thermal.cooling[0].conductance_w_per_k[1]`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import BaseModel, ValidationError

from hw_models.board_checks import quantities
from hw_models.naming import unknown
from hw_models.quantity import Quantity

if TYPE_CHECKING:
    from hw_models.board import Board

_ENTRY: Final = re.compile(r"(.*)\[(\d+)\]")
_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def paths(board: "Board") -> Iterator[str]:
    """Every number of a board file, lists entry by entry, in file order."""
    for at, quantity in quantities(board):
        if np.ndim(quantity.value):
            yield from (f"{at}[{i}]" for i in range(len(quantity.value)))
        else:
            yield at


def value_at(board: "Board", path: str) -> float:
    """The number at a path; KeyError with the nearest path where there is none."""
    quantity, entry = _found(board, path)
    return float(quantity.value if entry is None else quantity.value[entry])


def std_at(board: "Board", path: str) -> float:
    """One standard deviation of the number at a path, in its unit; KeyError as in `value_at`."""
    quantity, entry = _found(board, path)
    per_entry = entry is not None and np.ndim(quantity.std)
    return float(quantity.std[entry] if per_entry else quantity.std)


def with_values(
    board: "Board",
    values: Mapping[str, float],
    *,
    std: Mapping[str, float] | None = None,
    source: str | None = None,
) -> "Board":
    """The board with other numbers at some paths, validated.

    std gives standard deviations by path (those not named keep theirs), source the entry of
    [sources] that every changed number now names. KeyError with the nearest path for an unknown
    one, ValueError in one line for values that make no valid board.
    """
    std = {} if std is None else std
    changed = replaced(board, values, std)
    data = changed.model_dump(by_alias=True)
    for path in {*values, *std} if source is not None else ():
        _quantity_data(data, path)["source"] = source
    try:
        return type(board).model_validate(data)
    except ValidationError as error:
        from hw_models.board import first_problem

        problem = first_problem(error)
        raise ValueError(f"{board.name} with other numbers is no board: {problem}.") from None


def replaced(
    board: "Board", values: Mapping[str, float], std: Mapping[str, float] | None = None
) -> "Board":
    """The board with other numbers and no questions asked: for fits that keep to bounds.

    KeyError with the nearest path for an unknown one.
    """
    tree: dict[Any, Any] = {}
    for field, numbers in (("value", values), ("std", std or {})):
        for path, number in numbers.items():
            _found(board, path)
            at = tree
            for step in _steps(_ENTRY.sub(r"\1", path) if path.endswith("]") else path):
                at = at.setdefault(step, {})
            entry = int(path.rsplit("[", 1)[1][:-1]) if path.endswith("]") else None
            at.setdefault(field, {})[entry] = float(number)
    changed: Board = _grafted(board, tree)
    for name in changed.__dict__.keys() - type(board).model_fields.keys():
        del changed.__dict__[name]  # worked out from the numbers of before
    return changed


def _grafted(node: Any, tree: Mapping[Any, Any]) -> Any:
    """A copy of a model, mapping or tuple in which the leaves of the tree are replaced."""
    if isinstance(node, Quantity):
        return node.model_copy(update=dict(_quantity_update(node, tree)))
    if isinstance(node, BaseModel):
        return _copied(node, {key: _grafted(getattr(node, key), sub) for key, sub in tree.items()})
    if isinstance(node, dict):
        return {**node, **{key: _grafted(node[key], sub) for key, sub in tree.items()}}
    return tuple(_grafted(item, tree[i]) if i in tree else item for i, item in enumerate(node))


def _copied(node: BaseModel, update: Mapping[str, Any]) -> BaseModel:
    """A copy with other fields, without what the original had worked out from its own."""
    copy = node.model_copy(update=dict(update))
    for key in set(copy.__dict__) - set(type(node).model_fields):
        del copy.__dict__[key]
    return copy


def _quantity_update(node: Any, tree: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for field, numbers in tree.items():
        if None in numbers:
            yield field, numbers[None]
            continue
        full = np.broadcast_to(getattr(node, field), np.shape(node.value)).tolist()
        for entry, number in numbers.items():
            full[entry] = number
        yield field, full


def _steps(path: str) -> Iterator[Any]:
    for key, entry in _STEP.findall(path):
        yield key or int(entry)


def _found(board: "Board", path: str) -> tuple[Any, int | None]:
    """The quantity at a path and the entry in it (None for a scalar)."""
    entry_of = _ENTRY.fullmatch(path)
    at, entry = (entry_of[1], int(entry_of[2])) if entry_of else (path, None)
    quantity = _walked(board, at)
    if not isinstance(quantity, Quantity):
        raise KeyError(_unknown_path(board, path))
    size = len(quantity.value) if np.ndim(quantity.value) else None
    if (entry is None) != (size is None) or (entry is not None and entry >= (size or 0)):
        raise KeyError(_unknown_path(board, path))
    return quantity, entry


def _walked(node: Any, at: str) -> Any:
    for step in _steps(at):
        if isinstance(node, dict):
            node = node.get(step)
        elif isinstance(node, tuple) and isinstance(step, int) and step < len(node):
            node = node[step]
        elif isinstance(node, BaseModel) and step in type(node).model_fields:
            node = getattr(node, step)
        else:
            return None
    return node


def _unknown_path(board: "Board", path: str) -> str:
    text = unknown(f"number of {board.name}", path, paths(board))
    return text.split(" Known:")[0]


def _quantity_data(data: Any, path: str) -> dict[str, Any]:
    at = _ENTRY.sub(r"\1", path) if path.endswith("]") else path
    for step in _steps(at):
        data = data[step]
    found: dict[str, Any] = data
    return found
