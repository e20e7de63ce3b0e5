"""What may be chosen: batch sizes, a clock or a power limit, and the memory's clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Knob = Literal["limit_w", "gpu_hz"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Cells that may be chosen, (n,) each: batch size and setting.

    knob is what the setting is: a power limit in watts or a GPU clock in Hz, of the clock domain
    `domain`. memory_hz is the memory's clock where it may be chosen too, of `memory_domain`.
    fixed_hz are clocks that every cell sets alike, by clock domain.
    """

    batch: Array
    setting: Array
    knob: Knob
    domain: str = "gpu"
    memory_hz: Array | None = None
    memory_domain: str = "emc"
    fixed_hz: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not len(self.batch):
            raise ValueError("nothing to choose from: give at least one batch size and setting.")

    def __len__(self) -> int:
        return len(self.batch)

    @property
    def batches(self) -> tuple[int, ...]:
        """The batch sizes, ascending."""
        return tuple(int(b) for b in np.unique(self.batch))

    def where(self, batch: float) -> NDArray[np.int64]:
        """Positions of the cells of one batch size, by ascending memory clock, then setting."""
        at = np.flatnonzero(self.batch == batch)
        memory = np.zeros(len(self)) if self.memory_hz is None else self.memory_hz
        return at[np.lexsort((self.setting[at], memory[at]))]

    def take(self, at: Sequence[int] | NDArray[np.int64]) -> "Space":
        """Some of the cells, by position."""
        index = np.asarray(at, dtype=np.int64)
        return Space(
            batch=self.batch[index], setting=self.setting[index], knob=self.knob,
            domain=self.domain, memory_domain=self.memory_domain, fixed_hz=self.fixed_hz,
            memory_hz=None if self.memory_hz is None else self.memory_hz[index],
        )  # fmt: skip

    def find(self, batch: float, setting: float, memory_hz: float | None = None) -> int:
        """The position of a cell; KeyError for one that is not there."""
        close = (self.batch == batch) & np.isclose(self.setting, setting, rtol=1e-6)
        if self.memory_hz is not None and memory_hz is not None:
            close &= np.isclose(self.memory_hz, memory_hz, rtol=1e-6)
        if not close.any():
            raise KeyError(f"no cell with batch {batch:g} and setting {setting:g} in this space.")
        return int(np.argmax(close))

    def label(self, at: int) -> dict[str, Any]:
        """A cell as plans name it: batch, and limit_w or freq_hz by clock domain."""
        setting, batch = float(self.setting[at]), int(self.batch[at])
        if self.knob == "limit_w":
            return {"batch": batch, "limit_w": setting}
        freq_hz = {**self.fixed_hz, self.domain: setting}
        if self.memory_hz is not None:
            freq_hz[self.memory_domain] = float(self.memory_hz[at])
        return {"batch": batch, "freq_hz": freq_hz}

    def words(self, at: int) -> str:
        """A cell in words: "batch 32 at 930.75 MHz"."""
        text = f"batch {int(self.batch[at])} at "
        if self.knob == "limit_w":
            return text + f"a limit of {self.setting[at]:g} W"
        text += f"{self.setting[at] / 1e6:g} MHz"
        if self.memory_hz is not None:
            text += f", memory at {self.memory_hz[at] / 1e6:g} MHz"
        return text


def product_space(
    batches: Sequence[float],
    settings: Sequence[float],
    knob: Knob,
    *,
    domain: str = "gpu",
    memory_hz: Sequence[float] | None = None,
    memory_domain: str = "emc",
) -> Space:
    """Every batch with every setting, and with every clock of the memory where given."""
    axes = [np.asarray(batches, float), np.asarray(settings, float)]
    if memory_hz is not None:
        axes.append(np.asarray(memory_hz, float))
    mesh = [axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")]
    return Space(
        batch=mesh[0], setting=mesh[1], knob=knob, domain=domain, memory_domain=memory_domain,
        memory_hz=mesh[2] if memory_hz is not None else None,
    )  # fmt: skip
