"""One federation under a budget of joules and seconds: what a round of a plan brings and costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
import torch
from numpy.typing import NDArray

from edgetwin.fleet import Fleet
from edgetwin.systems.federated.batch import cross_entropy
from edgetwin.systems.federated.boards import mixed_clients
from edgetwin.systems.federated.client import Shard
from edgetwin.systems.federated.method import Method
from edgetwin.systems.federated.methods import make_method
from edgetwin.systems.federated.mlp import ResidualMLP
from edgetwin.systems.federated.pricing import Prices
from edgetwin.systems.federated.runtime import Federation, RoundResult
from edgetwin.systems.federated.server import Server
from edgetwin.systems.federated.task_model import CLASSES, INPUTS, clusters

EACH: Final = 64
BATCH: Final = 16
RATES: Final = (1e-3, 4e-3)
ROUND_LIMIT_S: Final = 10.0
WAIT_S: Final = 1.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPlan:
    """Who is asked, how a step perturbs, how many steps, and the GPU clock as a share."""

    clients: tuple[int, ...]
    p2: int
    split: int
    steps: int
    clock: float


@final
class Episode:
    """A mixed fleet, its data and its model, drawn from a seed; rounds until budgets are spent.

    Boards start in their steady state; heat, weights and what clients have missed carry over.
    """

    def __init__(
        self, clients: int, seed: int, *, energy_j: float, deadline_s: float, loss: float
    ) -> None:
        rng = np.random.default_rng([seed, 40])
        self.data = clusters(clients, EACH, rng)
        self.model = ResidualMLP(INPUTS, 24, 6, CLASSES, seed=seed)
        self.fleet = Fleet(mixed_clients(clients, seed=seed, loss=loss), seed=seed)
        self._form = (4, 5)
        method = self._method()
        server = Server(method, [EACH] * clients, seed=seed)
        shards = [
            Shard(self.data.everything, rows, BATCH, [seed, i])
            for i, rows in enumerate(self.data.rows)
        ]
        self.federation = Federation(
            server, shards, fleet=self.fleet, prices=self._prices(method, shards[0])
        )
        self.energy_budget_j, self.deadline_s = energy_j, deadline_s
        self.energy_spent_j, self.rounds = 0.0, 0
        self.last_energy_j, self.last_time_s = 0.0, 0.0
        self.step_s, self.step_j = np.zeros(clients), np.zeros(clients)
        self.arrived = np.zeros(clients, np.bool_)
        self.first_loss = self.loss_now = self._loss()

    def _method(self) -> Method:
        p2, split = self._form
        return make_method("fedspzo", self.model, at=split, counts=(1, p2), lr=RATES)

    def _prices(self, method: Method, shard: Shard) -> Prices:
        return Prices(method, self.model, shard(0, 0), f"mlp-{self._form[0]}-{self._form[1]}")

    @property
    def server(self) -> Server:
        """The federation's server."""
        return self.federation.server

    @property
    def time_s(self) -> float:
        """Seconds since the start."""
        return float(self.fleet.clock.now)

    def play(self, plan: RoundPlan) -> RoundResult | None:
        """One round; None where nobody is asked, and a second passes."""
        start_s, self.arrived[:] = self.time_s, False
        self.last_energy_j, self.rounds, found = 0.0, self.rounds + 1, None
        if plan.clients:
            self._reform((plan.p2, plan.split))
            left_s = max(self.deadline_s - start_s, 0.1)
            found = self.federation.round(
                plan.clients,
                steps=plan.steps,
                freq_hz={c: self._clock(c, plan.clock) for c in plan.clients},
                deadline_s=min(ROUND_LIMIT_S, left_s),
            )
            self._note(plan, found)
        else:
            self.fleet.clock.run(until=start_s + WAIT_S)
        self.last_time_s = self.time_s - start_s
        self.loss_now = self._loss()
        return found

    def _note(self, plan: RoundPlan, found: RoundResult) -> None:
        assert found.priced is not None
        asked = list(found.asked)
        self.last_energy_j = found.energy_j
        self.energy_spent_j += self.last_energy_j
        self.step_s[asked] = found.priced.compute_s / plan.steps
        self.step_j[asked] = found.priced.energy_j / plan.steps
        self.arrived[list(found.arrived)] = True

    def _reform(self, form: tuple[int, int]) -> None:
        """Another split or number of perturbations: the same weights, divided otherwise."""
        if form == self._form:
            return
        self._form = form
        method = self._method()
        self.server.change_method(method)
        shard: Any = self.federation.clients[0].batches
        self.federation.prices = self._prices(method, shard)

    def _clock(self, client: int, share: float) -> Mapping[str, float]:
        """The GPU's operating point next below a share of its highest clock."""
        freqs_hz = self.fleet.clients[client].board.clocks["gpu"].freqs_hz.array
        below = freqs_hz[freqs_hz <= share * freqs_hz[-1] * (1 + 1e-9)]
        return {"gpu": float(below[-1] if len(below) else freqs_hz[0])}

    def _loss(self) -> float:
        """Mean cross entropy over examples that no client has."""
        with torch.inference_mode():
            held = self.data.held_out
            found = float(cross_entropy(self.model(held), held))
        return found if np.isfinite(found) else 1e3

    def missed(self) -> NDArray[np.float64]:
        """Rounds that every client has yet to replay."""
        return self.server.version - np.array(self.server.known, float)

    def kpis(self) -> dict[str, float | None]:
        """Key figures so far."""
        return {
            "duration_s": self.time_s,
            "energy_j": self.energy_spent_j,
            "loss": self.loss_now,
            "loss_decrease": self.first_loss - self.loss_now,
            "rounds": float(self.rounds),
            "peak_temp_c": float(self.fleet.hottest_c().max()),
        }

    def branch(self, plan: RoundPlan) -> tuple[float, float, float]:
        """What a plan would bring: loss afterwards, joules, seconds. Nothing has happened then."""
        kept = self._mark()
        self.play(plan)
        found = (self.loss_now, self.last_energy_j, self.last_time_s)
        self._return(kept)
        return found

    def _mark(self) -> dict[str, Any]:
        numbers = ("energy_spent_j", "rounds", "last_energy_j", "last_time_s", "loss_now")
        return {
            "form": self._form,
            "weights": self.server.replica.method.snapshot(),
            "server": self.server.mark(),
            "fleet": self.fleet.snapshot(),
            "numbers": {name: getattr(self, name) for name in numbers},
            "arrays": (self.step_s.copy(), self.step_j.copy(), self.arrived.copy()),
        }

    def _return(self, kept: dict[str, Any]) -> None:
        self._reform(kept["form"])
        self.server.return_to(kept["server"])
        self.server.replica.method.restore(kept["weights"])
        self.fleet.restore(kept["fleet"])
        for name, value in kept["numbers"].items():
            setattr(self, name, value)
        self.step_s, self.step_j, self.arrived = kept["arrays"]
