"""Rows become sentences, files become rows, and every row lies on one client."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgetwin.systems.federated.data.docstrings import TOPICS, read_corpus  # noqa: E402
from edgetwin.systems.federated.data.examples import (  # noqa: E402
    TokenExamples,
    draw_rows,
    keep_frozen,
)
from edgetwin.systems.federated.data.formats import read_raw  # noqa: E402
from edgetwin.systems.federated.data.shares import dirichlet_shares, iid_shares  # noqa: E402
from edgetwin.systems.federated.data.tasks import (  # noqa: E402
    TASKS,
    find_text_task,
    rows_of,
)
from edgetwin.systems.federated.models.encoder import (  # noqa: E402
    Embedding,
    Layer,
    SentenceHead,
)
from edgetwin.systems.federated.models.split import SplitModel, train_last  # noqa: E402


@pytest.mark.parametrize(
    ("name", "raw", "masked", "label"),
    [
        ("sst2", {"sentence": "a joy", "label": "1"}, "a joy It was [M].", 1),
        (
            "rte",
            {"premise": "It rains", "hypothesis": "it is wet", "label": "not_entailment"},
            "It rains? [M], it is wet",
            1,
        ),
        (
            "rte",
            {"sentence1": "It rains", "sentence2": "it is wet", "label": 0},
            "It rains? [M], it is wet",
            0,
        ),
        (
            "wic",
            {"word": "run", "sentence1": "I run.", "sentence2": "A run.", "label": False},
            'I run. A run. Does "run" have the same meaning? [M].',
            0,
        ),
        (
            "boolq",
            {"passage": "Ice floats.", "question": "does ice float", "label": True},
            "Ice floats. does ice float? [M].",
            1,
        ),
    ],
)
def test_a_row_is_asked_as_its_task_asks(
    name: str, raw: dict[str, object], masked: str, label: int
) -> None:
    task = find_text_task(name)
    row = task.row(raw)
    assert task.masked.format(**row.texts, mask="[M]") == masked
    assert row.label == label


def test_every_class_of_a_task_has_a_word_and_a_sentence() -> None:
    for task in TASKS.values():
        assert set(task.labels.values()) == set(range(task.classes))
        assert len(set(task.words)) == len(set(task.sentences)) == task.classes


def test_rows_that_are_none_are_refused_by_their_place() -> None:
    good = {"sentence": "a joy", "label": "1"}
    with pytest.raises(ValueError, match=r"films\.tsv, row 2: a row of sst2 needs sentence, label"):
        rows_of(TASKS["sst2"], [good, {"text": None, "label": 1}], "films.tsv")
    with pytest.raises(ValueError, match="row 1: label '7' is none of"):
        rows_of(TASKS["sst2"], [{"sentence": "a joy", "label": 7}])
    with pytest.raises(KeyError, match="Did you mean 'sst2'"):
        find_text_task("sst")


def test_all_formats_say_the_same(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"sentence": 'a "quoted" joy', "label": 1}, {"sentence": "dull", "label": 0}]
    body = "".join(f"{row['sentence']}\t{row['label']}\n" for row in rows)
    (tmp_path / "bare.tsv").write_text(body)
    (tmp_path / "headed.tsv").write_text(f"sentence\tlabel\n{body}")
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    task = TASKS["sst2"]
    found = [
        rows_of(task, read_raw(str(tmp_path / name), task))
        for name in ("bare.tsv", "headed.tsv", "a.jsonl", "a.parquet")
    ]
    assert found == [found[0]] * 4
    assert [row.label for row in found[0]] == [1, 0]
    assert found[0][0].texts == {"sentence": 'a "quoted" joy'}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"x", "give one of .tsv, .jsonl, .parquet"),
        ("a.tsv", b"only one column\n", "line 1 has 1 columns, not 2"),
        ("a.tsv", b"\xff\xfe\x00\t1\n", "cannot be read as .tsv"),
        ("a.jsonl", b"{not json", "cannot be read as .jsonl"),
        ("a.jsonl", b"[1]", "line 1 is no object"),
        ("a.parquet", b"PAR0", "cannot be read as .parquet"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_raw(str(tmp_path / name), TASKS["sst2"])


def test_the_corpus_is_there_offline_and_is_always_the_same() -> None:
    first, again = read_corpus(most=60), read_corpus(most=60)
    assert (first.sha256, first.train) == (again.sha256, again.train)
    texts = [row["text"] for row in (*first.train, *first.test)]
    assert len(texts) == len(set(texts))
    counts = {topic: sum(row["label"] == topic for row in first.train) for topic in TOPICS}
    assert min(counts.values()) >= 35
    assert len(first.test) >= 30
    assert not {row["text"] for row in first.train} & {row["text"] for row in first.test}


def test_equal_shares_hold_every_row_once() -> None:
    shares = iid_shares(np.zeros(103, np.int64), 10, np.random.default_rng(0))
    assert sorted(np.concatenate(shares).tolist()) == list(range(103))
    assert {len(share) for share in shares} == {10, 11}
    with pytest.raises(ValueError, match="clients is 104"):
        iid_shares(np.zeros(103, np.int64), 104, np.random.default_rng(0))


def unevenness(alpha: float) -> float:
    """Mean over clients of the largest class's share, on 20 draws."""
    labels = np.arange(1000) % 5
    found = []
    for seed in range(20):
        shares = dirichlet_shares(labels, 8, alpha, np.random.default_rng(seed), fewest=4)
        assert sorted(np.concatenate(shares).tolist()) == list(range(1000))
        assert min(map(len, shares)) >= 4
        found += [np.bincount(labels[share]).max() / len(share) for share in shares]
    return float(np.mean(found))


