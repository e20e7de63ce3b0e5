"""Low-rank adapters as what is trained (LoRA, arXiv 2106.09685)."""

import math
from collections.abc import Sequence
from typing import Final, final

import torch
from torch import Tensor, nn

from edgetwin.systems.federated.models.split import SplitModel

TARGETS: Final = ("query", "value", "q_proj", "v_proj", "c_attn")


@final
class LowRank(nn.Module):
    """A frozen map plus scale * up(down(x)); up starts at zero, so nothing changes at first."""

    def __init__(self, layer: nn.Module, rank: int, scale: float, seed: int) -> None:
        super().__init__()
        outputs, inputs = _sizes(layer)
        self.layer = layer.requires_grad_(False)
        self.lora_down = nn.Linear(inputs, rank, bias=False)
        self.lora_up = nn.Linear(rank, outputs, bias=False)
        self.scale = scale
        bound = 1.0 / math.sqrt(inputs)
        chance = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.lora_down.weight.uniform_(-bound, bound, generator=chance)
            self.lora_up.weight.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """What the frozen map says, adapted."""
        adapted: Tensor = self.layer(x) + self.scale * self.lora_up(self.lora_down(x))
        return adapted


def with_lora(
    model: SplitModel,
    rank: int = 8,
    *,
    scale: float = 2.0,
    targets: Sequence[str] = TARGETS,
    seed: int = 0,
) -> SplitModel:
    """Adapters of the maps named `targets` are trained and nothing else.

    The model is changed in place; `scale` is alpha / rank. ValueError where no map has such a
    name.
    """
    for block in model.blocks:
        block.requires_grad_(False)
    found = 0
    for block in model.blocks:
        owners = [(m, name, c) for m in block.modules() for name, c in m.named_children()]
        for owner, name, child in owners:
            if name in targets:
                setattr(owner, name, LowRank(child, rank, scale, seed + found))
                found += 1
    if not found:
        raise ValueError(f"no layer of this model is named one of {', '.join(targets)}.")
    return SplitModel(model.blocks)


def _sizes(layer: nn.Module) -> tuple[int, int]:
    """Outputs and inputs of a dense map; GPT-2 keeps its weights the other way round."""
    if isinstance(layer, nn.Linear):
        return layer.out_features, layer.in_features
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, Tensor) or weight.dim() != 2:
        raise ValueError(f"a {type(layer).__name__} is no dense map; name others as targets.")
    inputs, outputs = weight.shape
    return outputs, inputs
