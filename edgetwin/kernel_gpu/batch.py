"""Many boards on one device: the batched kernel as an object, state and parameters as tensors."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgetwin.kernel.state import SLOTS, State
from edgetwin.kernel_gpu import orders
from edgetwin.kernel_gpu.boards import boards_of
from edgetwin.kernel_gpu.control import request
from edgetwin.kernel_gpu.devices import REAL, checked, fusing_pays
from edgetwin.kernel_gpu.fields import Tensors, merged, records_of, slots_in_use, tensors_of
from edgetwin.kernel_gpu.heat import flush_heat, nodes_c, set_fan, zones_c
from edgetwin.kernel_gpu.inputs import at_level
from edgetwin.kernel_gpu.loop import advance
from edgetwin.kernel_gpu.phases import phases
from edgetwin.kernel_gpu.plans import NO_ENTRY, plan_of, progress_of, slots_for, with_room
from edgetwin.kernel_gpu.read import energy_j, readings
from hw_models.lowering import Record

Values = int | float | NDArray[Any] | Tensor
# Fields that nothing else depends on until time passes: they may be written as they are.
SETTABLE = frozenset(
    {
        "cap_w", "ceiling", "fan_manual", "fixed", "governor", "key", "mark_aimed_s",
        "mark_below_s", "mark_ns", "mark_over_cap_s", "online", "overshoot", "rail_fault",
        "refused", "trip_forced", "zone_fault",
    }
)  # fmt: skip


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Jobs that have completed, (k,) each: board, slot, serial, and the whole nanosecond."""

    board: NDArray[np.int64]
    slot: NDArray[np.int64]
    serial: NDArray[np.int64]
    t_ns: NDArray[np.int64]


