"""What all vector environments have in common: boards side by side, episodes, autoreset, infos."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from edgetwin.envs.board_env import BoardEnv
from edgetwin.envs.info import LazyInfo
from edgetwin.envs.seeds import SeedStreams
from edgetwin.envs.vector_info import batch_entries, blank
from edgetwin.envs.vector_steps import are_inside, end_steps
from edgetwin.scenario import Scenario, load_scenario
from edgetwin.simulator.batch import BatchSimulator
from edgetwin.simulator.batch_plan import Sample
from hw_models.board import Board

Observations = NDArray[np.float32]
Truths = NDArray[np.bool_]
Stepped = tuple[Observations, NDArray[np.float64], Truths, Truths, dict[str, Any]]


class BoardVectorEnv(VectorEnv[Observations, Any, NDArray[Any]], ABC):
    """num_envs boards in one batch; environment i does what the scalar one does with its seed.

    Subclasses are final and say which scalar environment they stand for, how actions reach the
    boards and what is seen. Beside the arguments of the scalar environment: autoreset_mode
    ("NextStep" or "SameStep"), randomize (None, "posterior" or a function (board, rng) -> board: a
    board drawn per block of 32 at `reset(seed=...)`), scenarios (one per environment), dtype and
    threads as in
    `BatchSimulator`.
    """

    single: ClassVar[type[BoardEnv]]

    def __init__(
        self,
        *,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        board: str | Path | Board | None = None,
        scenario: str | Path | Scenario | None = None,
        scenarios: Sequence[str | Path | Scenario] | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        randomize: Sample | Literal["posterior"] | None = None,
        dtype: type[np.float64] | type[np.float32] = np.float64,
        threads: int = 1,
        **single: Any,
    ) -> None:
        self.num_envs = num_envs
        self._most_steps = (
            np.iinfo(np.int64).max if max_episode_steps is None else max_episode_steps
        )
        mode = AutoresetMode(autoreset_mode)
        if mode is AutoresetMode.DISABLED:
            raise ValueError("autoreset_mode is 'Disabled'; give 'NextStep' or 'SameStep'.")
        self._is_same_step = mode is AutoresetMode.SAME_STEP
        sample: Sample | None = Board.sample if randomize == "posterior" else randomize
        how: Any = "posterior" if randomize == "posterior" else None
        self.one = self.single(board=board, scenario=scenario, randomize=how, **single)
        self.metadata = {**self.one.metadata, "autoreset_mode": mode, "render_modes": []}
        self.single_observation_space = self.one.observation_space
        self.single_action_space = self.one.action_space
        self.observation_space = thin(
            batch_space(self.single_observation_space, num_envs), self.single_observation_space
        )
        self.action_space = batch_space(self.single_action_space, num_envs)
        single_actions: Any = self.single_action_space
        ends = single_actions.nvec if hasattr(single_actions, "nvec") else single_actions.n
        self._action_ends = np.atleast_1d(ends).astype(np.int64)
        self._scenarios = [self.one.scenario] * num_envs
        if scenarios is not None:
            if len(scenarios) != num_envs:
                raise ValueError(f"{len(scenarios)} scenarios for {num_envs} boards; give equally.")
            self._scenarios = [load_scenario(s) for s in scenarios]
        self.batch = BatchSimulator(
            self.one.board, num_envs, sample=sample, dtype=dtype, threads=threads
        )
        self._is_random = randomize is not None
        self._streams = SeedStreams(num_envs)
        assert self.single_observation_space.shape is not None
        self._obs = np.zeros((num_envs, *self.single_observation_space.shape), np.float32)
        self._rewards = np.zeros(num_envs)
        self._over = np.zeros(num_envs, np.bool_)
        self._done = np.zeros(num_envs, np.bool_)
        self._some_done = False
        self._all = np.ones(num_envs, np.bool_)
        self._steps = np.zeros(num_envs, np.int64)
        self._end_ns = np.zeros(num_envs, np.int64)
        self._step_ns = round(self.one.step_s * 1e9)
        self._entries = batch_entries(self.one, num_envs)
        self._build()

    def _build(self) -> None:
        """Set whatever the task needs."""

    @abstractmethod
    def _begin(self, i: int, episode: Scenario) -> None:
        """Prepare environment i after its board was reset."""

    @abstractmethod
    def _act(self, actions: NDArray[np.int64], frozen: Truths, first: int, last: int) -> None:
        """Turn actions into orders in groups first to last - 1; boards in frozen get none."""

    @abstractmethod
    def _look(self, seen: Truths, first: int, last: int) -> None:
        """Fill observations, readings, rewards and what is over of the boards in seen.

        Only those of groups first to last - 1.
        """

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observations, dict[str, Any]]:
        """Start episodes: all, or those of options["reset_mask"] (num_envs,) of bool.

        seed: environment i gets seed + i, or the i-th of a list. Other options are those of the
        scalar environment, for every episode that starts now.
        """
        given = dict(options or {})
        mask = np.ones(self.num_envs, np.bool_)
        if "reset_mask" in given:
            mask = _checked_mask(given.pop("reset_mask"), self.num_envs)
        seeds = self._seeds(seed)
        episodes = self._episodes(np.flatnonzero(mask), given)  # or refused, and nothing changes
        super().reset(seed=seed if isinstance(seed, int) else None)
        if self._is_random and seeds[0] is not None and mask.all():
            self.batch.draw_boards(seeds[0])
        for i in np.flatnonzero(mask).tolist():
            if seeds[i] is not None:
                self._streams.start(i, seeds[i])
        self._hand_over(is_partial=not mask.all())
        self._start(mask, episodes)
        info = LazyInfo()
        info._entries = (
            self._entries if mask.all() else batch_entries(self.one, self.num_envs, mask)
        )
        info._block = self.batch.readings
        return self._obs, info

    def _seeds(self, seed: int | Sequence[int | None] | None) -> Sequence[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int):
            return range(seed, seed + self.num_envs)
        if len(seed) != self.num_envs:
            raise ValueError(f"{len(seed)} seeds for {self.num_envs} boards; give one for each.")
        return seed

    def _start(self, mask: Truths, episodes: list[Scenario]) -> None:
        """Begin the episodes of environments in mask; episodes: one of each environment."""
        which = np.flatnonzero(mask)
        seeds = np.zeros(self.num_envs, np.int64)
        for i in which:
            seeds[i] = self._streams.draw(int(i))
        self.batch.reset(which=which, seeds=seeds.tolist(), scenario=episodes)
        for i in which:
            self._end_ns[i] = round(episodes[i].duration_s * 1e9)
            self._begin(int(i), episodes[i])
        self._steps[which] = 0
        self._done[which] = False
        self._some_done = bool(self._done.any())
        self._look(mask, 0, len(self.batch.floats))

    def _episodes(self, which: NDArray[Any], options: dict[str, Any]) -> list[Scenario]:
        """The scenario of every environment; options change those that start."""
        if not options:
            return self._scenarios
        fields = dict(options)
        given = fields.pop("scenario", None)
        made: dict[int, Scenario] = {}
        episodes = list(self._scenarios)
        for i in which:
            base = episodes[i] if given is None else load_scenario(given)
            if id(base) not in made:
                made[id(base)] = base.with_(**fields) if fields else base
            episodes[i] = made[id(base)]
        return episodes

    def step(self, actions: Any) -> Stepped:
        """Act on every board, let step_s pass and look again; ended episodes start anew.

        "NextStep": an environment that ended starts at its next step, whose action is ignored and
        whose reward is 0. "SameStep": it starts at once; its last observation and info are
        infos["final_obs"] and infos["final_info"].
        """
        checked = self._checked(actions)
        self._hand_over(is_partial=False)
        frozen = self._done
        if self._some_done:
            frozen = frozen.copy()
            self._start(frozen, self._scenarios)

        def advance(first: int, last: int) -> None:
            self._act(checked, frozen, first, last)
            self.batch.run_groups(first, last)
            self._look(self._all, first, last)

        self.batch.share(advance)
        rewards, terminated = self._rewards, self._over
        truncated, done = np.empty_like(terminated), np.empty_like(terminated)
        batch = self.batch
        self._some_done = end_steps(
            batch.whole, batch.layout.at, frozen, self._end_ns, self._most_steps, self._steps,
            rewards, terminated, truncated, done,
        )  # fmt: skip
        self._done = done
        infos: dict[str, Any]
        if self._is_same_step and self._some_done:
            infos = self._restarted(done.copy())
        else:
            infos = self._infos()
        return self._obs, rewards, terminated, truncated, infos

    def _hand_over(self, *, is_partial: bool) -> None:
        """What was looked at is the caller's; the next goes elsewhere.

        If dropped, the next takes its room. With is_partial that of some boards stays as it is.
        """
        batch = self.batch
        self._rewards, self._over = np.empty(self.num_envs), np.empty(self.num_envs, np.bool_)
        if is_partial:
            self._obs, batch.readings = self._obs.copy(), batch.readings.copy()
            return
        seen, read = self._obs.shape, batch.readings.shape
        del self._obs, batch.readings
        self._obs, batch.readings = np.empty(seen, np.float32), np.empty(read)

    def _infos(self) -> LazyInfo:
        info = LazyInfo()
        info._entries = self._entries
        info._block = self.batch.readings
        return info

    def _restarted(self, done: Truths) -> dict[str, Any]:
        """Start the episodes that ended; infos with what they ended in."""
        final_obs = np.full(self.num_envs, None, object)
        for i in np.flatnonzero(done):
            final_obs[i] = self._obs[i].copy()
        final = LazyInfo()
        final._entries = batch_entries(self.one, self.num_envs, done)
        final._block = self.batch.readings
        self._hand_over(is_partial=True)
        self._start(done, self._scenarios)
        infos = dict(self._infos())
        return infos | {
            "final_obs": final_obs, "_final_obs": done.copy(),
            "final_info": blank(dict(final), done), "_final_info": done.copy(),
        }  # fmt: skip

    def _checked(self, actions: Any) -> NDArray[np.int64]:
        """Actions as (num_envs, parts) of int64; ValueError for those outside the space."""
        given = np.asarray(actions)
        if given.shape != self.action_space.shape or given.dtype.kind not in "iu":
            raise ValueError(
                f"actions are {given.dtype} of shape {given.shape}; give whole numbers of shape "
                f"{self.action_space.shape}."
            )
        parts = np.ascontiguousarray(given.reshape(self.num_envs, -1), np.int64)
        if not are_inside(parts, self._action_ends):
            raise ValueError(f"an action is outside {self.single_action_space}.")
        return parts

    def close_extras(self, **kwargs: Any) -> None:
        """Let the threads go."""
        self.batch.close()


def thin(space: Any, single: Any) -> Any:
    """A batched space whose bounds are views of those of one environment: they are all alike."""
    for name in ("low", "high", "bounded_below", "bounded_above"):
        setattr(space, name, np.broadcast_to(getattr(single, name), space.shape))
    return space


def _checked_mask(mask: Any, n: int) -> Truths:
    if not isinstance(mask, np.ndarray) or mask.shape != (n,) or mask.dtype != np.bool_:
        raise ValueError(f"reset_mask is {mask!r}; give an array ({n},) of bool.")
    if not mask.any():
        raise ValueError("reset_mask has no True; name at least one environment.")
    return mask
