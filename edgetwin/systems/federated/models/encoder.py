"""A transformer encoder in plain torch, layer by layer, and what its blocks hand on.

Between blocks travels a tuple (hidden (n, tokens, width), attended (n, tokens), at (n,)): the
activations, which tokens are words and not padding, and the position of the answer for heads
that read one (see hub.py). Padding is on the right.
"""

from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgetwin.systems.federated.models.flops import count_as, pair_flops

State = tuple[Tensor, Tensor, Tensor]


@final
class Embedding(nn.Module):
    """Words, positions and the first segment, added and normalised (BERT, arXiv 1810.04805)."""

    def __init__(self, words: int, positions: int, segments: int, width: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.positions = nn.Embedding(positions, width)
        self.segments = nn.Embedding(segments, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, inputs: Mapping[str, Tensor]) -> State:
        """From input_ids and attention_mask, both (n, tokens), to the state of the first layer."""
        ids = inputs["input_ids"]
        place = self.positions.weight[: ids.shape[1]] + self.segments.weight[0]
        return with_mask(self.norm(self.words(ids) + place), inputs)


@final
class Resume(nn.Module):
    """Activations that were kept are the state of the layer they were kept for."""

    def forward(self, inputs: Mapping[str, Tensor]) -> State:
        """From hidden (n, tokens, width) and attention_mask, (n, tokens)."""
        return with_mask(inputs["hidden"], inputs)


def with_mask(hidden: Tensor, inputs: Mapping[str, Tensor]) -> State:
    """The state that blocks hand on; `at` is 0 where the batch does not name an answer."""
    attended = inputs["attention_mask"]
    at = inputs.get("at")
    return hidden, attended, attended.new_zeros(len(attended)) if at is None else at


@final
class Attention(nn.Module):
    """Scaled dot products of heads; no weights of its own."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, query: Tensor, key: Tensor, value: Tensor, attended: Tensor) -> Tensor:
        """All (n, tokens, width), attended (n, tokens)."""
        q, k, v = (_by_head(t, self.heads) for t in (query, key, value))
        mask = attended[:, None, None, :] > 0
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return mixed.transpose(1, 2).flatten(-2)


def _by_head(values: Tensor, heads: int) -> Tensor:
    """(n, tokens, width) as (n, heads, tokens, width / heads)."""
    return values.view(*values.shape[:-1], heads, -1).transpose(1, 2)


def _attention_flops(_: Attention, given: tuple[Any, ...], output: Tensor) -> float:
    batch, tokens, width = output.shape
    return pair_flops(batch, tokens, width)


count_as(Attention, _attention_flops)


@final
class Layer(nn.Module):
    """Attention, then two dense maps with a GELU between; each with residual and norm after it."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.attention = Attention(heads)
        self.norm1 = nn.LayerNorm(width, eps=1e-12)
        self.widen = nn.Linear(width, inner)
        self.narrow = nn.Linear(inner, width)
        self.norm2 = nn.LayerNorm(width, eps=1e-12)

    def forward(self, state: State) -> State:
        """The same tokens, one layer further."""
        x, attended, at = state
        mixed = self.attention(self.query(x), self.key(x), self.value(x), attended)
        x = self.norm1(x + self.out(mixed))
        x = self.norm2(x + self.narrow(functional.gelu(self.widen(x))))
        return x, attended, at


@final
class SentenceHead(nn.Module):
    """The mean over a sentence's tokens, at unit length, against one row a class.

    Rows that are embeddings of label sentences, times a scale, make the untrained model a
    zero-shot classifier: the task is aligned by its prompt.
    """

    def __init__(self, rows: Tensor, scale: float = 20.0) -> None:
        super().__init__()
        classes, width = rows.shape
        self.linear = nn.Linear(width, classes)
        with torch.no_grad():
            self.linear.weight.copy_(scale * rows)
            self.linear.bias.zero_()

    def forward(self, state: State) -> Tensor:
        """Logits, (n, classes)."""
        logits: Tensor = self.linear(sentence_vectors(state))
        return logits


def sentence_vectors(state: State) -> Tensor:
    """Mean over the words of each sentence, at unit length, (n, width)."""
    hidden, attended, _ = state
    share = attended.to(hidden.dtype)[..., None]
    return functional.normalize((hidden * share).sum(1) / share.sum(1), dim=-1)
