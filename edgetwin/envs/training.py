"""edgetwin/Training-v0: GPU clock and batch size of a training job under a power cap."""

from typing import Any, ClassVar, final

import numpy as np
from gymnasium import spaces

from edgetwin.envs.board_env import BoardEnv
from edgetwin.envs.observe import fill_block, hottest_c, mark_step
from edgetwin.kernel import held
from edgetwin.kernel.batch_read import OVER_CAP, REWARD_A, REWARD_B
from edgetwin.scenario import Scenario
from edgetwin.simulator.jobs import change_batch
from edgetwin.tasks import TASKS, Task
from hw_models.compiled import jit
from hw_models.jobs import TrainingJob
from hw_models.lowering import GOVERNORS

PROGRESS_WEIGHT = 100.0
WORTHLESS_S = 7200.0  # reaching the target so late is worth nothing
CAP_WEIGHT = 1.0
POWER_LIMIT_W = 200.0
TOTAL_RATE_LIMIT = 1.0e6


@final
class TrainingEnv(BoardEnv):
    """Reach the target accuracy soon without drawing more than the cap.

    Motivation
        The choice of arXiv 2502.18323, made again and again: a large batch uses the GPU well but
        draws more and may need more samples; the cap may change while the job runs.

    Observation: Box float32, (9,)
        =====  =============  ================================================================
        index  bounds         meaning
        =====  =============  ================================================================
        0      [-50, 200]     hottest zone as its sensor says, degC
        1      [0, 200]       input power as its sensor says, W
        2      [0, 200]       cap, W (200 = no cap)
        3      [0, 1]         GPU clock as a share of the highest
        4      [0, 1]         batch: its place among the choices, 0 smallest, 1 largest
        5      [0, 1]         progress to the target
        6      [0, 1e6]       samples per second
        7      [0, 1]         GPU utilisation
        8      {0, 1}         throttled by heat
        =====  =============  ================================================================

    Action
        MultiDiscrete([GPU operating points, batch sizes]): the clock and batch from now on, both
        in ascending order. The share of training that is left stays when the batch changes.

    Reward
        100 * (progress made in the step - step_s / 7200 s) - share of the step in which peak power
        exceeds the cap; info["reward_progress"] and info["reward_cap"]. A run that reaches its
        target in T seconds without exceeding the cap returns 100 * (1 - T / 7200).

    Episode
        terminated when the target is reached or the board has shut down, truncated at the end of
        the scenario (and after max_episode_steps of the registration).

    info
        As in edgetwin/Thermal-v0, with reward_progress and reward_cap.

    Arguments
        board (needs a GPU and an input rail), scenario (its first job is the training job),
        step_s (default 5 s), render_mode, randomize as in edgetwin/Thermal-v0.

    Fidelity
        Modelled: step time as launch overhead plus a p-norm roofline of counted FLOPs and bytes,
        mean and peak power from the same terms, heat, throttling. Assumed where the board's
        grade says so. Ignored: input pipeline, noise of the convergence.

    Versions
        v0: first.
    """

    task: ClassVar[Task] = TASKS["training"]
    reward_names: ClassVar[tuple[str, str]] = ("reward_progress", "reward_cap")

    def _build(self) -> None:
        self._job = self.training_job(self.scenario)
        self.batches = sorted(self._job.samples_to_target)
        kinds = self.board.performance.accelerators
        gpus = [u for u in self.board.unit_list if u.kind in kinds]
        if not gpus or not self.board.sensors.rails:
            raise ValueError(f"{self.board.name} has no GPU or no power sensor; try jetson-tx2.")
        self.gpu = [u.name for u in self.board.unit_list].index(gpus[0].name)
        self.domain = list(self.board.clocks).index(gpus[0].domain)
        levels = len(self.board.clocks[gpus[0].domain].freqs_hz.value)
        high = [200.0, POWER_LIMIT_W, POWER_LIMIT_W, 1.0, 1.0, 1.0, TOTAL_RATE_LIMIT, 1.0, 1.0]
        self.observation_space = self._boxed([-50.0] + [0.0] * 8, high)
        self.action_space = spaces.MultiDiscrete([levels, len(self.batches)])

    def training_job(self, scenario: Scenario) -> TrainingJob:
        """The first training job of a scenario; ValueError when it has none."""
        for arrival in scenario.realise(self.board, seed=0).arrivals:
            if isinstance(arrival.job, TrainingJob):
                return arrival.job
        raise ValueError(f"scenario {scenario.name} has no training job; try train-cap.")

    def _begin(self) -> None:
        s = self.sim.state[0]
        s["governor"][self.domain] = GOVERNORS.index("userspace")
        s["fixed"][self.domain] = s["target"][self.domain]
        self._batch = self.batches.index(self.training_job(self._episode).batch)
        self._progress = 0.0
        self._seen_ns = 0

    def _act_and_run(self, action: Any, end_ns: int) -> float:
        level, batch = self._checked(action)
        sim, slot = self.sim, self._slot()
        mark_step(sim.state)
        sim.state["fixed"][0, self.domain] = level
        held.request_level(sim.held, self.domain, level)
        if slot is not None and batch != self._batch:
            change_batch(sim, slot, self.batches[batch])
            self._batch = batch
        self._finish_run(end_ns)
        return self._fill()

    def _slot(self) -> int | None:
        """Where the training job runs, None when it does not."""
        for slot, entry in self.sim.running.items():
            if isinstance(entry.job, TrainingJob):
                return slot
        return None

    def _look(self) -> None:
        mark_step(self.sim.state)
        self._fill()

    def _fill(self) -> float:
        slot, obs, block = self._slot(), self._obs, self._block
        over = max(1, len(self.batches) - 1)
        obs[4] = self._batch / over
        look(
            self.sim.state, self._record, -1 if slot is None else slot, self.gpu, self.domain,
            bool(self.sim.finished), obs, block,
        )  # fmt: skip
        progress = float(obs[5])
        now_ns = self.sim.now_ns
        late = (now_ns - self._seen_ns) * 1e-9 / WORTHLESS_S
        block[REWARD_A] = PROGRESS_WEIGHT * (progress - self._progress - late)
        block[REWARD_B] = -CAP_WEIGHT * block[OVER_CAP]
        self._progress = progress
        self._seen_ns = now_ns
        return float(block[REWARD_A] + block[REWARD_B])


@jit
def look(
    state: Any, board: Any, slot: int, gpu: int, domain: int, ended: bool, obs: Any, block: Any
) -> None:
    """Fill the observation but for the batch, and `info` but for the reward terms."""
    s = state[0]
    b = board[0]
    fill_block(s, b, block)
    obs[0] = hottest_c(s, b)
    drawn_w = s.rail_w[b.input_rail]
    obs[1] = 0.0 if np.isnan(drawn_w) else min(max(drawn_w, 0.0), POWER_LIMIT_W)
    obs[2] = min(s.cap_w, POWER_LIMIT_W)
    obs[3] = b.freq_hz[domain, s.level[domain]] / b.freq_hz[domain, b.levels[domain] - 1]
    obs[5] = 1.0 if ended else 0.0
    obs[6] = 0.0
    if slot >= 0:
        obs[5] = 1.0 - s.job_left[slot] / s.job_total[slot]
        obs[6] = min(s.job_rate[slot], TOTAL_RATE_LIMIT)
    obs[7] = min(1.0, s.busy[gpu])
    obs[8] = s.throttled
