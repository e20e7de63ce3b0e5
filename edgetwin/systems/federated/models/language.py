"""A language model for a task: by name or path, with the reader that turns rows into tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final

from edgetwin.systems.federated.data.examples import TokenExamples
from edgetwin.systems.federated.data.tasks import Row, TextTask
from edgetwin.systems.federated.models.split import SplitModel

MINILM = "minilm"


class Reader(Protocol):
    """Turns rows of a task into examples of one model."""

    def __call__(self, rows: Sequence[Row], longest: int) -> TokenExamples:
        """Token ids of every row, none longer than asked."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModel:
    """A model aligned with a task, as blocks, and its reader."""

    blocks: SplitModel
    read: Reader


def load_language_model(name: str, task: TextTask) -> LanguageModel:
    """`minilm` (offline), or a Hugging Face model by name or path, aligned with the task.

    A masked or causal model answers with the task's words, an encoder without a language head
    compares with the task's sentences. KeyError for a family of models that is not known,
    OSError where transformers finds no such model.
    """
    if name == MINILM:
        return _minilm(task)
    try:
        from transformers import AutoConfig, AutoTokenizer
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"model {name} needs transformers: pip install 'edgetwin[lm]'."
        ) from error
    config = AutoConfig.from_pretrained(name)
    pieces = AutoTokenizer.from_pretrained(name)
    kind = (config.architectures or [""])[0]
    if kind.endswith("ForMaskedLM"):
        return _masked(name, pieces, task)
    if kind.endswith(("ForCausalLM", "LMHeadModel")):
        return _causal(name, pieces, task)
    return _encoder(name, pieces, task)


def _minilm(task: TextTask) -> LanguageModel:
    from edgetwin.systems.federated.models.minilm import MiniLM

    encoder = MiniLM()

    def read(rows: Sequence[Row], longest: int) -> TokenExamples:
        texts = [task.plain.format(**row.texts) for row in rows]
        return TokenExamples(encoder.tokens(texts, longest), [row.label for row in rows])

    return LanguageModel(blocks=encoder.classifier(task.sentences), read=read)


def _masked(name: str, pieces: Any, task: TextTask) -> LanguageModel:
    from transformers import AutoModelForMaskedLM

    from edgetwin.systems.federated.models.hub import split_words

    words = [word_id(pieces, word) for word in task.words]

    def read(rows: Sequence[Row], longest: int) -> TokenExamples:
        ids = [_fitted(pieces, task.masked, row.texts, longest) for row in rows]
        at = [one.index(pieces.mask_token_id) for one in ids]
        return TokenExamples(ids, [r.label for r in rows], padding=pieces.pad_token_id or 0, at=at)

    model = AutoModelForMaskedLM.from_pretrained(name)
    return LanguageModel(blocks=split_words(model, words), read=read)


def _causal(name: str, pieces: Any, task: TextTask) -> LanguageModel:
    from transformers import AutoModelForCausalLM

    from edgetwin.systems.federated.models.hub import split_words

    words = [word_id(pieces, word) for word in task.words]

    def read(rows: Sequence[Row], longest: int) -> TokenExamples:
        ids = [_fitted(pieces, task.causal, row.texts, longest) for row in rows]
        at = [len(one) - 1 for one in ids]
        return TokenExamples(ids, [r.label for r in rows], padding=pieces.pad_token_id or 0, at=at)

    model = AutoModelForCausalLM.from_pretrained(name)
    return LanguageModel(blocks=split_words(model, words), read=read)


def _encoder(name: str, pieces: Any, task: TextTask) -> LanguageModel:
    import torch
    from transformers import AutoModel

    from edgetwin.systems.federated.models.encoder import sentence_vectors
    from edgetwin.systems.federated.models.hub import split_encoder

    def read(rows: Sequence[Row], longest: int) -> TokenExamples:
        ids = [_fitted(pieces, task.plain, row.texts, longest) for row in rows]
        return TokenExamples(ids, [r.label for r in rows], padding=pieces.pad_token_id or 0)

    model = AutoModel.from_pretrained(name)
    width = model.config.hidden_size
    body = SplitModel(split_encoder(model, torch.zeros(task.classes, width)).blocks[:-1])
    prompts = TokenExamples([pieces(s)["input_ids"] for s in task.sentences], range(task.classes))
    with torch.no_grad():
        state: Any = body(prompts.batch(range(task.classes)))
        rows = sentence_vectors(state)
    return LanguageModel(blocks=split_encoder(model, rows), read=read)


def word_id(pieces: Any, word: str) -> int:
    """The token that answers with a word: its first piece after a space, as in running text."""
    ids = pieces(f" {word}", add_special_tokens=False)["input_ids"]
    if not ids or ids[0] == pieces.unk_token_id:
        raise ValueError(f"the model's vocabulary has no token for the answer {word!r}.")
    return int(ids[0])


def _fitted(pieces: Any, prompt: str, texts: Mapping[str, str], longest: int) -> list[int]:
    """Token ids of a prompt whose longest text is cut, word by word, until all fits."""
    named = {**texts, "mask": pieces.mask_token}
    while True:
        ids: list[int] = pieces(prompt.format(**named))["input_ids"]
        if len(ids) <= longest:
            return ids
        name = max(texts, key=lambda field: len(named[field]))
        kept = named[name].split()
        if len(kept) < 2:
            raise ValueError(f"longest is {longest}; the prompt {prompt!r} alone needs {len(ids)}.")
        named[name] = " ".join(kept[: -max(1, (len(ids) - longest) // 3)] or kept[:1])
