"""The three lines of a training script that let edgetwin choose its batch size and count its steps.

    hook = training_hook(batch=32)                 # 1: what the script uses on its own
    loader = DataLoader(data, hook.batch)          # 2: the batch size that edgetwin chose
    ...
        hook.step()                                # 3: after every optimiser step

`hook.report(metric)` after an evaluation says how far training is, and is True when the target is
reached. A script that runs without edgetwin behaves as if the lines were not there.
"""

from collections.abc import Iterable
from typing import Any, Protocol, final


class Session(Protocol):
    """Who listens to a script: nobody, the twin, a board, or whoever measures its convergence."""

    batch: int | None
    seed: int
    is_proxy: bool

    def rate_factor(self, batch: int, base: int) -> float:
        """What the script's learning rate is multiplied with at this batch size."""

    def stepped(self, batch: int, parameters: Iterable[Any] | None) -> None:
        """One optimiser step was made; parameters still hold their gradients, if given."""

    def reported(self, metric: float) -> bool:
        """An evaluation; True when training has done what was asked."""


@final
class TrainingHook:
    """What a script holds: batch size, seed, learning-rate factor, and the calls that count."""

    def __init__(self, batch: int, session: Session | None) -> None:
        if batch < 1:
            raise ValueError(f"batch is {batch}; give the script's own batch size, at least 1.")
        self.base_batch = batch
        self._session = session
        self._told = self.batch

    @property
    def batch(self) -> int:
        """The batch size from now on: edgetwin's, or the script's own.

        Under a cap that changes it changes too, for scripts that ask again.
        """
        chosen = None if self._session is None else self._session.batch
        self._told = self.base_batch if chosen is None else chosen
        return self._told

    @property
    def seed(self) -> int:
        """The seed of this run, 0 without edgetwin."""
        return 0 if self._session is None else self._session.seed

    @property
    def is_proxy(self) -> bool:
        """Is this a run on the proxy split, to learn what batch sizes cost?"""
        return self._session is not None and self._session.is_proxy

    @property
    def rate_factor(self) -> float:
        """What to multiply the learning rate with, which was tuned for the script's own batch."""
        if self._session is None:
            return 1.0
        return self._session.rate_factor(self._told, self.base_batch)

    def step(self, parameters: Iterable[Any] | None = None) -> None:
        """An optimiser step was made with the batch size that the script was told last.

        With the model's parameters its gradients can be measured.
        """
        if self._session is not None:
            self._session.stepped(self._told, parameters)

    def report(self, metric: float) -> bool:
        """An evaluation gave this; True when the target is reached and the script may end."""
        return self._session is not None and self._session.reported(float(metric))


_listening: list[Session] = []


def training_hook(batch: int) -> TrainingHook:
    """The hook of a script whose own batch size is `batch`."""
    return TrainingHook(batch, _listening[-1] if _listening else None)


@final
class Listening:
    """While this context lasts, hooks of scripts report to the session."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def __enter__(self) -> Session:
        _listening.append(self.session)
        return self.session

    def __exit__(self, *_: object) -> None:
        _listening.pop()
