"""What a client's step looks at: one batch of labelled examples, and the loss over it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

Loss = Callable[[Any, "Batch"], Tensor]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Labelled examples: what the first block of a model takes by name, and labels (n,)."""

    inputs: Mapping[str, Tensor]
    labels: Tensor


def cross_entropy(output: Tensor, batch: Batch) -> Tensor:
    """Mean cross entropy of logits (n, classes), in nats."""
    return torch.nn.functional.cross_entropy(output.float(), batch.labels)


def moved(batch: Batch, device: torch.device | str) -> Batch:
    """The same examples on a device."""
    inputs = {name: value.to(device) for name, value in batch.inputs.items()}
    return Batch(inputs=inputs, labels=batch.labels.to(device))
