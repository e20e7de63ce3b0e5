"""Counting a torch module: rules checked by hand on modules small enough to do so."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="counting networks needs the extra `learn`")

from torch import Tensor, nn  # noqa: E402
from torch.nn.functional import scaled_dot_product_attention  # noqa: E402
from torch.optim import SGD, Optimizer  # noqa: E402

from hw_models.jobs import NetworkProfile  # noqa: E402
from hw_models.workloads import count_module, load_network  # noqa: E402
from hw_models.workloads.count import count_network  # noqa: E402


class Apply(nn.Module):
    """Any function of the input, after a product with one trainable number."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x * self.gain)


def _counted(module: Any, *shape: int, **options: Any) -> NetworkProfile:
    dtype = options.pop("dtype", torch.float32)
    example = torch.empty(shape, dtype=dtype, device="meta")
    return count_module(module, example, name="made-up", source="made up", **options)


def _added(function: Callable[[Tensor], Tensor], *shape: int) -> tuple[float, float, float]:
    """FLOPs per sample, bytes per sample and launches per call that a function adds."""
    with_it = _counted(lambda: Apply(function), *shape)
    without = _counted(lambda: Apply(lambda x: x), *shape)
    return (
        with_it.forward_flops - without.forward_flops,
        with_it.forward_bytes - without.forward_bytes,
        with_it.forward_kernels - without.forward_kernels,
    )


def _sgd(parameters: list[nn.Parameter]) -> Optimizer:
    return SGD(parameters, lr=0.1, foreach=True)


def test_a_linear_layer_by_hand() -> None:
    net = _counted(lambda: nn.Linear(8, 4), 8, loss=Tensor.sum, optimizer=_sgd)
    assert net.parameter_count == 36
    assert net.parameter_bytes == 144
    assert net.forward_flops == 2 * 8 * 4
    assert net.forward_bytes == (8 + 4) * 4
    assert net.forward_kernels == 1
    # forward and the gradient of the weight; the input needs none
    assert net.train_flops == 2 * 64
    # product 8 + 4, sum 4, gradient of the weight 8 numbers per sample
    assert net.train_bytes == (8 + 4 + 4 + 8) * 4
    # product, sum, its gradient, gradients of weight and bias, update
    assert net.train_kernels == 6
    # 36 weights read; sum written; 1 written as its gradient; 1 read and 32 written; 1 read and
    # 4 written; update reads 36 weights and 36 gradients, writes 36
    assert net.step_bytes == (36 + 1 + 1 + 33 + 5 + 3 * 36) * 4
    assert net.saved_bytes == 8 * 4


def test_views_cost_nothing_and_copies_do() -> None:
    assert _added(lambda x: x.view(-1, 2, 4).transpose(1, 2)[:, 1:], 8) == (0, 0, 0)
    assert _added(lambda x: x.view(-1, 2, 4).transpose(1, 2).contiguous(), 8) == (0, 64, 1)


def test_work_without_flops_still_moves_bytes() -> None:
    assert _added(torch.relu, 8) == (0, 64, 1)
    assert _added(lambda x: x.mul_(2.0), 8) == (0, 64, 1)


def test_a_broadcast_axis_is_read_once() -> None:
    reads = (8 + 1) * 4
    assert _added(lambda x: x + x[:, :1].expand(-1, 8), 8) == (0, reads + 32, 1)


def test_an_operand_given_twice_is_read_once() -> None:
    assert _added(lambda x: x * x, 8) == (0, 64, 1)


def test_an_embedding_reads_only_the_rows_it_fetches() -> None:
    net = _counted(lambda: nn.Embedding(1000, 8), 3, dtype=torch.long, tokens=3)
    rows = 3 * 8 * 4
    fetched = rows + 3 * 8  # a row per token, and the token number of 8 bytes
    assert net.forward_bytes == pytest.approx(fetched + 3 * 8 + rows)
    assert net.tokens == 3


def test_attention_is_counted_in_its_plain_form() -> None:
    heads, length, width = 2, 16, 8

    def attend(x: Tensor) -> Tensor:
        x = x.view(-1, heads, length, width)
        return scaled_dot_product_attention(x, x, x, is_causal=True)

    flops, _, kernels = _added(attend, heads * length * width)
    assert flops == 2 * heads * (2 * length * length * width)
    assert kernels > 2


def test_what_backward_needs_is_counted_once_and_without_weights() -> None:
    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))

    # input, output of the ReLU (kept twice), log-probabilities, label of 8 bytes
    assert _counted(build, 4).saved_bytes == 4 * 4 + 4 * 4 + 2 * 4 + 8


def test_each_gradient_of_a_grouped_convolution_costs_a_forward_pass() -> None:
    def build() -> nn.Module:
        layers = [nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False) for _ in range(2)]
        return nn.Sequential(*layers, nn.Flatten())

    net = _counted(build, 16, 6, 6)
    layer = 2 * 9 * 16 * 6 * 6
    assert net.forward_flops == 2 * layer
    assert net.train_flops == (2 + 3) * layer  # the first layer's input needs no gradient


def test_each_gradient_of_a_transposed_convolution_costs_a_forward_pass() -> None:
    def build() -> nn.Module:
        layers = [nn.ConvTranspose2d(4, 4, 2, stride=2, groups=2, bias=False) for _ in range(2)]
        return nn.Sequential(*layers, nn.Flatten())

    net = _counted(build, 4, 3, 3)
    first, second = (2 * size * size * 4 * 2 * 4 for size in (3, 6))
    assert net.forward_flops == first + second
    assert net.train_flops == 2 * first + 3 * second


def test_a_module_with_weights_is_counted_and_left_alone() -> None:
    module = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    assert _counted(module, 8) == _counted(
        lambda: nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4)), 8
    )
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(p.grad is None for p in module.parameters())


def test_frozen_weights_get_no_gradient() -> None:
    module = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4))
    all_trained = _counted(module, 8)
    module[0].requires_grad_(False)
    assert _counted(module, 8).train_flops < all_trained.train_flops


def test_work_that_is_not_proportional_to_the_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="made-up does work that is not proportional"):
        _counted(lambda: Apply(lambda x: x @ x.T), 8)


def test_an_unknown_network_brings_the_nearest() -> None:
    with pytest.raises(KeyError, match="Did you mean 'resnet-18'"):
        count_network("resnet-81")


@pytest.mark.parametrize("name", ["resnet-18", "char-transformer", "digits-cnn"])
def test_the_shipped_counts_are_counted_again(name: str) -> None:
    shipped, counted = asdict(load_network(name)), asdict(count_network(name))
    if counted["source"] != shipped["source"]:  # another torch may split operations differently
        exact = ("parameter_count", "parameter_bytes", "forward_flops", "train_flops", "tokens")
        shipped, counted = ({key: net[key] for key in exact} for net in (shipped, counted))
    assert counted == shipped
