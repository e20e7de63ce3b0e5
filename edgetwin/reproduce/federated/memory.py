"""Peak memory of one step over the loaded process, each method in a process of its own.

`python -m edgetwin.reproduce.federated.memory METHOD BATCH TOKENS` prints one JSON object. Linux
only: the peak is the kernel's high-water mark, reset once everything is loaded.
"""

import gc
import json
import os
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
# glibc gives back at once what is freed, so that the peak is of what is alive together.
_GIVEN_BACK: Final = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


def increments_bytes(methods: tuple[str, ...], batch: int, tokens: int) -> dict[str, int]:
    """By how much the peak of a process rises in one step of each method."""
    found = {}
    for method in methods:
        words = [sys.executable, "-m", "edgetwin.reproduce.federated.memory"]
        words += [method, str(batch), str(tokens)]
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
            env=os.environ | _GIVEN_BACK,
        )  # fmt: skip
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
    made = None if method == INFERENCE else make_method(method, model, **SETTINGS[method])

    def step(size: int, length: int, seed: int) -> None:
        ids = torch.randint(1000, 30000, (size, length))
        labels = torch.arange(size) % 2
        batch = Batch(inputs={"input_ids": ids, "attention_mask": torch.ones_like(ids)},
                      labels=labels)  # fmt: skip
        if made is None:
            with torch.inference_mode():
                model(batch)
        else:
            made.apply(made.estimate(batch, seed), 1.0)

    step(2, 4, 0)  # loads all that is compiled
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak_bytes()
    for seed in (1, 2):
        step(batch_size, tokens, seed)
    return _peak_bytes() - before


def _peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    kib = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(kib) * 1024


if __name__ == "__main__":
    name, *numbers = sys.argv[1:]
    print(json.dumps({"increment_bytes": _measure(name, *map(int, numbers))}))
