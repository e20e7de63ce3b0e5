"""What the federation of `edgetwin/Federated-v0` learns: clusters, dealt unevenly to clients."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch

from edgetwin.systems.federated.batch import Batch

INPUTS, CLASSES = 32, 6
HELD_OUT = 256
SPREAD = 1.2  # of a cluster, against unit distance of its centre: a few per cent stay wrong


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """Examples of all clients, which rows are whose, and examples that no client has."""

    everything: Batch
    rows: tuple[tuple[int, ...], ...]
    held_out: Batch


def clusters(clients: int, each: int, rng: np.random.Generator, evenness: float = 0.5) -> Clusters:
    """Clients' shares of the classes are drawn from a Dirichlet distribution of that evenness."""
    centres = rng.standard_normal((CLASSES, INPUTS))
    shares = rng.dirichlet(np.full(CLASSES, evenness), clients)
    dealt = [rng.choice(CLASSES, each, p=share) for share in shares]
    labels = np.concatenate([*dealt, rng.integers(CLASSES, size=HELD_OUT)])
    points = centres[labels] + SPREAD * rng.standard_normal((len(labels), INPUTS))
    x, y = torch.from_numpy(points.astype(np.float32)), torch.from_numpy(labels)
    own = clients * each
    return Clusters(
        everything=Batch(inputs={"x": x[:own]}, labels=y[:own]),
        rows=tuple(tuple(range(each * i, each * (i + 1))) for i in range(clients)),
        held_out=Batch(inputs={"x": x[own:]}, labels=y[own:]),
    )
