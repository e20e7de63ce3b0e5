"""edgetwin/Training-v0 on a board on the desk."""

from typing import Any, ClassVar, final

import numpy as np

from edgetwin.envs.board_env import BoardEnv
from edgetwin.envs.device_env import DeviceEnv, Observation, boxed, hottest_c
from edgetwin.envs.training import (
    CAP_WEIGHT,
    POWER_LIMIT_W,
    PROGRESS_WEIGHT,
    WORTHLESS_S,
    TrainingEnv,
)
from hw_models.board import Knobs
from hw_models.reading import JobReading, Reading


@final
class DeviceTrainingEnv(DeviceEnv):
    """A training job on a real GPU: spaces, actions and rewards of `TrainingEnv`."""

    single: ClassVar[type[BoardEnv]] = TrainingEnv

    def _begin(self, reading: Reading) -> None:
        twin = self.twin
        assert isinstance(twin, TrainingEnv)
        self._batches = twin.batches
        self._domain = list(self.board.clocks)[twin.domain]
        self._gpu = self.board.unit_list[twin.gpu].name
        self._batch = self._batches.index(twin.training_job(self._episode).batch)
        self._progress, self._seen_s = 0.0, reading.t_s

    def _job(self, reading: Reading) -> tuple[str, JobReading] | None:
        return next(((n, j) for n, j in reading.jobs.items() if j.batch is not None), None)

    def _act(self, action: Any) -> dict[str, str]:
        level, batch = (int(part) for part in np.asarray(action))
        hz = self.board.clocks[self._domain].freqs_hz.value[level]
        sizes = {}
        running = [r.id for r in self.device.results() if r.kind == "training" and r.end_s is None]
        if running and batch != self._batch:
            sizes = {running[0]: self._batches[batch]}
            self._batch = batch
        applied = self.device.apply(Knobs(freq_hz={self._domain: hz}, batch=sizes))
        return dict(applied.refused)

    def _see(
        self, reading: Reading, qos: float, over: float
    ) -> tuple[Observation, tuple[float, float]]:
        found = self._job(reading)
        is_over = any(r.kind == "training" and r.end_s is not None for r in self.device.results())
        progress = 1.0 if is_over else 0.0
        if found is not None:
            progress = found[1].progress or 0.0
        late = (reading.t_s - self._seen_s) / WORTHLESS_S
        rewards = (PROGRESS_WEIGHT * (progress - self._progress - late), -CAP_WEIGHT * over)
        self._progress, self._seen_s = progress, reading.t_s
        top_hz = self.board.clocks[self._domain].freqs_hz.value[-1]
        values = [
            hottest_c(reading), self._input_w(reading) or 0.0,
            POWER_LIMIT_W if reading.cap_w is None else reading.cap_w,
            reading.freq_hz.get(self._domain, 0.0) / top_hz,
            self._batch / max(1, len(self._batches) - 1), progress,
            found[1].rate if found else 0.0, reading.busy.get(self._gpu, 0.0),
            float(reading.throttled),
        ]  # fmt: skip
        return boxed(values, self.observation_space), rewards
