"""Peak memory of one step over the loaded process, each method in a process of its own.

`python -m edgetwin.reproduce.federated.memory METHOD BATCH TOKENS` prints one JSON object. Linux
only: the peak is the kernel's high-water mark, reset once everything is loaded.
"""

import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

INFERENCE: Final = "inference"
SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "fedspzo": {"at": [5, 6, 7], "counts": (1, 2, 4, 8), "lr": 1e-5},
    "fedzo": {"lr": 1e-5},
    "fedavg": {"lr": 1e-5},
}
_TIMEOUT_S: Final = 600.0


def increments_bytes(methods: tuple[str, ...], batch: int, tokens: int) -> dict[str, int]:
    """By how much the peak of a process rises in one step of each method."""
    found = {}
    for method in methods:
        words = [sys.executable, "-m", "edgetwin.reproduce.federated.memory"]
        words += [method, str(batch), str(tokens)]
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
        if done.returncode:
            raise RuntimeError(f"memory of {method}: {done.stderr.strip()[-300:]}")
        found[method] = int(json.loads(done.stdout)["increment_bytes"])
    return found


def _measure(method: str, batch_size: int, tokens: int) -> int:
    import torch

    from edgetwin.systems.federated.batch import Batch
    from edgetwin.systems.federated.methods import make_method
    from edgetwin.systems.federated.models.minilm import MiniLM

    model = MiniLM().classifier(("a bad film", "a good film"))
    model.blocks[0].requires_grad_(False)
    chance = torch.Generator().manual_seed(0)
    ids = torch.randint(1000, 30000, (batch_size, tokens), generator=chance)
    batch = Batch(
        inputs={"input_ids": ids, "attention_mask": torch.ones_like(ids)},
        labels=torch.randint(0, 2, (batch_size,), generator=chance),
    )
    made = None if method == INFERENCE else make_method(method, model, **SETTINGS[method])
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak_bytes()
    for seed in range(2):
        if made is None:
            with torch.inference_mode():
                model(batch)
        else:
            made.apply(made.estimate(batch, seed), 1.0)
    return _peak_bytes() - before


def _peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    kib = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(kib) * 1024


if __name__ == "__main__":
    name, *numbers = sys.argv[1:]
    print(json.dumps({"increment_bytes": _measure(name, *map(int, numbers))}))
