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
    """Estimates one after another: blocks to call, and their weights."""

    def __init__(
        self,
        how: Perturbing,
        calls: Sequence[Callable[[Any], Any]],
        weights: Sequence[Leaning],
    ) -> None:
        self.how, self.calls, self.weights = how, calls, weights
        self._groups = how.groups
        self._children = [how.children(block) for block in range(len(calls))]

    def scalars(self, seed: int, inputs: Any, loss: Callable[[Any], float]) -> list[list[float]]:
        """Projected gradients of every block from the losses of the last one's outputs.

        Those of shared noise are averaged. Weights stay perturbed, from where the next estimate
        moves them on in one pass; `rest` ends that.
        """
        self.seed, self.loss = seed, loss
        self.found: list[list[list[float]]] = [[[] for _ in range(n)] for n in self._groups]
        if self.how.difference == "forward":
            self._forward(inputs)
        elif self.how.coupling == "decoupled":
            self._decoupled(0, inputs, 0)
        else:
            self._joint(0, (inputs, inputs), 0)
        return [[sum(parts) / len(parts) for parts in block] for block in self.found]

    def rest(self) -> None:
        """All weights as they were before the first estimate."""
        for weights in self.weights:
            weights.lean(0, 0, 0.0)

    def _numbers(self, block: int, parent: int) -> range:
        """The noise of a block's perturbations at one parent."""
        m = self._children[block]
        start = 0 if self.how.shared else parent * m
        return range(start, start + m)

    def _at(self, block: int, number: int, eps: float, activation: Any) -> Any:
        self.weights[block].lean(self.seed, number, eps)
        return self.calls[block](activation)

    def _decoupled(self, block: int, activation: Any, parent: int) -> float:
        """Mean loss below an activation, while the scalars of everything below are noted."""
        lean, call, loss = self.weights[block].lean, self.calls[block], self.loss
        seed, eps, numbers = self.seed, self.how.eps, self._numbers(block, parent)
        is_last, found, total = block + 1 == len(self.calls), self.found[block], 0.0
        node = 2 * parent * len(numbers)
        for number in numbers:
            lean(seed, number, eps)
            output = call(activation)
            up = loss(output) if is_last else self._decoupled(block + 1, output, node)
            lean(seed, number, -eps)
            output = call(activation)
            down = loss(output) if is_last else self._decoupled(block + 1, output, node + 1)
            found[number].append((up - down) / (2 * eps))
            total += (up + down) / 2
            node += 2
        return total / len(numbers)

    def _joint(self, block: int, pair: tuple[Any, Any], parent: int) -> float:
        """Mean difference quotient below a pair of activations, one for each sign."""
        eps = self.how.eps
        if block == len(self.calls):
            return (self.loss(pair[0]) - self.loss(pair[1])) / (2 * eps)
        numbers, m, below = self._numbers(block, parent), self._children[block], []
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
        self.rest()
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
        numbers, m, below = self._numbers(block, parent), self._children[block], []
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
        self.weights[block].lean(0, 0, 0.0)
        return base
