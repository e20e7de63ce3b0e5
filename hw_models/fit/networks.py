"""Coarser thermal networks: nodes that the data cannot tell apart become one."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from hw_models.board import Board

# The nodes of a coarser network, by name, and which nodes of the board each of them merges.
Groups = Mapping[str, tuple[str, ...]]


def own(board: "Board") -> Groups:
    """The board's network as it is."""
    return {node: (node,) for node in board.thermal.nodes}


def coarser(board: "Board") -> tuple[Groups, ...]:
    """The board's own network and one with a node less each, down to one node.

    What equalises fastest is merged first: the linked pair with the shortest time constant
    C1 C2 / (C1 + C2) / G. A merged node keeps the name of its largest capacity.
    """
    found = [own(board)]
    while len(found[-1]) > 1:
        pair = _fastest_pair(lumped(board, found[-1]))
        if pair is None:
            break
        found.append(_merged(board, found[-1], *pair))
    return tuple(found)


def _fastest_pair(board: "Board") -> tuple[str, str] | None:
    """The two linked nodes that equalise fastest, None where nothing is linked."""
    thermal = board.thermal
    size_j_per_k = dict(zip(thermal.nodes, thermal.capacity_j_per_k.value, strict=True))
    between: dict[tuple[str, str], float] = {}
    for link in thermal.links:
        pair = min(link.between), max(link.between)
        between[pair] = between.get(pair, 0.0) + link.conductance_w_per_k.value

    def seconds(pair: tuple[str, str]) -> float:
        a, b = (size_j_per_k[node] for node in pair)
        return a * b / (a + b) / between[pair]

    return min(between, key=seconds, default=None)


def _merged(board: "Board", groups: Groups, a: str, b: str) -> Groups:
    size = dict(zip(board.thermal.nodes, board.thermal.capacity_j_per_k.value, strict=True))
    members = groups[a] + groups[b]
    name = max(members, key=lambda node: size[node])
    merged = {}
    for node, inside in groups.items():
        if node == a:
            merged[name] = members
        elif node != b:
            merged[node] = inside
    return merged


def lumped(board: "Board", groups: Groups) -> "Board":
    """The board with the nodes of each group as one; ValueError unless every node is in one group.

    Capacities and parallel ways add up (their standard deviations in squares), links inside a
    group vanish, and everything that sat on a node sits on its group.
    """
    inside = [node for members in groups.values() for node in members]
    if sorted(inside) != sorted(board.thermal.nodes):
        raise ValueError(
            f"groups hold {', '.join(inside)}; expected each of {', '.join(board.thermal.nodes)} "
            "exactly once."
        )
    if all(members == (name,) for name, members in groups.items()):
        return board
    home = {node: name for name, members in groups.items() for node in members}
    data = board.model_dump(by_alias=True)
    data["thermal"] = _thermal(data["thermal"], groups, home)
    for unit in data["units"].values():
        unit["nodes"] = [home[node] for node in unit["nodes"]]
    for place in _places(data):
        place["node"] = home[place["node"]]
    return type(board).model_validate(data)


def _places(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Everything in a board file that sits on one node."""
    drawn = data["power"]
    found = [
        *drawn["domains"].values(), *drawn["baseline"].values(), *data["sensors"]["zones"].values(),
        drawn["memory"], drawn.get("conversion"), data["limits"]["fan"],
    ]  # fmt: skip
    return (place for place in found if place and place["node"] is not None)


def _thermal(thermal: dict[str, Any], groups: Groups, home: dict[str, str]) -> dict[str, Any]:
    order = {node: i for i, node in enumerate(thermal["nodes"])}
    heat = thermal["capacity_j_per_k"]
    each_std = np.broadcast_to(heat["std"], len(order))
    at = [[order[node] for node in members] for members in groups.values()]
    links: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for link in thermal["links"]:
        ends = tuple(sorted((home[node] for node in link["between"]), key=list(groups).index))
        if ends[0] != ends[1]:
            links.setdefault(ends, []).append(link["conductance_w_per_k"])
    ways: dict[str, list[dict[str, Any]]] = {}
    for way in thermal["cooling"]:
        ways.setdefault(home[way["node"]], []).append(way["conductance_w_per_k"])
    return thermal | {
        "nodes": list(groups),
        "capacity_j_per_k": heat
        | {
            "value": [float(np.take(heat["value"], i).sum()) for i in at],
            "std": [float(np.sqrt((each_std[i] ** 2).sum())) for i in at],
        },
        "links": [{"between": e, "conductance_w_per_k": _sum(q)} for e, q in links.items()],
        "cooling": [{"node": n, "conductance_w_per_k": _sum(q)} for n, q in ways.items()],
    }


def _sum(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Parallel ways as one, with the source of the first."""
    if len(parts) == 1:
        return parts[0]
    shape = np.shape(parts[0]["value"])
    value = np.sum([part["value"] for part in parts], axis=0)
    variance = np.sum([np.broadcast_to(part["std"], shape) ** 2 for part in parts], axis=0)
    return parts[0] | {"value": value.tolist(), "std": np.sqrt(variance).tolist()}
