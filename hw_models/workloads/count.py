"""Operations, bytes and kernel launches of a torch module, counted on the meta device.

No weight is allocated and nothing is computed: shapes alone are propagated. Three batch sizes are
counted; what grows with the batch is per sample, what does not is per call or per step.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hw_models.jobs import NetworkProfile
from hw_models.naming import unknown

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    Module = nn.Module | Callable[[], nn.Module]
    Example = Tensor | tuple[Tensor, ...]
    Loss = Callable[[Tensor], Tensor]

Counts = NDArray[np.float64]

BATCHES = (2, 4, 6)
"""Batch sizes counted: two give the line, the third checks that it is one."""

FLOPS, BYTES, KERNELS, SAVED_BYTES = range(4)
"""Places in a row of counts."""


def count_module(
    module: "Module",
    example: "Example",
    *,
    name: str,
    source: str,
    loss: "Loss | None" = None,
    optimizer: "Callable[[list[nn.Parameter]], Optimizer] | None" = None,
    tokens: int = 0,
) -> NetworkProfile:
    """The profile of a module, or of what a factory builds, for inputs like one `example`.

    `example` is the input of one sample without the batch axis, on any device (a tuple if forward
    takes several). `loss` maps the output to a scalar; by default cross-entropy over the last
    axis. `optimizer` gets the trainable parameters; by default AdamW, one launch per tensor list.

    A FLOP is half a multiply-accumulate; only matrix products, convolutions and attention have
    any (torch.utils.flop_counter), attention in its plain form (matmul, softmax, matmul). Bytes
    and launches are those of every operation (see meter.py). Weights read in a forward call are
    parameter_bytes, not forward_bytes; step_bytes holds all traffic of a training step that does
    not grow with the batch. A training step is forward, loss, backward and optimiser, in the
    dtype of the module, without recomputation.

    ValueError when a count is not a straight line in the batch size, ModuleNotFoundError when
    torch is missing.
    """
    meta = _on_meta(module)
    samples = _samples(example)
    forward = [_forward_counts(meta, samples(b)) for b in BATCHES]
    train = [_train_counts(meta, samples(b), loss or _cross_entropy, optimizer) for b in BATCHES]
    per_call, per_sample = _line(forward, name)
    per_step, per_train_sample = _line(train, name)
    parameters = list(meta.parameters())
    return NetworkProfile(
        name=name,
        source=source,
        parameter_count=float(sum(p.numel() for p in parameters)),
        parameter_bytes=float(sum(p.nbytes for p in parameters)),
        forward_flops=float(per_sample[FLOPS]),
        forward_bytes=float(per_sample[BYTES]),
        forward_kernels=float(per_call[KERNELS]),
        train_flops=float(per_train_sample[FLOPS]),
        train_bytes=float(per_train_sample[BYTES]),
        train_kernels=float(per_step[KERNELS]),
        step_bytes=float(per_step[BYTES]),
        saved_bytes=float(per_train_sample[SAVED_BYTES]),
        tokens=tokens,
    )


def count_network(name: str) -> NetworkProfile:
    """A network of nets.py counted anew; KeyError, with the nearest name, for an unknown one."""
    import torch

    from hw_models.workloads.nets import NETWORKS

    if name not in NETWORKS:
        raise KeyError(unknown("network", name, list(NETWORKS)))
    net, release = NETWORKS[name], torch.__version__.split("+")[0]
    return count_module(
        net.build,
        net.example(),
        name=name,
        source=f"{net.source}; counted by hw_models.workloads.count with torch {release}",
        optimizer=net.optimizer,
        tokens=net.tokens,
    )


def _on_meta(module: "Module") -> "nn.Module":
    try:
        from hw_models.workloads.meter import on_meta
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "counting a network needs torch: pip install 'edgetwin[learn]'."
        ) from error
    return on_meta(module)


def _samples(example: "Example") -> "Callable[[int], tuple[Tensor, ...]]":
    one = example if isinstance(example, tuple) else (example,)
    return lambda batch: tuple(t.new_empty((batch, *t.shape), device="meta") for t in one)


def _forward_counts(module: "nn.Module", inputs: "tuple[Tensor, ...]") -> Counts:
    import torch

    module.eval()
    with torch.no_grad():
        return _metered(lambda: module(*inputs), module)


def _train_counts(
    module: "nn.Module",
    inputs: "tuple[Tensor, ...]",
    loss: "Loss",
    make_optimizer: "Callable[[list[nn.Parameter]], Optimizer] | None",
) -> Counts:
    """The second step is counted: the first one also sets up the optimiser's state."""
    from torch.optim import AdamW

    module.train()
    trainable = [p for p in module.parameters() if p.requires_grad]
    optimizer = make_optimizer(trainable) if make_optimizer else AdamW(trainable, foreach=True)

    def step() -> None:
        loss(module(*inputs)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    step()
    return _metered(step, module)


def _metered(run: Callable[[], Any], module: "nn.Module") -> Counts:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    from hw_models.workloads.meter import SavedMeter, TrafficMeter, flop_meter

    traffic, saved, flops = TrafficMeter(), SavedMeter(module), flop_meter()
    with sdpa_kernel(SDPBackend.MATH), traffic, flops, saved.hooks():
        run()
    counted = [flops.get_total_flops(), traffic.moved_bytes, traffic.kernels, saved.saved_bytes]
    return np.array(counted, dtype=np.float64)


def _cross_entropy(output: "Tensor") -> "Tensor":
    """Mean cross-entropy of logits (..., classes) against any labels: only shapes matter."""
    import torch
    from torch.nn.functional import cross_entropy

    logits = output.flatten(0, -2)
    labels = torch.empty(len(logits), dtype=torch.long, device=logits.device)
    return cross_entropy(logits, labels)


def _line(counts: list[Counts], name: str) -> tuple[Counts, Counts]:
    """(per call, per sample) of counts that are a straight line in the batch size."""
    low, mid, high = counts
    per_sample = (mid - low) / (BATCHES[1] - BATCHES[0])
    per_call = low - BATCHES[0] * per_sample
    is_line = np.array_equal(per_call + BATCHES[2] * per_sample, high)
    if not is_line or per_sample[KERNELS] != 0:
        raise ValueError(
            f"{name} does work that is not proportional to the batch; counted at batch sizes "
            f"{BATCHES}: {[c.tolist() for c in counts]} (FLOPs, bytes, kernels, saved bytes)."
        )
    return per_call, per_sample
