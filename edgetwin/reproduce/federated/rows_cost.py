"""Rows about what a step costs: FLOPs as torch counts them, peak memory, bytes on the wire."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edgetwin.reproduce.federated.memory import INFERENCE, increments_bytes
from edgetwin.studies import Figure, Rows, row

if TYPE_CHECKING:
    from edgetwin.systems.federated.batch import Batch
    from edgetwin.systems.federated.models.split import SplitModel

STEPS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("fedspzo", {"at": [2], "counts": (1, 4)}),
    ("fedspzo", {"at": [2], "counts": (2, 4), "coupling": "joint"}),
    ("fedspzo", {"at": [2, 3], "counts": (1, 2, 8), "lr": 1e-4}),
    ("fedspzo", {"at": [2], "counts": (1, 4), "difference": "forward"}),
    ("fedzo", {}),
    ("decomfl", {}),
)


def flops(quick: bool) -> dict[str, Any]:
    """Analytic FLOPs of whole steps against what torch counts while they run."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from edgetwin.systems.federated.methods import make_method

    detail = {}
    for name in ("opt", "roberta", "llama", "minilm"):
        for method, settings in STEPS[: 3 if quick else None]:
            model, batch = _small(name)
            made = make_method(method, model, **{"lr": 1e-4, **settings})
            with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as meter:
                made.estimate(batch, 1)
            seen = float(meter.get_total_flops())
            detail[f"{name} {method} {settings}"] = abs(made.flops(batch) - seen) / seen
    return row({"relative_error": Figure(value=max(detail.values()), bar=1e-3)}, detail=detail)


def _small(name: str) -> "tuple[SplitModel, Batch]":
    """The wheel's encoder, or a random model of a family's own classes; eight texts."""
    import torch

    from edgetwin.systems.federated.batch import Batch
    from edgetwin.systems.federated.models.hub import split_words
    from edgetwin.systems.federated.models.minilm import MiniLM
    from edgetwin.systems.federated.models.split import train_last

    ids = torch.randint(5, 99, (8, 24), generator=torch.Generator().manual_seed(0))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    batch = Batch(inputs={**inputs, "at": torch.full((8,), 23)}, labels=ids[:, 0] % 2)
    if name == "minilm":
        return train_last(MiniLM().classifier(("bad", "good")), 7), batch
    import transformers

    t: Any = transformers
    sizes = {
        "vocab_size": 100,
        "hidden_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": 64,
    }
    config, model, more = {
        "opt": (t.OPTConfig, t.OPTForCausalLM, {"ffn_dim": 128}),
        "roberta": (
            t.RobertaConfig,
            t.RobertaForMaskedLM,
            {"intermediate_size": 128, "pad_token_id": 1},
        ),
        "llama": (t.LlamaConfig, t.LlamaForCausalLM, {"intermediate_size": 128}),
    }[name]
    return train_last(split_words(model(config(**sizes, **more)), (7, 9)), 4), batch


def memory(quick: bool) -> dict[str, Any]:
    """By how much one step raises a loaded process's peak, over what inference does."""
    methods = (INFERENCE, "fedspzo", "fedzo", "fedavg")
    found = increments_bytes(methods, 16 if quick else 32, 64 if quick else 128)
    share = {name: found[name] / found[INFERENCE] for name in methods[1:]}
    return row(
        {"fedspzo": Figure(value=share["fedspzo"], bar=1.2)},
        fedzo=share["fedzo"], back_propagation=share["fedavg"], increment_bytes=found,
        batch=16 if quick else 32, tokens=64 if quick else 128,
    )  # fmt: skip


def wire(quick: bool) -> dict[str, Any]:
    """Bytes of one local step at P2 = 4: the packet, its message, and all that the nodes sent."""
    from edgetwin.systems.federated.flower.traffic import measure_deployment

    rounds = 2 if quick else 5
    with tempfile.TemporaryDirectory() as folder:
        found = measure_deployment(Path(folder), rounds=rounds)
    return row(
        {"payload_bytes": Figure(value=found["payload_bytes"], bar=32)}, rounds=rounds, **found
    )


ROWS: Final[Rows] = {
    "flops": ("analytic FLOPs of a step against torch's counter, relative error", flops),
    "memory": ("peak memory of a step over that of inference", memory),
    "wire": ("bytes of a local step with Flower, by layer", wire),
}
