"""Examples ready for a model: token ids, or activations of layers that are frozen and kept."""

from collections.abc import Sequence
from typing import Protocol, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgetwin.systems.federated.batch import Batch, moved
from edgetwin.systems.federated.models.encoder import Resume
from edgetwin.systems.federated.models.split import SplitModel

Rows = NDArray[np.int64]


class Examples(Protocol):
    """Labelled examples from which batches are drawn."""

    @property
    def labels(self) -> Rows:
        """Class of each, (n,)."""
        ...

    @property
    def lengths(self) -> Rows:
        """Size of each, (n,): examples of one length fill a batch without padding."""
        ...

    def batch(self, rows: Sequence[int] | Rows) -> Batch:
        """Those rows, padded to the longest."""
        ...


@final
class TokenExamples:
    """Texts as token ids; `at` is where the answer stands, if a head reads it there."""

    def __init__(
        self,
        ids: Sequence[Sequence[int]],
        labels: Sequence[int],
        *,
        padding: int = 0,
        at: Sequence[int] | None = None,
    ) -> None:
        self.ids = [torch.tensor(one, dtype=torch.long) for one in ids]
        self.labels: Rows = np.asarray(labels, np.int64)
        self.lengths: Rows = np.array([len(one) for one in self.ids], np.int64)
        self.padding = padding
        self.at = None if at is None else torch.tensor(at, dtype=torch.long)

    def batch(self, rows: Sequence[int] | Rows) -> Batch:
        """{"input_ids", "attention_mask"} (n, tokens), and "at" (n,) where there is one."""
        chosen = [self.ids[row] for row in rows]
        ids = _padded(chosen, self.padding)
        inputs = {"input_ids": ids, "attention_mask": _attended(chosen)}
        if self.at is not None:
            inputs["at"] = self.at[torch.as_tensor(rows)]
        return Batch(inputs=inputs, labels=torch.as_tensor(self.labels[rows]))


@final
class KeptExamples:
    """Activations before the first layer that is trained: what is frozen is computed once.

    hidden (n, longest, width) lives where the model does, zero behind an example's length.
    """

    def __init__(self, hidden: Tensor, lengths: Rows, labels: Rows, at: Tensor | None) -> None:
        self.hidden, self.lengths, self.labels = hidden, lengths, labels
        self.at = at
        self._marks = _marks(hidden.device, lengths, labels, at)

    def first(self, n: int) -> "KeptExamples":
        """The first n of them."""
        at = None if self.at is None else self.at[:n]
        return KeptExamples(self.hidden[:n], self.lengths[:n], self.labels[:n], at)

    def batch(self, rows: Sequence[int] | Rows) -> Batch:
        """{"hidden" (n, tokens, width), "attention_mask" (n, tokens)}, and "at" as there was."""
        longest = int(self.lengths[rows].max())
        chosen = torch.as_tensor(rows).to(self.hidden.device)
        lengths, labels, *at = self._marks[:, chosen]
        counted = torch.arange(longest, device=self.hidden.device)
        inputs = {
            "hidden": self.hidden[:, :longest][chosen],
            "attention_mask": (counted[None] < lengths[:, None]).long(),
        }
        return Batch(inputs=inputs | ({"at": at[0]} if at else {}), labels=labels)


def _marks(device: torch.device, lengths: Rows, labels: Rows, at: Tensor | None) -> Tensor:
    """Lengths, labels and places of answers side by side, (2 or 3, n): fetched together."""
    rows = [torch.from_numpy(lengths), torch.from_numpy(labels), *([] if at is None else [at])]
    return torch.stack(rows).to(device)


@final
class TableExamples:
    """Rows of numbers, for models that are no language models."""

    def __init__(self, x: Tensor, labels: Rows) -> None:
        self.x = x
        self.labels = labels
        self.lengths: Rows = np.ones(len(labels), np.int64)

    def batch(self, rows: Sequence[int] | Rows) -> Batch:
        """{"x"}, (n, ...)."""
        chosen = torch.as_tensor(rows)
        return Batch(inputs={"x": self.x[chosen]}, labels=torch.as_tensor(self.labels)[chosen])


def keep_frozen(
    model: SplitModel, *examples: TokenExamples, at_once: int = 64
) -> tuple[SplitModel, tuple[KeptExamples, ...]]:
    """The blocks that are trained, and the examples as the frozen ones before them leave them.

    ValueError for a model without frozen blocks at its start, or without others.
    """
    entry = model.without(model.frozen, Resume())
    frozen = SplitModel(model.blocks[: model.frozen])
    return entry, tuple(_kept(frozen, one, at_once) for one in examples)


def _kept(frozen: SplitModel, examples: TokenExamples, at_once: int) -> KeptExamples:
    order = np.argsort(examples.lengths, kind="stable")
    device = next(p.device for block in frozen.blocks for p in block.parameters())
    hidden = torch.empty(0)
    with torch.no_grad():
        for start in range(0, len(order), at_once):
            rows = order[start : start + at_once]
            batch = moved(examples.batch(rows), device)
            state = frozen(batch)[0] * batch.inputs["attention_mask"][..., None]
            if not start:
                hidden = state.new_zeros(len(order), int(examples.lengths.max()), state.shape[-1])
            hidden[torch.from_numpy(rows).to(device), : state.shape[1]] = state
    return KeptExamples(hidden, examples.lengths, examples.labels, examples.at)


def draw_rows(lengths: Rows, shard: Rows, size: int, rng: np.random.Generator) -> Rows:
    """A batch of about one length out of a client's shard, every row about equally often.

    A window of the shard in order of length, rows of one length in random order.
    """
    if len(shard) <= size:
        return shard
    mixed = rng.permutation(shard)
    ordered = mixed[np.argsort(lengths[mixed], kind="stable")]
    start = int(rng.integers(1 - size, len(shard)))  # windows over the edges are moved inside
    start = min(max(start, 0), len(shard) - size)
    return np.asarray(ordered[start : start + size], np.int64)


def _padded(tensors: Sequence[Tensor], value: float) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(list(tensors), batch_first=True, padding_value=value)


def _attended(tensors: Sequence[Tensor]) -> Tensor:
    longest = max(map(len, tensors))
    counts = torch.tensor([len(one) for one in tensors])
    return (torch.arange(longest)[None] < counts[:, None]).long()