@final
class GpuBatch:
    """N boards that advance together on a GPU, or on the CPU with the same code.

    records (records,) of BOARD_DTYPE; states (n,) of STATE_DTYPE; table (records, rows,
    1 + 8 * kinds) the demand rows on each record; which (n,) the record of each board. Results are
    those of the scalar kernel that does not jump over quiet stretches: equal whole numbers, and
    temperatures within 1e-6 K in float64. With dtype="float32" temperatures, powers and rates are
    single precision, times and counters are not.

    Orders take values for all boards (a number or (n,)) and `boards`, a mask (n,), for some.
    """

    def __init__(
        self,
        records: Record,
        states: State,
        table: NDArray[np.float64],
        *,
        which: NDArray[np.int64] | None = None,
        device: str = "cuda",
        dtype: Literal["float64", "float32"] = "float64",
        slots: int = SLOTS,
        compiled: bool | None = None,
    ) -> None:
        self.device = checked(device, dtype, slots)
        self._real = REAL[dtype]
        which = np.zeros(len(states), np.int64) if which is None else which
        self._boards = boards_of(records, which, table, slots, self.device, self._real)
        self._phases = phases(fusing_pays(self.device) if compiled is None else compiled)
        self.load(states)

    def __len__(self) -> int:
        return len(self._state["t_ns"])

    # -- state ----------------------------------------------------------------------------

    def load(self, states: State) -> None:
        """Go on from other state records (n,), without plans. ValueError when a slot is missing."""
        self._boards = replace(self._boards, plan={})
        none = np.zeros((len(states), 1), NO_ENTRY)
        self._state = self._begun(states, none, np.zeros(len(states), np.int64))

    def begin(
        self,
        which: NDArray[np.int64],
        states: State,
        entries: NDArray[Any],
        ends: NDArray[np.int64],
    ) -> None:
        """Start boards of these indices (k,) from states (k,) with plans.

        entries (k, room) as the batch kernel's, of which the first ends (k,) count. From then on
        every board arrives where it is sent: completions are dealt with on the way.
        """
        wanted = max(slots_for(entries, ends), int(slots_in_use(states).max(initial=0)))
        self._state, self._boards = with_room(self._state, self._boards, wanted, entries.shape[1])
        room = self._boards.plan["t_ns"].shape[1]
        entries = np.pad(entries, ((0, 0), (0, room - entries.shape[1])))
        at = torch.from_numpy(np.asarray(which, np.int64)).to(self.device)
        new, plan = self._begun(states, entries, ends), plan_of(entries, self.device)
        self._state = {k: v.index_copy(0, at, new[k]) for k, v in self._state.items()}
        held = {k: v.index_copy(0, at, plan[k]) for k, v in self._boards.plan.items()}
        self._boards = replace(self._boards, plan=held)

    def _begun(self, states: State, entries: NDArray[Any], ends: NDArray[np.int64]) -> Tensors:
        sizes, top = self._boards.sizes, int(slots_in_use(states).max(initial=0))
        if top > sizes.slots:
            raise ValueError(
                f"a board has a job in slot {top - 1}; this batch has {sizes.slots} slots per "
                "board, give slots= at least as many."
            )
        held = tensors_of(states, sizes, self.device, self._real)
        return held | progress_of(entries, ends, self.device)

    def states(self) -> State:
        """The state records (n,), from which the scalar kernel can go on."""
        return records_of(self._state)

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The state on the device, by the names of STATE_DTYPE: (n,) or (n, size); not copied.

        Any of them goes on to others by DLPack. They are replaced, not changed, by what comes
        next, so that what was read stays as it was.
        """
        return MappingProxyType(self._state)

    def zones_c(self) -> Tensor:
        """True temperatures at the sensors, (n, zones)."""
        return zones_c(self._state, self._boards)

    def nodes_c(self) -> Tensor:
        """True temperatures of the thermal nodes, (n, nodes)."""
        return nodes_c(self._state, self._boards)

    def freq_hz(self) -> Tensor:
        """Clocks that run now, (n, domains)."""
        return at_level(self._boards, "freq_hz", self._state["level"])

    def energy_j(self) -> Tensor:
        """Energy drawn since reset, losses of regulators included, (n,)."""
        return energy_j(self._state, self._boards)

    def readings(self) -> Tensor:
        """What the sensors say now, (n, columns), in the columns of `BatchSimulator.readings`."""
        return readings(self._state, self._boards)

    # -- time -----------------------------------------------------------------------------

    def advance(self, end_ns: Values) -> Tensor:
        """Run every board until end_ns, (n,) or one for all; codes (n,) as the scalar kernel's."""
        end = self._full(end_ns, torch.int64)
        with torch.no_grad():
            self._state, code = advance(self._state, self._boards, end, self._phases)
        return code

    def run(self, end_ns: Values) -> Ended:
        """Run every board until end_ns and free the slots of jobs that complete on the way."""
        found: list[Tensor] = []
        while True:
            code = self.advance(end_ns)
            s, done, index = self._state, code >= 0, (code >= 0).nonzero()[:, 0]
            if len(index) == 0 and not (code < -1).any():
                break
            slot = code.clamp(min=0)
            serial = s["job_serial"][index, slot[index]]
            found.append(torch.stack([index, slot[index], serial, s["t_ns"][index]]))
            self.free_job(slot, boards=done)
        rows = torch.cat(found, 1).cpu().numpy() if found else np.zeros((4, 0), np.int64)
        board, slot_of, serials, t_ns = rows[:, np.lexsort((rows[1], rows[0], rows[3]))]
        return Ended(board=board, slot=slot_of, serial=serials, t_ns=t_ns)

    # -- orders ---------------------------------------------------------------------------

    def set_table(self, table: NDArray[np.float64], units: NDArray[np.int64] | None = None) -> None:
        """Demand rows (records, rows, 1 + 8 * kinds) in place of those before; rows only grow.

        units (records, rows, most), for plans: those that can run a row, fastest first, then -1.
        """
        self._boards = self._boards.with_table(table)
        if units is not None:
            few = np.ascontiguousarray(units[:, :, : self._boards.sizes.units])
            self._boards = replace(self._boards, orders=torch.from_numpy(few).to(self.device))

    def start_job(
        self,
        slot: Values,
        *,
        serial: Values,
        unit: Values,
        first: Values,
        rows: Values,
        total: Values,
        target: Values = 0.0,
        waited_s: Values = 0.0,
        boards: Tensor | None = None,
    ) -> None:
        """Fill a slot with a job; arguments as those of the scalar kernel's start_job."""
        whole = {"serial": serial, "unit": unit, "first": first, "rows": rows}
        real = {"total": total, "target": target, "waited_s": waited_s}
        job = {k: self._full(v, torch.int64) for k, v in whole.items()}
        job |= {k: self._full(v, torch.float64) for k, v in real.items()}
        at = self._full(slot, torch.int64)
        self._state = orders.start_job(self._state, self._boards, self._mask(boards), at, job)

    def free_job(self, slot: Values, *, boards: Tensor | None = None) -> None:
        """Forget the job in a slot."""
        at = self._full(slot, torch.int64)
        self._state = orders.free_job(self._state, self._boards, self._mask(boards), at)

    def migrate(self, slot: Values, unit: Values, *, boards: Tensor | None = None) -> None:
        """Move the job in a slot to a unit that can run it; boards with none there do nothing."""
        at, to = self._full(slot, torch.int64), self._full(unit, torch.int64)
        here = self._state["job_unit"].gather(1, at[:, None])[:, 0] >= 0
        mask = self._mask(boards) & here
        self._state = orders.migrate(self._state, self._boards, mask, at, to)

    def request_level(self, domain: int, level: Values, *, boards: Tensor | None = None) -> None:
        """Ask a clock for an operating point, as a governor would."""
        s, b = self._state, self._boards
        asked = self._mask(boards)[:, None] & (b.fixed["domains"] == domain)
        levels = self._full(level, torch.int64)[:, None].expand(-1, b.sizes.domains)
        self._state = request(s, b, asked, levels)

    def set_fan_level(self, level: Values, *, boards: Tensor | None = None) -> None:
        """Turn the fan to a level."""
        wanted = self._full(level, torch.int64)
        self._state = set_fan(self._state, self._boards, self._mask(boards), wanted)

    def set_ambient(self, ambient_c: Values, *, boards: Tensor | None = None) -> None:
        """The air around the boards has another temperature from now on."""
        mask, s = self._mask(boards), self._state
        new = {"ambient_c": self._full(ambient_c, self._real), "dirty": torch.ones_like(s["dirty"])}
        self._state = merged(flush_heat(s, self._boards, mask), mask, new)

    def set_field(
        self, name: str, values: Values, *, at: int | None = None, boards: Tensor | None = None
    ) -> None:
        """Write what others set: one of SETTABLE, with `at` the domain, unit, zone or rail."""
        if name not in SETTABLE:
            raise ValueError(f"{name!r} is not to be set; give one of {sorted(SETTABLE)}.")
        held = self._state[name]
        new = self._full(values, held.dtype)
        if at is not None:
            here = torch.arange(held.shape[1], device=self.device) == at
            new = torch.where(here, new[:, None], held)
        self._state = merged(self._state, self._mask(boards), {name: new})

    def _full(self, values: Values, dtype: torch.dtype) -> Tensor:
        """One value per board, (n,)."""
        return torch.as_tensor(values).to(self.device, dtype).expand(len(self)).clone()

    def _mask(self, boards: Tensor | None) -> Tensor:
        if boards is None:
            return torch.ones(len(self), dtype=torch.bool, device=self.device)
        return boards.to(self.device)
