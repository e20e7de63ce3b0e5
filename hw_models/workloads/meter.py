"""What a torch module asks of a device, metered operation by operation; needs torch."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

Shape = Sequence[int]

_ALLOCATIONS = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"}
_METADATA = _ALLOCATIONS | {"_unsafe_view", "lift_fresh", "set_", "resize_"}
_OVERWRITES = {
    "copy_",
    "fill_",
    "zero_",
    "normal_",
    "uniform_",
    "bernoulli_",
    "random_",
    "ones_like",
    "zeros_like",
    "full_like",
    "rand_like",
    "randn_like",
}
_GATHERS = {"embedding", "index_select", "gather", "index", "nll_loss_forward"}


@final
class TrafficMeter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts kernel launches and bytes of every operation on meta tensors.

    An aten operation that writes a tensor is one launch; views, reshapes without copy and
    allocations are none. It reads each tensor input once and writes each output once. An input
    that only gives a shape or is overwritten is not read, a broadcast axis is read once, and a
    gather (embedding, index) reads of its table no more than it fetches. No caches.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kernels = 0
        self.moved_bytes = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        written = [] if _is_free(func) else _tensors([out, _mutated(func, args)])
        if written:
            self.kernels += 1
            self.moved_bytes += _bytes(written) + _read_bytes(func, args, kwargs or {}, written)
        return out


@final
class SavedMeter:
    """Bytes that autograd keeps between forward and backward, weights and buffers excluded.

    Every storage counts once and whole, however many views of it are kept.
    """

    def __init__(self, module: nn.Module) -> None:
        owned = [*module.parameters(), *module.buffers()]
        self._weights = {t.untyped_storage()._cdata for t in owned}
        self._kept: dict[int, torch.UntypedStorage] = {}

    def hooks(self) -> saved_tensors_hooks:
        """The context manager under which the forward pass runs."""
        return saved_tensors_hooks(self._keep, lambda tensor: tensor)

    @property
    def saved_bytes(self) -> int:
        """Bytes kept so far."""
        return sum(storage.nbytes() for storage in self._kept.values())

    def _keep(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if tensor.is_meta and storage._cdata not in self._weights:
            self._kept[storage._cdata] = storage
        return tensor


def flop_meter() -> FlopCounterMode:
    """Counts the FLOPs of every operation.

    The formula of torch 2.13 for the backward pass of a grouped convolution ignores the groups
    (MobileNetV2 would need 20 times the operations), so it is replaced.
    """
    formulas = {torch.ops.aten.convolution_backward: _convolution_backward_flops}
    return FlopCounterMode(display=False, custom_mapping=formulas)


def _convolution_backward_flops(
    gradient: Shape, inputs: Shape, weight: Shape, *rest: Any, **_: Any
) -> int:
    """Gradients of input and weight, as many as the mask asks: each costs a forward pass."""
    is_transposed, mask = rest[4], rest[7]
    products = math.prod(inputs if is_transposed else gradient) * math.prod(weight[1:])
    return 2 * products * (bool(mask[0]) + bool(mask[1]))


def _is_free(func: Any) -> bool:
    return func.is_view or func.overloadpacket.__name__ in _METADATA


def _mutated(func: Any, args: tuple[Any, ...]) -> list[Any]:
    schema = func._schema.arguments
    pairs = zip(schema, args, strict=False)
    return [value for arg, value in pairs if arg.alias_info and arg.alias_info.is_write]


def _read_bytes(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], written: list[Tensor]
) -> int:
    name = func.overloadpacket.__name__
    inputs = _tensors([args, kwargs])
    if name in _OVERWRITES:
        return _bytes(inputs[1:])
    if name in _GATHERS:
        return min(_bytes(inputs[:1]), _bytes([*written, *inputs[1:]])) + _bytes(inputs[1:])
    return _bytes(inputs)


def _tensors(tree: Any) -> list[Tensor]:
    """Distinct meta tensors in nested arguments."""
    found = {id(t): t for t in tree_leaves(tree) if isinstance(t, Tensor) and t.is_meta}
    return list(found.values())


def _bytes(tensors: list[Tensor]) -> int:
    return sum(t.element_size() * math.prod(_distinct(t)) for t in tensors)


def _distinct(tensor: Tensor) -> Iterator[int]:
    pairs = zip(tensor.shape, tensor.stride(), strict=True)
    return (1 if stride == 0 and size else size for size, stride in pairs)


def on_meta(module: nn.Module | Callable[[], nn.Module]) -> nn.Module:
    """The module without its numbers: built on the meta device, or copied there."""
    if not isinstance(module, nn.Module):
        with torch.device("meta"):
            return module()
    owned = [*module.parameters(), *module.buffers()]
    return copy.deepcopy(module, {id(t): _shape_of(t) for t in owned})


def _shape_of(tensor: Tensor) -> Tensor:
    empty = torch.empty_like(tensor, device="meta")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(empty, requires_grad=tensor.requires_grad)
    return empty
