"""What a local step costs on a board: counted FLOPs, launches and bytes as a `ForwardJob`."""

import copy
import math
import weakref
from typing import Any, Final, final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from edgetwin.systems.federated.batch import Batch
from edgetwin.systems.federated.method import Method, SplitModel
from edgetwin.systems.federated.packet import DENSE
from edgetwin.systems.federated.stack import Stack
from hw_models.jobs import ForwardJob, NetworkProfile
from hw_models.workloads.meter import TrafficMeter

NOISE_BYTES: Final = 8.0
"""Bytes moved per weight that noise is added to: it is read and written, in float32."""


@final
class LiveMeter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The most bytes of results that are alive at once while operations run."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak_bytes = 0
        self._live: dict[int, int] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor) and not func.is_view and id(tensor) not in self._live:
                self._live[id(tensor)] = tensor.nbytes
                weakref.finalize(tensor, self._live.pop, id(tensor), None)
        self.peak_bytes = max(self.peak_bytes, sum(self._live.values()))
        return out


@final
class Prices:
    """What the local steps of one method ask of boards, for batches like one example.

    Shapes alone are propagated, on the meta device; nothing is computed. Weights and rates are
    those of the method's replica.
    """

    def __init__(self, method: Method, model: SplitModel, batch: Batch, name: str) -> None:
        self.cost = method.cost(batch)
        self.batch = len(batch.labels)
        self.network, self.held_bytes = profile(model, batch, name)
        if method.form.kind == DENSE:  # what back-propagation keeps, and a gradient
            kept_bytes = self.batch * self.network.saved_bytes
            self.held_bytes = kept_bytes + method.form.packet_bytes
        self._kept: dict[tuple[int, int], ForwardJob] = {}

    def job(self, steps: int, replayed: int = 0) -> ForwardJob:
        """The job of so many local steps after the replay of so many packets.

        Packets to replay are rounded up to 1, 2, 4, 8 ...: a board remembers every job it has
        seen, and few different ones are enough.
        """
        rounded = 1 << (replayed - 1).bit_length() if replayed else 0
        key = (steps, rounded)
        if key not in self._kept:
            values = self.cost.noise_values + rounded * self.cost.replay_values / steps
            self._kept[key] = ForwardJob(
                network=self.network,
                batch=self.batch,
                passes=self.cost.call_share,
                steps=steps,
                noise_bytes=NOISE_BYTES * values,
                held_bytes=self.held_bytes,
            )
        return self._kept[key]


def profile(model: SplitModel, batch: Batch, name: str) -> tuple[NetworkProfile, float]:
    """A model's counts per sample and call, and the bytes of activations alive at once.

    A sample of token numbers, (n, tokens), has so many tokens; any other counts as one.
    """
    stack = copy.deepcopy(Stack(list(model.blocks))).to("meta")
    inputs = {key: value.to("meta") for key, value in batch.inputs.items()}
    n = len(batch.labels)
    with torch.no_grad(), TrafficMeter() as traffic, LiveMeter() as live:
        stack(inputs)
    parameters = list(stack.parameters())
    parameter_bytes = float(sum(p.nbytes for p in parameters))
    sample_bytes = max(0.0, traffic.moved_bytes - parameter_bytes) / n
    forward_flops = sum(model.flops(batch)) / n
    whole = next((v for v in batch.inputs.values() if not v.is_floating_point()), None)
    network = NetworkProfile(
        name=name,
        source="counted on the meta device by edgetwin.systems.federated.pricing",
        parameter_count=float(sum(p.numel() for p in parameters)),
        parameter_bytes=parameter_bytes,
        forward_flops=forward_flops,
        forward_bytes=sample_bytes,
        forward_kernels=float(traffic.kernels),
        train_flops=3 * forward_flops,
        train_bytes=3 * sample_bytes,
        train_kernels=3.0 * traffic.kernels,
        step_bytes=3 * parameter_bytes,
        saved_bytes=sample_bytes,
        tokens=1 if whole is None else math.prod(whole.shape[1:]),
    )
    return network, float(live.peak_bytes)
