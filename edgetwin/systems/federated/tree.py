"""The tree of forward passes of one estimate: activations are reused by all that hangs below."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, final

from edgetwin.systems.federated.settings import Perturbing


class Leaning(Protocol):
    """Weights of a block that can be moved along a perturbation and back."""

    def lean(self, seed: int, number: int, eps: float) -> None:
        """Weights plus eps times the noise of that number; eps 0 restores them."""
        ...


@final
class Unmoved:
    """Weights that stay where they are: for a second walk, once the losses are known."""

    def lean(self, seed: int, number: int, eps: float) -> None:
        """Nothing."""


@final
class Tree:
    """One estimate: blocks to call, their weights, and the seed of the noise."""

    def __init__(
        self,
        how: Perturbing,
        calls: Sequence[Callable[[Any], Any]],
        weights: Sequence[Leaning],
        seed: int,
    ) -> None:
        self.how, self.calls, self.weights, self.seed = how, calls, weights, seed
        self.found: list[list[list[float]]] = []  # by block and number

    def scalars(self, inputs: Any, loss: Callable[[Any], float]) -> list[list[float]]:
        """Projected gradients of every block from the losses of the last one's outputs.

        Those of shared noise are averaged.
        """
        self.loss, self.found = loss, [[[] for _ in range(n)] for n in self.how.groups]
        try:
            if self.how.difference == "central":
                if self.how.coupling == "decoupled":
                    self._decoupled(0, inputs, 0)
                else:
                    self._joint(0, (inputs, inputs), 0)
            else:
                self._forward(inputs)
        finally:
            for weights in self.weights:
                weights.lean(self.seed, 0, 0.0)
        return [[sum(parts) / len(parts) for parts in block] for block in self.found]

    def _numbers(self, block: int, parent: int) -> range:
        """The noise of a block's perturbations at one parent."""
        m = self.how.children(block)
        start = 0 if self.how.shared else parent * m
        return range(start, start + m)

    def _at(self, block: int, number: int, eps: float, activation: Any) -> Any:
        self.weights[block].lean(self.seed, number, eps)
        return self.calls[block](activation)

    def _decoupled(self, block: int, activation: Any, parent: int) -> float:
        """Mean loss below an activation, while the scalars of everything below are noted."""
        lean, call = self.weights[block].lean, self.calls[block]
        eps, numbers, total = self.how.eps, self._numbers(block, parent), 0.0
        for i, number in enumerate(numbers):
            sides = []
            for k, step in enumerate((eps, -eps)):
                lean(self.seed, number, step)
                output = call(activation)
                if block + 1 == len(self.calls):
                    sides.append(self.loss(output))
                else:
                    node = 2 * (parent * len(numbers) + i) + k
                    sides.append(self._decoupled(block + 1, output, node))
            up, down = sides
            self.found[block][number].append((up - down) / (2 * eps))
            total += (up + down) / 2
        return total / len(numbers)

    def _joint(self, block: int, pair: tuple[Any, Any], parent: int) -> float:
        """Mean difference quotient below a pair of activations, one for each sign."""
        eps = self.how.eps
        if block == len(self.calls):
            return (self.loss(pair[0]) - self.loss(pair[1])) / (2 * eps)
        numbers, m, below = self._numbers(block, parent), self.how.children(block), []
        for i, number in enumerate(numbers):
            up = self._at(block, number, eps, pair[0])
            down = self._at(block, number, -eps, pair[1])
            below.append(self._joint(block + 1, (up, down), parent * m + i))
        return self._note(block, numbers, below)

    def _note(self, block: int, numbers: range, below: list[float]) -> float:
        """The scalars of siblings, less their common part where that is asked; their mean."""
        m, mean = len(below), sum(below) / len(below)
        centred = self.how.coupling == "centred" and block > 0
        for number, value in zip(numbers, below, strict=True):
            self.found[block][number].append((value - mean) * m / (m - 1) if centred else value)
        return mean

    def _forward(self, inputs: Any) -> None:
        """Differences from the unperturbed loss."""
        if self.how.coupling == "decoupled":
            self._star(0, inputs)
            return
        activation = inputs
        for call in self.calls:
            activation = call(activation)
        self._chain(0, inputs, 0, self.loss(activation))

    def _chain(self, block: int, activation: Any, parent: int, base: float) -> float:
        """Mean difference quotient below an activation, all blocks above it perturbed."""
        if block == len(self.calls):
            return (self.loss(activation) - base) / self.how.eps
        numbers, m, below = self._numbers(block, parent), self.how.children(block), []
        for i, number in enumerate(numbers):
            up = self._at(block, number, self.how.eps, activation)
            below.append(self._chain(block + 1, up, parent * m + i, base))
        return self._note(block, numbers, below)

    def _star(self, block: int, activation: Any) -> float:
        """The unperturbed loss, while each block in turn is perturbed and the rest is not."""
        if block == len(self.calls):
            return self.loss(activation)
        base = self._star(block + 1, self.calls[block](activation))
        for number in self._numbers(block, 0):
            above = self._at(block, number, self.how.eps, activation)
            for call in self.calls[block + 1 :]:
                above = call(above)
            self.found[block][number].append((self.loss(above) - base) / self.how.eps)
        self.weights[block].lean(self.seed, 0, 0.0)
        return base
