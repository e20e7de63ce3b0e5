"""edgetwin/Thermal-v0 on a board on the desk."""

from typing import Any, ClassVar, final

import numpy as np

from edgetwin.envs.board_env import BoardEnv
from edgetwin.envs.device_env import DeviceEnv, Observation, boxed, hottest_c
from edgetwin.envs.thermal import PER_SLOT, QOS_WEIGHT, REFERENCE_C, TEMP_SCALE_K, ThermalEnv
from hw_models.board import Knobs
from hw_models.reading import JobReading, Reading


@final
class DeviceThermalEnv(DeviceEnv):
    """Applications on the cores of a real board: spaces, actions and rewards of `ThermalEnv`.

    The rule qos-dvfs runs on the host every control period (see `Device`), since no kernel has it.
    """

    single: ClassVar[type[BoardEnv]] = ThermalEnv

    def _begin(self, reading: Reading) -> None:
        twin = self.twin
        assert isinstance(twin, ThermalEnv)
        kinds = self.board.performance.cores
        self._cores = [u.name for u in self.board.unit_list if u.kind in kinds]
        self._clusters = [list(self.board.clocks)[d] for d in twin.clusters]
        self._by_governor = twin.clocks == "governor"
        self._n_slots = twin.slots
        self._slots: dict[str, int] = {}
        if self._by_governor:
            self.device.apply(Knobs(governor=dict.fromkeys(self._clusters, "qos-dvfs")))
        self._seat(reading)

    def _seat(self, reading: Reading) -> None:
        """Every application keeps its slot for life; a free one goes to the next that comes."""
        self._slots = {name: slot for name, slot in self._slots.items() if name in reading.jobs}
        free = [slot for slot in range(self._n_slots) if slot not in self._slots.values()]
        for name in reading.jobs:
            if name not in self._slots and free:
                self._slots[name] = free.pop(0)

    def _act(self, action: Any) -> dict[str, str]:
        parts = np.atleast_1d(np.asarray(action)).tolist()
        freq_hz = {
            name: self.board.clocks[name].freqs_hz.value[int(level)]
            for name, level in zip(self._clusters, parts[1:], strict=False)
        }
        placement = {}
        if parts[0] > 0:
            slot, core = divmod(int(parts[0]) - 1, len(self._cores))
            placement = {n: self._cores[core] for n, at in self._slots.items() if at == slot}
        return dict(self.device.apply(Knobs(freq_hz=freq_hz, placement=placement)).refused)

    def _see(
        self, reading: Reading, qos: float, over: float
    ) -> tuple[Observation, tuple[float, float]]:
        self._seat(reading)
        hot_c = hottest_c(reading)
        values = [hot_c]
        for name in self._clusters:
            top_hz = self.board.clocks[name].freqs_hz.value[-1]
            values.append(reading.freq_hz.get(name, 0.0) / top_hz)
        values += [reading.busy.get(core, 0.0) for core in self._cores]
        by_slot = {slot: reading.jobs[name] for name, slot in self._slots.items()}
        for slot in range(self._n_slots):
            values += self._slot(by_slot.get(slot))
        rewards = (-(hot_c - REFERENCE_C) / TEMP_SCALE_K, -QOS_WEIGHT * qos)
        return boxed(values, self.observation_space), rewards

    def _slot(self, job: JobReading | None) -> list[float]:
        if job is None or job.unit is None:
            return [0.0] * (PER_SLOT + len(self._cores))
        ratio = job.rate / job.target if job.target else 1.0
        places = [1.0 if core == job.unit else 0.0 for core in self._cores]
        l2d_per_s = job.l2d_per_s or 0.0
        return [max(ratio, 1e-3), (job.target or 0.0) * 1e-9, l2d_per_s * 1e-9, *places]
