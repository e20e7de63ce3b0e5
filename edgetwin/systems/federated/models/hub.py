"""Hugging Face models, by name or path, as stacks of blocks with a head that reads words.

One block holds the embeddings, one each layer, one the head; they hand on what encoder.py says.
Families are told by `config.model_type`. Padding must be on the right, attention is to all
(earlier) tokens: a sliding window must be longer than the texts.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import torch
from torch import Tensor, nn

from edgetwin.systems.federated.models.encoder import SentenceHead, State, with_mask
from edgetwin.systems.federated.models.flops import count_as, pair_flops
from edgetwin.systems.federated.models.split import SplitModel
from hw_models.naming import unknown


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """The parts of a model: embed(ids) -> hidden, layers, what follows them, rotary positions."""

    embed: nn.Module
    layers: Sequence[nn.Module]
    end: nn.Module
    causal: bool
    rotary: nn.Module | None = None


@final
class HubEmbedding(nn.Module):
    """Token ids to the state of the first layer."""

    def __init__(self, embed: nn.Module) -> None:
        super().__init__()
        self.embed = embed

    def forward(self, inputs: Mapping[str, Tensor]) -> State:
        """From input_ids and attention_mask, both (n, tokens), and the answer's place, at (n,)."""
        return with_mask(self.embed(inputs["input_ids"]), inputs)


@final
class HubLayer(nn.Module):
    """One layer of a model, given the masks and positions that its model would give it."""

    def __init__(self, layer: nn.Module, anatomy: Anatomy, config: Any) -> None:
        super().__init__()
        self.layer = layer
        self.causal = anatomy.causal
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.width = config.num_attention_heads * size
        self.rotary = copy.deepcopy(anatomy.rotary)  # a module of two blocks cannot be cut

    def forward(self, state: State) -> State:
        """The same tokens, one layer further."""
        hidden, attended, at = state
        tokens = hidden.shape[1]
        mask = (attended > 0)[:, None, None, :].expand(-1, 1, tokens, -1)
        if self.causal:
            mask = mask & mask.new_ones(tokens, tokens).tril()
        more = {}
        if self.rotary is not None:
            places = torch.arange(tokens, device=hidden.device)[None]
            more["position_embeddings"] = self.rotary(hidden, places)
        output = self.layer(hidden, attention_mask=mask, **more)
        return output[0] if isinstance(output, tuple) else output, attended, at


def _layer_flops(module: HubLayer, _: tuple[Any, ...], output: State) -> float:
    batch, tokens = output[0].shape[:2]
    return pair_flops(batch, tokens, module.width)


count_as(HubLayer, _layer_flops)


@final
class WordHead(nn.Module):
    """One logit a label word, read at the answer's place: the task is aligned by its words.

    The rows of the output embedding are copied, so that they may learn apart from the input's.
    """

    def __init__(self, end: nn.Module, output: nn.Linear, words: Sequence[int]) -> None:
        super().__init__()
        self.end = end
        self.linear = nn.Linear(output.in_features, len(words))
        rows = list(words)
        with torch.no_grad():
            self.linear.weight.copy_(output.weight[rows])
            self.linear.bias.zero_() if output.bias is None else self.linear.bias.copy_(
                output.bias[rows]
            )

    def forward(self, state: State) -> Tensor:
        """Logits, (n, label words)."""
        hidden, _, at = state
        answers = hidden[torch.arange(len(at), device=hidden.device), at]
        logits: Tensor = self.linear(self.end(answers))
        return logits


def split_words(model: Any, words: Sequence[int]) -> SplitModel:
    """A masked or causal language model as a classifier over label words, given by token id.

    The answer is read where the batch's `at` says: at the mask of a masked model, at the last
    word of a causal one. KeyError for a family that is not known.
    """
    anatomy = _anatomy(model)
    head = WordHead(anatomy.end, model.get_output_embeddings(), words)
    return SplitModel([*_body(anatomy, model.config), head])


def split_encoder(model: Any, rows: Tensor, scale: float = 20.0) -> SplitModel:
    """An encoder without a language head, as a classifier by `rows`, (classes, width)."""
    return SplitModel([*_body(_anatomy(model), model.config), SentenceHead(rows, scale)])


def _body(anatomy: Anatomy, config: Any) -> list[nn.Module]:
    return [
        HubEmbedding(anatomy.embed),
        *(HubLayer(layer, anatomy, config) for layer in anatomy.layers),
    ]


@final
class _Ids(nn.Module):
    """Embeddings that take token ids by keyword."""

    def __init__(self, embeddings: nn.Module) -> None:
        super().__init__()
        self.embeddings = embeddings

    def forward(self, ids: Tensor) -> Tensor:
        hidden: Tensor = self.embeddings(input_ids=ids)
        return hidden


@final
class _Placed(nn.Module):
    """Word and learned position embeddings, added; the first place may not be 0."""

    def __init__(self, words: nn.Module, places: nn.Embedding, first: int, widen: Any) -> None:
        super().__init__()
        self.words, self.places, self.first = words, places, first
        self.widen: nn.Module = widen or nn.Identity()

    def forward(self, ids: Tensor) -> Tensor:
        place = self.places.weight[self.first : self.first + ids.shape[1]]
        hidden: Tensor = self.widen(self.words(ids)) + place
        return hidden


def _bert(model: Any) -> Anatomy:
    base = getattr(model, model.base_model_prefix, model)
    end: nn.Module = nn.Identity()
    if hasattr(model, "cls"):
        end = model.cls.predictions.transform
    elif hasattr(model, "lm_head"):
        end = nn.Sequential(model.lm_head.dense, nn.GELU(), model.lm_head.layer_norm)
    return Anatomy(embed=_Ids(base.embeddings), layers=base.encoder.layer, end=end, causal=False)


def _opt(model: Any) -> Anatomy:
    base = model.model.decoder
    ends = [part for part in (base.final_layer_norm, base.project_out) if part is not None]
    embed = _Placed(base.embed_tokens, base.embed_positions, 2, base.project_in)
    return Anatomy(embed=embed, layers=base.layers, end=nn.Sequential(*ends), causal=True)


def _llama(model: Any) -> Anatomy:
    base = model.model
    return Anatomy(
        embed=base.embed_tokens,
        layers=base.layers,
        end=base.norm,
        causal=True,
        rotary=base.rotary_emb,
    )


def _gpt2(model: Any) -> Anatomy:
    from transformers.pytorch_utils import Conv1D

    count_as(Conv1D, lambda m, _, output: 2.0 * output.numel() * m.nx)
    base = model.transformer
    embed = _Placed(base.wte, base.wpe, 0, None)
    return Anatomy(embed=embed, layers=base.h, end=base.ln_f, causal=True)


FAMILIES: Final[dict[str, Callable[[Any], Anatomy]]] = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert"), _bert),
    "opt": _opt,
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3"), _llama),
    "gpt2": _gpt2,
}


def _anatomy(model: Any) -> Anatomy:
    family = model.config.model_type
    if family not in FAMILIES:
        raise KeyError(unknown("family of models", family, list(FAMILIES)))
    return FAMILIES[family](model.eval())
