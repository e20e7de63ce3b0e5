"""Transformers with learned positions: a causal decoder and a masked-word encoder; needs torch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerConfig:
    """Sizes of a transformer; `hidden` is the inner width of the feed-forward part."""

    layers: int
    heads: int
    width: int
    hidden: int
    vocabulary: int
    positions: int
    norm_first: bool
    activation: Callable[[], nn.Module] = nn.GELU


@final
class Attention(nn.Module):
    """Multi-head self-attention with biases (Vaswani et al. 2017)."""

    def __init__(self, width: int, heads: int, *, is_causal: bool) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is no multiple of {heads} heads; change one of them.")
        self.heads, self.is_causal = heads, is_causal
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, length, width) to the same."""
        q, k, v = (self._split(part(x)) for part in (self.query, self.key, self.value))
        y = scaled_dot_product_attention(q, k, v, is_causal=self.is_causal)
        out: Tensor = self.out(y.transpose(1, 2).flatten(2))
        return out

    def _split(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)


@final
class Layer(nn.Module):
    """Attention and feed-forward, each with a residual and a norm before or after it."""

    def __init__(self, config: TransformerConfig, *, is_causal: bool) -> None:
        super().__init__()
        width, hidden = config.width, config.hidden
        self.norm_first = config.norm_first
        self.attention = Attention(width, config.heads, is_causal=is_causal)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, hidden), config.activation(), nn.Linear(hidden, width)
        )
        self.attention_norm, self.feed_forward_norm = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, length, width) to the same."""
        if self.norm_first:
            x = x + self.attention(self.attention_norm(x))
            out: Tensor = x + self.feed_forward(self.feed_forward_norm(x))
            return out
        x = self.attention_norm(x + self.attention(x))
        out = self.feed_forward_norm(x + self.feed_forward(x))
        return out


@final
class Decoder(nn.Module):
    """A causal language model: a norm after the last layer, scores from the word embedding."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.words = nn.Embedding(config.vocabulary, config.width)
        self.places = nn.Embedding(config.positions, config.width)
        layers = (Layer(config, is_causal=True) for _ in range(config.layers))
        self.layers = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(config.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Token numbers (batch, length) to scores (batch, length, vocabulary)."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.layers(self.words(tokens) + self.places(places))
        return linear(self.norm(x), self.words.weight)


@final
class MaskedEncoder(nn.Module):
    """A masked language model that scores the first position, as when a prompt is classified.

    Which position is masked changes no count, so the first one stands for it.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width = config.width
        self.words = nn.Embedding(config.vocabulary, width)
        self.places = nn.Embedding(config.positions, width)
        self.segment = nn.Parameter(torch.zeros(width))
        self.norm = nn.LayerNorm(width)
        layers = (Layer(config, is_causal=False) for _ in range(config.layers))
        self.layers = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.bias = nn.Parameter(torch.zeros(config.vocabulary))

    def forward(self, tokens: Tensor) -> Tensor:
        """Token numbers (batch, length) to scores (batch, vocabulary)."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.words(tokens) + self.places(places) + self.segment
        x = self.layers(self.norm(x))
        return linear(self.head(x[:, 0]), self.words.weight, self.bias)
