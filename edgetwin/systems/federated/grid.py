"""Weights on a fixed-point grid: every step is a whole number of units, so sums are exact.

A weight is a whole number of units of 2**-20. In float32 it is the parameter itself: sums of
such numbers below 16 lose no bit, so a step can be undone and steps commute. With a bfloat16
forward pass the units are kept as int32, of which the parameters are a cast.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgetwin.systems.federated.noise import bits, on_device

UNIT: Final = 2.0**-20
_LARGEST = 2**24 - 2**16  # units that a float32 holds exactly, less room for a perturbation
_WIDE_SUM = 16  # largest magnitude of a sum of 16 signs
_WIDE_SCALE = 4.0  # its standard deviation
_CHUNK = 1 << 16  # values cast at a time

Units = NDArray[np.int32]
Number = TypeVar("Number", float, NDArray[np.float64])
Steps = NDArray[np.float64]
"""Whole numbers of units by packet and perturbation."""


@final
class Grid:
    """The trainable parameters of one block, side by side in one array that they are views of.

    `master` holds the weights (float32 multiples of UNIT, or int32 units), padded to a multiple of
    128; `forward` is what the parameters show, the same array in float32. OverflowError when a
    float32 weight reaches 16, where it would start to lose bits.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        block: int,
        *,
        dtype: torch.dtype = torch.float32,
        wide: bool = False,
        has_velocity: bool = False,
    ) -> None:
        if dtype not in (torch.float32, torch.bfloat16):
            raise ValueError(f"forward passes in {dtype}; give torch.float32 or torch.bfloat16.")
        self.block, self.wide = block, wide
        self._units_per_value = 1 / UNIT / (_WIDE_SCALE if wide else 1.0)  # a power of two
        self.n = sum(p.numel() for p in parameters)
        device = parameters[0].device if parameters else torch.device("cpu")
        start = torch.zeros(bits.padded(self.n), device=device)
        if parameters:
            start[: self.n] = torch.cat([p.detach().float().reshape(-1) for p in parameters])
        units = (start.double() / UNIT).round_()
        _check_range(units)
        self._is_float = dtype == torch.float32
        self.master = (units * UNIT).float() if self._is_float else units.int()
        self.forward = self.master if self._is_float else torch.zeros_like(start, dtype=dtype)
        self.velocity = torch.zeros_like(units, dtype=torch.int32) if has_velocity else None
        self._leans: tuple[int, int, int] | None = None
        self._bound = float(units.abs().max()) if self.n else 0.0
        # A tensor's view as an array costs more than a small block's noise: it is taken once.
        self.is_near = device.type == "cpu"
        self._target: Any = self.master.numpy() if self.is_near else self.master
        self._add_noise = bits.add_noise if self.is_near else on_device.add_noise
        is_kept = self.is_near and self._is_float and not wide
        self._kept = np.empty(len(self.master) // 32, np.uint32) if is_kept else None  # signs
        self._show(parameters)
        self._cast()

    def _show(self, parameters: Sequence[nn.Parameter]) -> None:
        at = 0
        for p in parameters:
            p.data = self.forward[at : at + p.numel()].view(p.shape)
            at += p.numel()

    def to_units(self, value: Number) -> Number:
        """A multiple of the noise in units of the grid, not yet whole."""
        return value * self._units_per_value

    def lean(self, seed: int, number: int, eps: float) -> None:
        """Parameters show weights + eps * noise; eps 0 restores them. The weights stay."""
        step = round(eps * self._units_per_value)
        if step == 0 and eps != 0:
            raise ValueError(f"eps is {eps}, below the grid's unit of {UNIT}; give more.")
        leans, self._leans = self._leans, (seed, number, step) if step else None
        if not self._is_float:
            self._cast(self._leans)
        elif self._kept is not None:
            self._lean_near(leans, seed, number, step * UNIT)
        elif leans is not None and (step == 0 or leans[:2] == (seed, number)):
            self._add(*leans[:2], step - leans[2])
        else:
            if leans is not None:
                self._add(*leans[:2], -leans[2])
            self._add(seed, number, step)

    def _lean_near(
        self, leans: tuple[int, int, int] | None, seed: int, number: int, step: float
    ) -> None:
        """From one perturbation to the next in one pass; of the last one the signs are kept."""
        held = 0.0 if leans is None else leans[2] * UNIT
        if step and (leans is None or leans[1] != number or leans[0] != seed):
            low, high = bits.key_of(seed)
            bits.trade_kept(self._target, self._kept, low, high, self.block, number, held, step)
        elif step != held:
            bits.add_kept(self._target, self._kept, step - held)

    def _add(self, seed: int, number: int, step: int) -> None:
        """master += step units * noise of that number."""
        if step:
            self._add_noise(self._target, seed, self.block, number, (step * UNIT,), wide=self.wide)

    def shift(self, seeds: Sequence[int], steps: Steps) -> None:
        """weights (and velocity) += sum of steps[s, j] units * noise of perturbation j of seeds[s].

        OverflowError where one after another leaves the grid on the way.
        """
        far = float(np.abs(steps).sum()) * (_WIDE_SUM if self.wide else 1)
        if len(seeds) > 1 and not self._bound + far < _LARGEST:
            for s in range(len(seeds)):
                self.shift(seeds[s : s + 1], steps[s : s + 1])
            return
        self._reserve(far)
        self._add_all(self.master, seeds, steps * UNIT if self._is_float else steps)
        if self.velocity is not None:
            self._add_all(self.velocity, seeds, steps)
        self._cast()

    def _add_all(self, values: Tensor, seeds: Sequence[int], steps: Steps) -> None:
        """values += sum of steps[s, j] * noise of perturbation j of seeds[s], where they live."""
        if values.device.type == "cpu":
            bits.add_all_noise(values.numpy(), seeds, self.block, steps, wide=self.wide)
        else:
            on_device.add_all_noise(values, seeds, self.block, steps, wide=self.wide)

    def add(self, units: Units) -> None:
        """weights (and velocity) += units (n,)."""
        self._reserve(int(np.abs(units).max(initial=0)))
        given = torch.from_numpy(units).to(self.master.device)
        self.master[: self.n] += given * UNIT if self._is_float else given
        if self.velocity is not None:
            self.velocity[: self.n] += given
        self._cast()

    def coast(self, momentum: float) -> None:
        """velocity *= momentum, rounded to whole units; weights += velocity."""
        assert self.velocity is not None
        self.velocity = torch.floor(self.velocity.double() * momentum + 0.5).int()
        self._reserve(int(self.velocity.abs().max()) if self.n else 0)
        self.master += self.velocity * UNIT if self._is_float else self.velocity
        self._cast()

    def units(self) -> Units:
        """The weights in whole units, (n,) int32, whatever the type of the master."""
        part = self.master[: self.n]
        whole = (part.double() / UNIT).int() if self._is_float else part
        return np.asarray(whole.cpu().numpy(), np.int32).copy()

    def load(self, units: Units, velocity: Units | None = None) -> None:
        """Set the weights, and the velocity; ValueError for another number of them."""
        if len(units) != self.n:
            raise ValueError(f"{len(units)} weights for a block of {self.n}; is it this model's?")
        given = torch.from_numpy(units.copy()).to(self.master.device)
        self.master[: self.n] = given * UNIT if self._is_float else given
        if self.velocity is not None and velocity is not None:
            self.velocity[: self.n] = torch.from_numpy(velocity.copy()).to(self.velocity.device)
        self._bound = float(np.abs(units).max(initial=0))
        self._cast()

    def _reserve(self, units: float) -> None:
        """The largest weight may grow by so much; measured again when it might be too large."""
        if self._leans is not None:
            raise RuntimeError("weights are perturbed; finish the estimate before a step.")
        self._bound += units
        if not self._is_float and not units < 2**31:
            raise OverflowError("a step leaves the grid: training diverges; lower the rate.")
        if self._is_float and not self._bound < _LARGEST:
            self._bound = float((self.master.abs().max().double() / UNIT).item()) + units
            if not self._bound < _LARGEST:
                raise OverflowError("a weight reaches 16: training diverges; lower the rate.")

    def _cast(self, leans: tuple[int, int, int] | None = None) -> None:
        """Parameters show the cast of the weights, perturbed or not; nothing to do in float32."""
        if self._is_float:
            return
        for at in range(0, len(self.master), _CHUNK):
            part = self.master[at : at + _CHUNK]
            if leans is not None:
                part = part.clone()
                _add(part, self, *leans[:2], [leans[2]], at)
            self.forward[at : at + _CHUNK] = part.float().mul_(UNIT)


def _add(
    values: Tensor, grid: Grid, seed: int, first: int, steps: Sequence[float], start: int = 0
) -> None:
    """values += sum of steps[j] * noise of first + j, where the values live."""
    if values.device.type == "cpu":
        bits.add_noise(values.numpy(), seed, grid.block, first, steps, wide=grid.wide, start=start)
    else:
        on_device.add_noise(values, seed, grid.block, first, steps, wide=grid.wide, start=start)


def _check_range(units: Tensor) -> None:
    largest = float(units.abs().max()) * UNIT if len(units) else 0.0
    if not largest < _LARGEST * UNIT / 2:
        raise ValueError(
            f"a weight is {largest:.3g}; the grid holds those below 8. Freeze or scale its layer."
        )
