"""What replicas of any method share: which parameters learn, and how their state is stored."""

import struct
from collections.abc import Sequence

import numpy as np
from torch import nn

from edgetwin.systems.federated.grid import Grid


def trainable(blocks: Sequence[nn.Module]) -> list[list[nn.Parameter]]:
    """Parameters with requires_grad by block, each once.

    ValueError for a block without any, or for a parameter of two blocks: an activation that is
    reused would be one of other weights.
    """
    seen: dict[int, int] = {}
    found = []
    for b, block in enumerate(blocks):
        own = [p for p in block.parameters() if p.requires_grad]
        tied = [seen[id(p)] for p in own if id(p) in seen]
        if tied:
            raise ValueError(
                f"blocks {tied[0] + 1} and {b + 1} share a trainable parameter; freeze or untie it."
            )
        if not own:
            raise ValueError(f"block {b + 1} has nothing to train; choose another split.")
        seen |= {id(p): b for p in own}
        found.append(own)
    return found


def check_settings(
    blocks: int, counts: Sequence[int], rates: Sequence[float], momentum: float, decay: float
) -> None:
    """ValueError unless there is a count and a positive rate for every block."""
    if not blocks or len(counts) != blocks or len(rates) != blocks:
        raise ValueError(
            f"{blocks} blocks, {len(counts)} counts and {len(rates)} rates; give equally many."
        )
    if not all(rate > 0 for rate in rates):
        raise ValueError(f"rates are {list(rates)}; give positive numbers.")
    if not (0 <= momentum < 1 and 0 < decay <= 1):
        raise ValueError(f"momentum {momentum} and decay {decay}; give [0, 1) and (0, 1].")


def pack_grids(grids: Sequence[Grid]) -> dict[str, bytes]:
    """Weights and velocities of all blocks as int32, little endian."""
    found = {"weights": b"".join(grid.units().astype("<i4").tobytes() for grid in grids)}
    velocities = [grid.velocity[: grid.n] for grid in grids if grid.velocity is not None]
    if velocities:
        parts = [v.cpu().numpy().astype("<i4").tobytes() for v in velocities]
        found["velocities"] = b"".join(parts)
    return found


def load_grids(grids: Sequence[Grid], state: dict[str, bytes]) -> None:
    """Put stored weights and velocities back; ValueError for those of another model."""
    sizes = [grid.n for grid in grids]
    weights = np.frombuffer(state["weights"], "<i4").astype(np.int32)
    if len(weights) != sum(sizes):
        raise ValueError(f"a state of {len(weights)} weights for a model of {sum(sizes)}.")
    ends = np.cumsum(sizes)[:-1]
    velocities = np.frombuffer(state.get("velocities", b""), "<i4").astype(np.int32)
    parts = np.split(velocities, ends) if len(velocities) else [None] * len(grids)
    for grid, units, velocity in zip(grids, np.split(weights, ends), parts, strict=True):
        grid.load(units, velocity)


def pack_numbers(numbers: Sequence[float]) -> bytes:
    """Floats bit for bit."""
    return struct.pack(f"<{len(numbers)}d", *numbers)


def unpack_numbers(data: bytes) -> list[float]:
    """What `pack_numbers` stored."""
    return list(struct.unpack(f"<{len(data) // 8}d", data))
