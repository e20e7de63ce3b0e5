"""A mixed fleet: which boards, where they stand, and how they reach the server.

What places and links are like is assumed, and stated here; a client of one's own is an
`edgetwin.fleet.Client` like any other.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from edgetwin.fleet import Client, Link
from hw_models.board import load_board

BOARDS: Final = ("jetson-nano", "jetson-tx2-nx", "jetson-orin-nano")

# Assumed: a home router, a mobile network of the fourth generation, a narrow one for sensors.
LINKS: Final = {
    "wifi": Link(down_bytes_per_s=5e6, up_bytes_per_s=2.5e6, latency_s=0.01),
    "lte": Link(down_bytes_per_s=1.5e6, up_bytes_per_s=0.5e6, latency_s=0.05),
    "lte-m": Link(down_bytes_per_s=40e3, up_bytes_per_s=40e3, latency_s=0.15),
}
AMBIENT_C: Final = (12, 35)  # assumed: indoors and out, spring to summer
CAPS_W: Final = (None, 10.0, 5.0)  # assumed: mains, a good battery, a small one


def mixed_clients(
    n: int, *, seed: int, loss: float = 0.0, boards: Sequence[str] = BOARDS
) -> list[Client]:
    """n clients, boards in turn, each with its own air, cap and link drawn from the seed."""
    rng = np.random.default_rng([seed, 20])
    loaded = {name: load_board(name) for name in boards}
    links = list(LINKS.values())
    return [
        Client(
            board=loaded[boards[i % len(boards)]],
            link=links[int(rng.integers(len(links)))],
            ambient_c=float(rng.integers(*AMBIENT_C)),  # whole degrees: few first states to settle
            cap_w=CAPS_W[int(rng.integers(len(CAPS_W)))],
            loss=loss,
        )
        for i in range(n)
    ]