def test_a_small_alpha_gives_each_client_few_classes() -> None:
    assert unevenness(0.1) > 0.6
    assert unevenness(100.0) < 0.3


def test_shares_that_cannot_be_are_refused() -> None:
    rng, labels = np.random.default_rng(0), np.zeros(10, np.int64)
    with pytest.raises(ValueError, match="alpha is 0"):
        dirichlet_shares(labels, 2, 0.0, rng)
    with pytest.raises(ValueError, match="too few for 6 on each of 2"):
        dirichlet_shares(labels, 2, 1.0, rng, fewest=6)


def test_batches_are_of_one_length_and_use_every_row_alike() -> None:
    lengths = np.repeat(np.arange(1, 21), 10)
    shard, rng = np.arange(200), np.random.default_rng(0)
    used, spread = np.zeros(200), []
    for _ in range(4000):
        rows = draw_rows(lengths, shard, 10, rng)
        assert len(set(rows.tolist())) == 10
        used[rows] += 1
        spread.append(np.ptp(lengths[rows]))
    assert max(spread) <= 2
    by_length = used.reshape(20, 10).mean(axis=1)
    assert by_length.max() < 1.5 * by_length.mean()
    assert by_length.min() > 0.5 * by_length.mean()


def tiny_encoder() -> SplitModel:
    torch.manual_seed(0)
    layers = [Layer(16, 2, 32) for _ in range(3)]
    return SplitModel([Embedding(50, 12, 2, 16), *layers, SentenceHead(torch.eye(3, 16))])


def some_texts() -> TokenExamples:
    rng = np.random.default_rng(0)
    ids = [rng.integers(1, 50, n).tolist() for n in (7, 3, 11, 5, 3)]
    return TokenExamples(ids, [0, 1, 2, 0, 1])


def test_kept_activations_give_what_the_whole_model_gives() -> None:
    model, examples = train_last(tiny_encoder(), 2), some_texts()
    assert model.frozen == 3
    rest, (kept,) = keep_frozen(model, examples, at_once=2)
    assert len(rest) == 2
    rows = [2, 0, 4]
    with torch.no_grad():
        whole, resumed = model(examples.batch(rows)), rest(kept.batch(rows))
    assert torch.allclose(whole, resumed, atol=1e-5)
    frozen = sum(model.flops(examples.batch(rows))[:3])
    assert sum(rest.flops(kept.batch(rows))) == sum(model.flops(examples.batch(rows))) - frozen


def test_padding_is_marked_and_answers_keep_their_place() -> None:
    examples = TokenExamples([[5, 6, 7], [8]], [0, 1], padding=9, at=[2, 0])
    batch = examples.batch([1, 0])
    assert batch.inputs["input_ids"].tolist() == [[8, 9, 9], [5, 6, 7]]
    assert batch.inputs["attention_mask"].tolist() == [[1, 0, 0], [1, 1, 1]]
    assert batch.inputs["at"].tolist() == [0, 2]
    assert batch.labels.tolist() == [1, 0]


def saved_model(folder: Path, kind: str) -> str:
    """A tiny model of a kind with its own vocabulary, as a folder that transformers can load."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["[PAD]", "[UNK]", "[MASK]", "It", "was", ".", "terrible", "great", "a", "joy", "dull"]
    pieces = Tokenizer(models.WordLevel({w: k for k, w in enumerate(words)}, unk_token="[UNK]"))
    pieces.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=pieces, unk_token="[UNK]", pad_token="[PAD]", mask_token="[MASK]"
    )
    sizes = {"vocab_size": len(words), "hidden_size": 16, "num_hidden_layers": 2,
             "num_attention_heads": 2, "max_position_embeddings": 40}  # fmt: skip
    torch.manual_seed(0)
    model: nn.Module = {
        "masked": lambda: transformers.RobertaForMaskedLM(
            transformers.RobertaConfig(intermediate_size=32, pad_token_id=0, **sizes)
        ),
        "causal": lambda: transformers.OPTForCausalLM(
            transformers.OPTConfig(ffn_dim=32, word_embed_proj_dim=16, pad_token_id=0, **sizes)
        ),
        "encoder": lambda: transformers.BertModel(
            transformers.BertConfig(intermediate_size=32, **sizes)
        ),
    }[kind]()
    model.save_pretrained(folder)  # type: ignore[operator]
    fast.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("kind", ["masked", "causal", "encoder"])
def test_a_model_is_loaded_by_path_and_asked_in_its_own_way(tmp_path: Path, kind: str) -> None:
    from edgetwin.systems.federated.models.language import load_language_model

    task = TASKS["sst2"]
    loaded = load_language_model(saved_model(tmp_path, kind), task)
    rows = rows_of(
        task, [{"sentence": "a joy", "label": 1}, {"sentence": "dull " * 30, "label": 0}]
    )
    examples = loaded.read(rows, 12)
    assert examples.lengths.max() == 12
    batch = examples.batch([0, 1])
    if kind == "masked":
        answers = batch.inputs["input_ids"][torch.arange(2), batch.inputs["at"]]
        assert answers.tolist() == [2, 2]
    with torch.no_grad():
        logits = loaded.blocks(batch)
    assert logits.shape == (2, 2)
    assert len(loaded.blocks) == 4
    assert torch.isfinite(logits).all()
