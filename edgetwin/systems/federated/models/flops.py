"""What a forward pass costs, from the shapes that its layers see: nothing is computed.

A FLOP is half a multiply-accumulate. Matrix products, convolutions and attention (in its plain
form: matmul, softmax, matmul, all pairs of tokens) have any; additions, norms and look-ups none.
"""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import tree_map_only

Formula = Callable[[Any, tuple[Any, ...], Any], float]
"""From a module, its inputs and its output to its own FLOPs, those of its children excluded."""


def block_flops(blocks: tuple[nn.Module, ...], inputs: Mapping[str, Tensor]) -> tuple[float, ...]:
    """FLOPs of one forward call of every block, each fed with what the block before returns.

    Shapes alone are propagated, on the meta device. ValueError for a layer with a matrix of
    weights and no formula: `count_as` gives it one.
    """
    state: Any = {name: value.to("meta") for name, value in inputs.items()}
    found = []
    for block in blocks:
        counted, state = _run_on_meta(block, state)
        found.append(counted)
    return tuple(found)


def count_as(kind: type[nn.Module], formula: Formula) -> None:
    """From now on layers of this kind cost what the formula says."""
    _FORMULAS[kind] = formula


def pair_flops(batch: int, tokens: int, width: int) -> float:
    """Attention of every token to every token: scores and weighted sum, `width` = heads x size."""
    return 4.0 * batch * tokens * tokens * width


def _run_on_meta(block: nn.Module, state: Any) -> tuple[float, Any]:
    counted = 0.0

    def add(module: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        nonlocal counted
        counted += _own_flops(module, given, output)

    handles = [module.register_forward_hook(add) for module in block.modules()]
    shadow = {name: _shadow(value) for name, value in _tensors(block)}
    try:
        with torch.no_grad():
            output = functional_call(block, shadow, (state,))
    finally:
        for handle in handles:
            handle.remove()
    return counted, tree_map_only(Tensor, lambda t: t.to("meta"), output)


def _shadow(value: Tensor) -> Tensor:
    return torch.empty_like(value, device="meta")


def _tensors(block: nn.Module) -> list[tuple[str, Tensor]]:
    return [*block.named_parameters(), *block.named_buffers()]


def _own_flops(module: nn.Module, given: tuple[Any, ...], output: Any) -> float:
    for kind in type(module).__mro__:
        if kind in _FORMULAS:
            return _FORMULAS[kind](module, given, output)
    own = module.parameters(recurse=False)
    if not any(module.children()) and any(p.dim() > 1 for p in own):
        raise ValueError(
            f"no FLOP formula for a {type(module).__name__}; give one with "
            "edgetwin.systems.federated.models.flops.count_as."
        )
    return 0.0


def _linear(module: nn.Linear, _: tuple[Any, ...], output: Tensor) -> float:
    return 2.0 * output.numel() * module.in_features


def _convolution(module: nn.Conv2d, _: tuple[Any, ...], output: Tensor) -> float:
    return 2.0 * output.numel() * prod(module.kernel_size) * module.in_channels / module.groups


def _heads(module: nn.MultiheadAttention, given: tuple[Any, ...], output: Any) -> float:
    """Self-attention; its own projections are functions, not layers."""
    query: Tensor = given[0]
    batch, tokens = query.shape[:2] if module.batch_first else query.shape[1::-1]
    width = module.embed_dim
    projections: float = 8.0 * batch * tokens * width * width
    return projections + pair_flops(batch, tokens, width)


def _nothing(*_: Any) -> float:
    return 0.0


_FORMULAS: dict[type, Formula] = {
    nn.Linear: _linear,
    nn.Conv1d: _convolution,
    nn.Conv2d: _convolution,
    nn.MultiheadAttention: _heads,
    nn.Embedding: _nothing,
}
