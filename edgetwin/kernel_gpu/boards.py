"""The parameters of a batch of boards as tensors: one board for all, or one for each."""

from dataclasses import dataclass, fields, replace
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgetwin.kernel_gpu.fields import Sizes, Tensors
from hw_models.lowering import FAN, SHUTDOWN, THROTTLE, Record
from hw_models.performance import KIND_COLUMNS

# Fields of BOARD_DTYPE that may differ from board to board, by what they are counted over.
OWN = {
    "freq_hz": ("domains", "levels"), "volt_v": ("domains", "levels"),
    "leak_factor": ("domains", "levels"), "transition_ns": ("domains", "levels"),
    "active_f": ("parts",), "idle_f": ("parts",), "constant_w": ("parts",),
    "leak_w": ("parts",), "law": (), "fan_w": ("fans",), "energy_per_byte_j": (),
    "drawn_per_w": (), "byte_f": ("units",),
    "pnorm": ("kinds",), "stall_activity": ("kinds",), "corunner_stall": ("kinds",),
    "bandwidth_stall": ("kinds",), "bytes_per_cycle": (), "migration_ns": (),
    "zone_step_k": ("zones",), "zone_noise_k": ("zones",), "zone_offset_k": ("zones",),
    "rail_covers": ("rails", "parts"), "rail_step_w": ("rails",), "rail_noise": ("rails",),
    "trip_c": ("trips",), "trip_hyst_k": ("trips",),
}  # fmt: skip
HEAT = {
    "tau_s": ("nodes",), "see": ("nodes", "parts"), "heat": ("parts", "nodes"),
    "see_zone": ("zones", "nodes"),
    "ambient_push_per_k": ("nodes",), "to_modes": ("nodes", "nodes"),
    "from_modes": ("nodes", "nodes"),
}  # fmt: skip
# What all boards of a batch must share: what there is and how it hangs together.
ALIKE = (
    "nodes", "parts", "units", "domains", "zones", "rails", "trips", "fans", "cores", "levels",
    "memory_domain", "unit_domain", "unit_kind", "unit_host", "part_domain", "shared_part",
    "memory_part", "fan_part", "input_rail", "period_ns", "poll_ticks", "zone_ticks",
    "rail_ticks", "trip_zone", "trip_kind", "trip_fan", "trip_domain",
)  # fmt: skip
# Thermal factors that are kept for whole control periods: here they are computed for each step;
# and what only the replay of a log needs.
# What is kept for speed, and what only logs need.
NOT_HELD = (
    "decay", "phi1", "phi2", "partial_ns", "kernel_f", "stalled_f", "usable_bytes_per_cycle",
)  # fmt: skip


@final
@dataclass(frozen=True, kw_only=True)
class Boards:
    """Parameters of n boards.

    own: tensors with first dimension 1 (one board for all) or n; fixed: what all share; networks:
    thermal matrices with first dimension records * fans, to be multiplied by a row from the left;
    work (records, rows) and body (records, rows * kinds, 8) the demand rows; orders (records,
    rows, units) units by demand row, fastest first, and plan (n, entries) each, where boards have
    plans. The whole numbers are those of BOARD_DTYPE; shared lists (domain, part).
    """

    sizes: Sizes
    period_ns: int
    poll_ticks: int
    memory_domain: int
    memory_part: int
    fan_part: int
    shared: tuple[tuple[int, int], ...]
    noisy: bool
    own: Tensors
    fixed: Tensors
    networks: Tensors
    work: Tensor
    body: Tensor
    orders: Tensor
    plan: Tensors

    def take(self, index: Tensor) -> "Boards":
        """The parameters of some of the boards."""
        own = {k: v[index] if len(v) > 1 else v for k, v in self.own.items()}
        return replace(self, own=own, plan={k: v[index] for k, v in self.plan.items()})

    def with_table(self, table: NDArray[np.float64]) -> "Boards":
        """The same boards with demand rows (records, rows, 1 + 8 * kinds)."""
        real, device = self.own["freq_hz"].dtype, self.work.device
        body = table[:, :, 1:].reshape(len(table), -1, KIND_COLUMNS)
        return replace(
            self,
            work=torch.from_numpy(table[:, :, 0].copy()).to(device),
            body=torch.from_numpy(body).to(device, real),
        )


