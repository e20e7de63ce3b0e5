"""Models and examples by name, ready to be trained."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from edgetwin.systems.federated.batch import Batch
from edgetwin.systems.federated.data.digits import digits
from edgetwin.systems.federated.data.docstrings import read_corpus
from edgetwin.systems.federated.data.examples import Examples, keep_frozen
from edgetwin.systems.federated.data.formats import read_raw
from edgetwin.systems.federated.data.tasks import Row, find_text_task, rows_of
from edgetwin.systems.federated.mlp import ResidualMLP
from edgetwin.systems.federated.models.language import load_language_model
from edgetwin.systems.federated.models.lora import with_lora
from edgetwin.systems.federated.models.split import SplitModel, train_last


class Model(Protocol):
    """A stack of blocks that can be called as a whole."""

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """In order."""
        ...

    def flops(self, batch: Batch) -> Sequence[float]:
        """Of one forward call of each block."""
        ...

    def __call__(self, batch: Batch) -> Any:
        """Logits, (n, classes)."""
        ...


Material = tuple[Model, Examples, Examples]

MLP, DIGITS, CORPUS = "mlp", "digits", "docstrings"


def load_material(
    model: str,
    task: str,
    train: str | None = None,
    test: str | None = None,
    *,
    trained: str = "all",
    longest: int = 32,
    most: int | None = None,
    device: str = "cpu",
) -> Material:
    """The model as blocks, its examples for training and for testing.

    Blocks that are frozen before the first trained one are computed once for every example and
    left out of the model. For the meaning of the arguments see `setup.Setup`.
    """
    if (model == MLP) != (task == DIGITS):
        raise ValueError(f"model {model!r} cannot do task {task!r}: {MLP} goes with {DIGITS}.")
    if model == MLP:
        made = ResidualMLP()
        _place(made, device)
        return made, *digits()
    text_task = find_text_task(task)
    rows = _corpus_rows() if task == CORPUS and train is None else _file_rows(task, train, test)
    language = load_language_model(model, text_task)
    _place(language.blocks, device)
    blocks = choose_trained(language.blocks, trained)
    examples = [language.read(part[:most], longest) for part in rows]
    if blocks.frozen == 0:
        return blocks, examples[0], examples[1]
    rest, (kept_train, kept_test) = keep_frozen(blocks, *examples)
    return rest, kept_train, kept_test


def _place(model: Model, device: str) -> None:
    """Move the weights to a device; ValueError for one that torch does not see."""
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is {device!r}, but torch {torch.__version__} sees no GPU.")
    for block in model.blocks:
        block.to(device)


def choose_trained(model: SplitModel, trained: str) -> SplitModel:
    """`all`, `last:N` or `lora:RANK`; ValueError for anything else."""
    kind, _, number = trained.partition(":")
    if kind == "all" and not number:
        return model
    if kind in ("last", "lora") and number.isdigit() and int(number):
        return (train_last if kind == "last" else with_lora)(model, int(number))
    raise ValueError(f"trained is {trained!r}; give all, last:N or lora:RANK.")


def _file_rows(task: str, train: str | None, test: str | None) -> tuple[list[Row], list[Row]]:
    if train is None or test is None:
        raise ValueError(f"task {task} needs a file to train on and one to test on.")
    found = find_text_task(task)
    return (
        rows_of(found, read_raw(train, found), train),
        rows_of(found, read_raw(test, found), test),
    )


@lru_cache(maxsize=1)
def _corpus_rows() -> tuple[list[Row], list[Row]]:
    corpus, task = read_corpus(), find_text_task(CORPUS)
    parts = [rows_of(task, part) for part in (corpus.train, corpus.test)]
    for part in parts:
        np.random.default_rng(0).shuffle(part)
    return parts[0], parts[1]
