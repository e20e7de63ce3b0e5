"""One federated fine-tuning run as plain data, and what every runtime builds from it.

The same setup gives the same weights, bit for bit, whoever runs it: shares, participants, batches
and noise follow from its seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self, final

import numpy as np
import torch
from torch import Tensor

from edgetwin.fleet import Fleet
from edgetwin.storage import read_json, strict_json, write_atomically
from edgetwin.systems.federated.batch import Batch, cross_entropy, moved
from edgetwin.systems.federated.client import Batches, Client, Replica
from edgetwin.systems.federated.data.examples import Examples, Rows, draw_rows
from edgetwin.systems.federated.data.shares import dirichlet_shares, iid_shares
from edgetwin.systems.federated.method import Method
from edgetwin.systems.federated.methods import make_method
from edgetwin.systems.federated.pricing import Prices
from edgetwin.systems.federated.runtime import Federation
from edgetwin.systems.federated.server import Server
from edgetwin.systems.federated.sources import Material, Model, load_material

_SHARES, _WHO, _BATCHES, _NOISE = range(4)  # streams of randomness, by what they decide
AT_ONCE: Final = 64


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is trained by whom on what.

    model: minilm, mlp, or a Hugging Face model by name or path. task: one of data.tasks, or
    digits (for mlp). train and test name data files; without them the task must be one that needs
    none (docstrings, digits). trained: "all", "last:N" blocks with weights, or "lora:RANK".
    longest is in tokens; most is how many examples are taken of each file or corpus, None for all.
    alpha is that of Dirichlet shares, None for equal random ones. settings are the method's.
    device is torch's: noise and steps are the same bits on every one, losses are rounded otherwise.
    """

    method: str = "fedspzo"
    settings: Mapping[str, Any] = field(default_factory=dict)
    model: str = "minilm"
    task: str = "docstrings"
    train: str | None = None
    test: str | None = None
    trained: str = "last:3"
    longest: int = 32
    most: int | None = None
    clients: int = 8
    per_round: int = 2
    rounds: int = 100
    steps: int = 1
    batch: int = 8
    alpha: float | None = 1.0
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("longest", "clients", "per_round", "rounds", "steps", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give 1 or more.")
        if self.per_round > self.clients:
            raise ValueError(f"per_round is {self.per_round} of {self.clients} clients.")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; give 0 or more.")

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as JSON can say it."""
        return asdict(self)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The setup that lies in the folder of a run; ValueError where none does."""
        found = read_json(folder / "setup.json")
        if not isinstance(found, dict):
            raise ValueError(f"{folder} holds no federated run.")
        return cls(**found)

    def save(self, folder: Path) -> None:
        """Leave it where every process of a run finds it."""
        write_atomically(folder / "setup.json", strict_json(self.as_dict()) + "\n")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What a setup needs on one machine: a model that learns, examples, and who has which."""

    setup: Setup
    model: Model
    method: Method
    train: Examples
    test: Examples
    shares: Sequence[Rows]

    @property
    def sizes(self) -> list[int]:
        """Examples of every client."""
        return [len(share) for share in self.shares]

    def server(self, folder: Path | None = None) -> Server:
        """The server of this run; with a folder it goes on where it stood."""
        seed = stream_seed(self.setup.seed, _NOISE)
        return Server(self.method, self.sizes, seed=seed, steps=self.setup.steps, folder=folder)

    def client(self, number: int, replica: Replica) -> Client:
        """One client, with its own examples."""
        return Client(replica, self.batches(number))

    def federation(self, server: Server, fleet: Fleet | None = None) -> Federation:
        """All clients in this process; a fleet gives each a board and a link."""
        everyone = [self.batches(number) for number in range(self.setup.clients)]
        if fleet is None:
            return Federation(server, everyone)
        prices = Prices(self.method, self.model, everyone[0](0, 0), self.setup.model)
        return Federation(server, everyone, fleet=fleet, prices=prices)

    def batches(self, number: int) -> Batches:
        """The batches of a client by round and local step."""
        share, setup = self.shares[number], self.setup

        def drawn(version: int, step: int) -> Batch:
            rng = np.random.default_rng([setup.seed, _BATCHES, number, version, step])
            rows = draw_rows(self.train.lengths, share, setup.batch, rng)
            return moved(self.train.batch(rows), setup.device)

        return drawn

    def step_flops(self, number: int, version: int) -> float:
        """FLOPs of the local steps of a client in a round."""
        batches = self.batches(number)
        steps = range(self.setup.steps)
        return sum(self.method.flops(batches(version, step)) for step in steps)

    def participants(self, version: int) -> list[int]:
        """Who is asked in a round: everybody equally often, over time."""
        rng = np.random.default_rng([self.setup.seed, _WHO, version])
        chosen = rng.choice(self.setup.clients, self.setup.per_round, replace=False)
        return sorted(int(client) for client in chosen)

    def score(self) -> dict[str, float]:
        """Mean loss in nats and accuracy on all test examples, with the weights as they are."""
        order = np.argsort(self.test.lengths, kind="stable")
        loss = right = 0.0
        with torch.no_grad():
            for start in range(0, len(order), AT_ONCE):
                rows = order[start : start + AT_ONCE]
                batch = moved(self.test.batch(rows), self.setup.device)
                logits: Tensor = self.model(batch)
                loss += float(cross_entropy(logits, batch)) * len(batch.labels)
                right += float((logits.argmax(-1) == batch.labels).sum())
        return {"loss": loss / len(order), "accuracy": right / len(order)}


def build(setup: Setup, material: Material | None = None) -> Workshop:
    """Model, method and data of a setup; the same on every machine.

    `material`, if given, is what `load_material` makes of this setup, its model as it starts.
    KeyError for unknown names, ValueError and OSError for data and models that cannot be used.
    """
    model, train, test = material or load_material(
        setup.model, setup.task, setup.train, setup.test,
        trained=setup.trained, longest=setup.longest, most=setup.most, device=setup.device,
    )  # fmt: skip
    rng = np.random.default_rng([setup.seed, _SHARES])
    if setup.alpha is None:
        shares = iid_shares(train.labels, setup.clients, rng)
    else:
        fewest = min(setup.batch, len(train.labels) // setup.clients)
        shares = dirichlet_shares(train.labels, setup.clients, setup.alpha, rng, fewest)
    try:
        method = make_method(setup.method, model, **setup.settings)
    except TypeError as error:
        given = ", ".join(setup.settings) or "none"
        raise ValueError(f"settings of {setup.method} ({given} given): {error}.") from None
    return Workshop(setup=setup, model=model, method=method, train=train, test=test, shares=shares)


def stream_seed(seed: int, stream: int) -> int:
    """A seed of its own for one use of a run's seed."""
    return int(np.random.SeedSequence([seed, stream]).generate_state(1, np.uint64)[0])
