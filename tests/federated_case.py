"""Small federations for tests: a perceptron of 2500 weights, random examples, ten clients."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgetwin.systems.federated.batch import Batch
from edgetwin.systems.federated.client import Replica, Shard
from edgetwin.systems.federated.method import Method
from edgetwin.systems.federated.methods import make_method
from edgetwin.systems.federated.mlp import ResidualMLP
from edgetwin.systems.federated.runtime import Federation
from edgetwin.systems.federated.server import Server

CLIENTS = 10
EACH = 24


def model(seed: int = 1, **shape: Any) -> ResidualMLP:
    return ResidualMLP(
        **{"inputs": 12, "width": 16, "depth": 4, "classes": 3, "seed": seed, **shape}
    )


def examples(n: int = CLIENTS * EACH, inputs: int = 12, classes: int = 3) -> Batch:
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(n, inputs, generator=generator)
    return Batch(inputs={"x": x}, labels=torch.randint(0, classes, (n,), generator=generator))


def method(name: str = "fedspzo", **settings: Any) -> Method:
    return make_method(name, model(), **settings)


def shards(batch_size: int = 8) -> list[Shard]:
    everything = examples()
    return [
        Shard(everything, range(EACH * i, EACH * i + EACH), batch_size, [5, i])
        for i in range(CLIENTS)
    ]


def server(name: str = "fedspzo", folder: Path | None = None, **settings: Any) -> Server:
    given = {key: settings.pop(key) for key in ("rules", "steps", "keep_every") if key in settings}
    return Server(method(name, **settings), [EACH] * CLIENTS, seed=3, folder=folder, **given)


def federation(made: Server, *, replicas: Sequence[Replica] | None = None) -> Federation:
    return Federation(made, shards(), replicas=replicas)


def weights(made: Method) -> np.ndarray:
    return np.frombuffer(made.snapshot()["weights"], "<i4")
