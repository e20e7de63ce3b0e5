"""A residual perceptron that splits after every layer: small enough for thousands of clients."""

from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgetwin.systems.federated.batch import Batch


@final
class Enter(nn.Module):
    """The first layer: takes the input "x", (n, inputs)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, width))

    def forward(self, given: Mapping[str, Tensor]) -> Tensor:
        """(n, width)."""
        return given["x"] @ self.weight


@final
class Residual(nn.Module):
    """x + relu(normalised x @ a) @ b."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.empty(width, width))
        self.b = nn.Parameter(torch.empty(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(n, width)."""
        inner = functional.layer_norm(x, x.shape[-1:]) @ self.a
        return torch.addmm(x, inner.relu_() if not inner.requires_grad else inner.relu(), self.b)


@final
class Leave(nn.Module):
    """Logits of the normalised last layer, (n, classes)."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, classes))

    def forward(self, x: Tensor) -> Tensor:
        """(n, classes)."""
        return functional.layer_norm(x, x.shape[-1:]) @ self.weight


@final
class ResidualMLP:
    """`depth` residual layers between an entrance and an exit, as a model that can be split.

    blocks[0] holds the entrance and the first layer, the last block the last layer and the exit,
    so that there are `depth` of them. Weights are drawn from seed, scaled by 1/sqrt(rows), those
    that end a layer half of that.
    """

    def __init__(
        self, inputs: int = 64, width: int = 48, depth: int = 6, classes: int = 10, seed: int = 0
    ) -> None:
        layers: list[list[nn.Module]] = [[Residual(width)] for _ in range(depth)]
        layers[0].insert(0, Enter(inputs, width))
        layers[-1].append(Leave(width, classes))
        self.blocks: Sequence[nn.Module] = [nn.Sequential(*layer) for layer in layers]
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for block in self.blocks:
                for name, p in block.named_parameters():
                    spread = (0.5 if name.endswith("b") else 1.0) / len(p) ** 0.5
                    p.normal_(0.0, spread, generator=generator)

    def flops(self, batch: Batch) -> Sequence[float]:
        """Two per weight and example."""
        n = len(batch.labels)
        return [2.0 * n * sum(p.numel() for p in block.parameters()) for block in self.blocks]

    def __call__(self, batch: Batch) -> Any:
        """Logits of a batch, (n, classes)."""
        given: Any = batch.inputs
        for block in self.blocks:
            given = block(given)
        return given
