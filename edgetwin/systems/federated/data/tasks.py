"""Classification by words: how the rows of a task become sentences, and which words answer.

SST-2 (masked and causal), RTE (masked) and BoolQ (causal) are asked as the authors' code of MeZO
asks them (princeton-nlp/MeZO, arXiv 2305.17333); the other prompts are made in their manner.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from edgetwin.systems.federated.data.docstrings import TOPICS
from hw_models.naming import unknown

Raw = Mapping[str, Any]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One example of a task: its texts by field, and its class."""

    texts: Mapping[str, str]
    label: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TextTask:
    """A task: its fields, its classes in order, and how a model is asked.

    `masked` holds {mask}; of `causal` the answer is the next word; `plain` is for encoders that
    answer no question: they compare with `sentences`, one a class. `labels` are what files may
    call a class, in small letters, `other_names` what they may call a field.
    """

    name: str
    title: str
    fields: tuple[str, ...]
    labels: Mapping[str, int]
    words: tuple[str, ...]
    sentences: tuple[str, ...]
    masked: str
    causal: str
    plain: str
    other_names: Mapping[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """How many there are."""
        return len(self.words)

    def row(self, raw: Raw) -> Row:
        """A row of a file in the task's own terms; ValueError says what it lacks."""
        named = {self.other_names.get(name, name): value for name, value in raw.items()}
        missing = [name for name in (*self.fields, "label") if named.get(name) is None]
        if missing:
            raise ValueError(
                f"a row of {self.name} needs {', '.join((*self.fields, 'label'))}; "
                f"it has {', '.join(named)}."
            )
        label = str(named["label"]).strip().lower()
        if label not in self.labels:
            raise ValueError(f"label {label!r} is none of {', '.join(self.labels)}.")
        return Row(texts={name: str(named[name]) for name in self.fields}, label=self.labels[label])


_NO_YES = {"0": 0, "1": 1, "false": 0, "true": 1}
_PAIR = {"sentence1": "premise", "sentence2": "hypothesis"}

TASKS = {
    task.name: task
    for task in (
        TextTask(
            name="sst2",
            title="Is a sentence about a film negative or positive? (SST-2)",
            fields=("sentence",),
            labels={"0": 0, "1": 1, "negative": 0, "positive": 1},
            words=("terrible", "great"),
            sentences=(
                "i hated this film , it was boring and terrible",
                "i loved this film , it was wonderful and great",
            ),
            masked="{sentence} It was {mask}.",
            causal="{sentence} It was",
            plain="{sentence}",
            other_names={"text": "sentence"},
        ),
        TextTask(
            name="rte",
            title="Does the second text follow from the first? (RTE)",
            fields=("premise", "hypothesis"),
            labels={"0": 0, "1": 1, "entailment": 0, "not_entailment": 1},
            words=("Yes", "No"),
            sentences=("yes, it follows from the text", "no, it does not follow from the text"),
            masked="{premise}? {mask}, {hypothesis}",
            causal='{premise}\nDoes this mean that "{hypothesis}" is true? Yes or No?\n',
            plain="{premise} {hypothesis}",
            other_names=_PAIR,
        ),
        TextTask(
            name="wic",
            title="Has a word one meaning in two sentences? (WiC)",
            fields=("word", "sentence1", "sentence2"),
            labels=_NO_YES,
            words=("No", "Yes"),
            sentences=("the word has two different meanings", "the word has the same meaning"),
            masked='{sentence1} {sentence2} Does "{word}" have the same meaning? {mask}.',
            causal='Does the word "{word}" have the same meaning in these two sentences? '
            "Yes, No?\n{sentence1}\n{sentence2}\n",
            plain="{word}: {sentence1} {sentence2}",
        ),
        TextTask(
            name="boolq",
            title="Is the answer to a question about a passage yes? (BoolQ)",
            fields=("passage", "question"),
            labels=_NO_YES,
            words=("No", "Yes"),
            sentences=("no, the answer is no", "yes, the answer is yes"),
            masked="{passage} {question}? {mask}.",
            causal="{passage} {question}?\n",
            plain="{question} {passage}",
        ),
        TextTask(
            name="docstrings",
            title="Which topic of Python's standard library does a docstring belong to?",
            fields=("text",),
            labels={topic: k for k, topic in enumerate(TOPICS)},
            words=tuple(topic.words[0] for topic in TOPICS.values()),
            sentences=tuple(" ".join(topic.words) for topic in TOPICS.values()),
            masked="{text} This is about {mask}.",
            causal="{text} This is about",
            plain="{text}",
        ),
    )
}


def find_text_task(name: str) -> TextTask:
    """The task of that name; KeyError with the nearest name otherwise."""
    if name not in TASKS:
        raise KeyError(unknown("text task", name, list(TASKS)))
    return TASKS[name]


def rows_of(task: TextTask, raw: Sequence[Raw], source: str = "rows") -> list[Row]:
    """Rows of a file, checked; ValueError names the place of the first that is not one."""
    found = []
    for number, one in enumerate(raw, start=1):
        try:
            found.append(task.row(one))
        except ValueError as error:
            raise ValueError(f"{source}, row {number}: {error}") from None
    if not found:
        raise ValueError(f"{source} holds no rows.")
    return found
