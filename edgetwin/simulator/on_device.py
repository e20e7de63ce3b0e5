"""The way of a batch's boards to a device of torch, where their physics runs, and back."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgetwin.kernel.state import STATE_DTYPE, State
from hw_models.lanes import LANES

if TYPE_CHECKING:
    from edgetwin.kernel_gpu import GpuBatch
    from edgetwin.simulator.batch import BatchSimulator

# What stays up to date on the host, too.
MIRRORED = ("t_ns", "end_ns")


def _on_device(batch: "BatchSimulator", device: str) -> "GpuBatch":
    """All boards of a batch on a device, where they stand, without their plans.

    ImportError without torch, ValueError for a device that is not there.
    """
    try:
        from edgetwin.kernel_gpu import GpuBatch
    except ImportError as e:
        raise ImportError(
            f"device is {device!r}, which needs torch ({e}): pip install torch."
        ) from e
    n = batch.n_boards
    made = GpuBatch(
        batch.records,
        states_of(batch, np.arange(n)),
        batch.tables,
        which=blocks_of(batch),
        device=device,
        dtype="float32" if batch.floats.dtype == np.float32 else "float64",
        slots=1,
    )
    made.set_table(batch.tables, batch.orders)
    return made


def states_of(batch: "BatchSimulator", which: NDArray[np.int64]) -> State:
    """The scalar states (k,) of boards of a batch as its blocks hold them."""
    states = np.zeros(len(which), STATE_DTYPE)
    words = batch.layout.whole_words
    group, lane = np.divmod(which, LANES)
    real, whole = (states.view(kind).reshape(len(which), -1) for kind in (np.float64, np.int64))
    real[:, batch.layout.float_words] = batch.floats[group, :, lane]
    known = words >= 0
    whole[:, words[known]] = batch.whole[group, :, lane][:, known]
    return states


def begin_on_device(
    batch: "BatchSimulator", device: str | None, which: NDArray[np.int64]
) -> "GpuBatch | None":
    """Send boards that have just been put at the start of their plans; None without a device."""
    if device is None:
        return None
    gpu = batch.gpu or _on_device(batch, device)
    ends = batch.whole[:, batch.at["event_end"]].reshape(-1)[which]
    gpu.begin(which, states_of(batch, which), batch.plans[which], ends)
    return gpu


def run_on_device(batch: "BatchSimulator", gpu: "GpuBatch") -> None:
    """Run every board until its own end_ns there."""
    gpu.advance(batch.rows("end_ns").reshape(-1)[: batch.n_boards].copy())
    t_ns = batch.whole[:, batch.at["t_ns"]].reshape(-1)
    t_ns[: batch.n_boards] = gpu.tensors["t_ns"].cpu().numpy()
    batch.whole[:, batch.at["t_ns"]] = t_ns.reshape(len(batch.whole), -1)


def column_of(gpu: "GpuBatch", name: str, index: int) -> NDArray[Any]:
    """A number of the state of every board, (n,), copied from there."""
    held: NDArray[Any] = gpu.tensors[name].cpu().numpy()
    return held if held.ndim == 1 else held[:, index]


def hand_over(gpu: "GpuBatch", domain: int, governor: int) -> None:
    """Give a clock domain of every board to a governor."""
    gpu.set_field("governor", governor, at=domain)
    gpu.set_field("fixed", gpu.tensors["target"][:, domain], at=domain)


def blocks_of(batch: "BatchSimulator") -> NDArray[np.int64]:
    """Which of the boards that were drawn each board of a batch is, (n,)."""
    return np.arange(batch.n_boards) // (batch.groups_per_board * LANES)


def node_temps_of(batch: "BatchSimulator") -> NDArray[np.float64]:
    """True temperatures (n, nodes) of the boards of a batch, wherever they are."""
    if batch.gpu is not None:
        return np.asarray(batch.gpu.nodes_c().cpu().numpy(), np.float64)
    n, at = len(batch.lowered.nodes), batch.at["modes"]
    modes = batch.floats[:, at : at + n].transpose(0, 2, 1).reshape(-1, n)[: batch.n_boards]
    fan, block, found_c = batch.get("fan"), blocks_of(batch), np.zeros((batch.n_boards, n))
    for k, record in enumerate(batch.records):
        for level in np.unique(fan[block == k]):
            which = (block == k) & (fan == level)
            found_c[which] = modes[which] @ record["from_modes"][level, :n, :n].T
    return found_c
