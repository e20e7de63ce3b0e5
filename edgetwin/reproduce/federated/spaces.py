"""What the search may set in each method of the encoder's rows."""

from collections.abc import Mapping
from typing import Any, Final

from edgetwin.reproduce.federated.search import Settings, Space

_RATE: Final = {"lr": (3e-5, 5e-4)}
_DIFFERENCES: Final = {"forward": (1, 4, 32), "central": (1, 2, 32)}


def _split(rates: Mapping[str, float], difference: str) -> Settings:
    """Two layers and the head, counts growing with depth, and the second layer's rate with them."""
    counts = _DIFFERENCES[difference]
    second = float(f"{counts[1] * rates['lr']:.3g}")
    return {
        "at": [1, 2], "difference": difference, "counts": list(counts),
        "lr": [rates["lr"], second, rates["head"]],
    }  # fmt: skip


def _counted(rates: Mapping[str, float], perturbations: int) -> Settings:
    return {"perturbations": perturbations, "lr": rates["lr"]}


def _rate(rates: Mapping[str, float], _: Any) -> Settings:
    return {"lr": rates["lr"]}


SPACES: Final[Mapping[str, Space]] = {
    "fedspzo": Space(
        ranges={"lr": (6e-5, 1e-3), "head": (0.02, 2.0)}, choices=tuple(_DIFFERENCES), make=_split
    ),
    "fedzo": Space(ranges=_RATE, choices=(1, 4), make=_counted),
    "fedkseed": Space(ranges=_RATE, choices=(None,), make=_rate),
    "decomfl": Space(ranges={"lr": (6e-5, 1e-3)}, choices=(5, 10), make=_counted),
}
FIRST_ORDER: Final = {
    "fedavg": Space(ranges={"lr": (0.01, 0.3)}, choices=(None,), make=_rate),
}
CURVES: Final = tuple(  # of two blocks: where they are split, and P2
    ([at], [1, p2]) for at in (1, 2) for p2 in (2, 4, 8, 16)
)
CURVE_SEEDS: Final = 3