def boards_of(
    records: Record,
    which: NDArray[np.int64],
    table: NDArray[np.float64],
    slots: int,
    device: torch.device,
    real: torch.dtype,
) -> Boards:
    """Board records (records,) as parameters of n boards; which (n,) names the record of each.

    table (records, rows, 1 + 8 * kinds) is what jobs ask for on each of them. ValueError when two
    records differ in what may not differ within a batch.
    """
    _check_alike(records)
    first = records[0]
    sizes = _sizes(first, slots, (table.shape[2] - 1) // KIND_COLUMNS)
    which = which if len(records) > 1 else np.zeros(1, np.int64)

    def tensor(values: Any) -> Tensor:
        made = torch.from_numpy(np.array(values, order="C")).to(device)
        return made.to(real) if made.is_floating_point() else made

    own = {name: tensor(_cut(records[name], over, sizes)[which]) for name, over in OWN.items()}
    own |= {"record": tensor(which), "network": tensor(which * sizes.fans)}
    networks = {}
    for name, over in HEAT.items():
        cut = _cut(records[name], ("fans", *over), sizes)
        networks[name] = tensor(cut.reshape(-1, *cut.shape[2:]))
    out_w_per_k = torch.einsum("rki,rk->r", networks["to_modes"], networks["ambient_push_per_k"])
    for name in ("see_zone", "to_modes", "from_modes"):  # rows times matrix, as for "see"
        networks[name] = networks[name].transpose(1, 2).contiguous()
    return Boards(
        sizes=sizes,
        **{name: int(first[name]) for name in _WHOLE},
        shared=tuple(
            (d, int(p)) for d, p in enumerate(first["shared_part"][: sizes.domains]) if p >= 0
        ),
        noisy=bool(np.any(records["zone_noise_k"]) or np.any(records["rail_noise"])),
        own=own,
        fixed={name: torch.from_numpy(v).to(device) for name, v in _fixed(first, sizes).items()},
        networks=networks | {"out_w_per_k": out_w_per_k},
        work=torch.zeros(0, device=device),
        body=torch.zeros(0, device=device),
        orders=torch.zeros(0, dtype=torch.int64, device=device),
        plan={},
    ).with_table(table)


_WHOLE = ("period_ns", "poll_ticks", "memory_domain", "memory_part", "fan_part")


def _check_alike(records: Record) -> None:
    for name in ALIKE:
        if not np.array_equal(
            records[name], np.broadcast_to(records[name][:1], records[name].shape)
        ):
            raise ValueError(
                f"the boards of a batch differ in {name}; give samples of one board, "
                "and another batch to another board."
            )


def _sizes(first: Any, slots: int, kinds: int) -> Sizes:
    same = {
        f.name: int(first[f.name])
        for f in fields(Sizes)
        if f.name not in ("levels", "kinds", "slots")
    }
    return Sizes(levels=int(first["levels"].max()), kinds=kinds, slots=slots, **same)


def _cut(values: Any, over: tuple[str, ...], sizes: Sizes) -> Any:
    """Without the room that the record keeps for larger boards."""
    return values[(slice(None), *(slice(0, getattr(sizes, name)) for name in over))]


def _fixed(first: Any, sizes: Sizes) -> dict[str, Any]:
    """Indices and truth tables: how units, domains, parts and trips hang together."""
    u, d, i = sizes.units, sizes.domains, sizes.trips
    domain, host = first["unit_domain"][:u], first["unit_host"][:u]
    parts = first["part_domain"][: sizes.parts]
    kind, trip_zone = first["trip_kind"][:i], first["trip_zone"][:i]
    throttles = (kind == THROTTLE)[:, None] & (first["trip_domain"][:i, :d] != 0)
    return {
        "units": np.arange(u),
        "domains": np.arange(d),
        "slots": np.arange(sizes.slots),
        "levels": np.arange(sizes.levels),
        "top": first["levels"][:d] - 1,
        "unit_domain": domain.copy(),
        "unit_kind": first["unit_kind"][:u].copy(),
        "unit_in_domain": domain[:, None] == np.arange(d),
        "has_host": host >= 0,
        "host": np.maximum(host, 0),
        "host_is": host[:, None] == np.arange(u),
        "part_domain": np.maximum(parts, 0),
        "is_clocked": parts >= 0,
        "zone_ticks": first["zone_ticks"][: sizes.zones].copy(),
        "rail_ticks": first["rail_ticks"][: sizes.rails].copy(),
        "trip_zone": trip_zone.copy(),
        "trip_fan": first["trip_fan"][:i].copy(),
        "turns_fan": kind == FAN,
        "shuts_down": kind == SHUTDOWN,
        "throttles": throttles,
    }
