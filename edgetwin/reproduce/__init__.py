"""Studies that repeat the published experiments on the twins: rows of figures against bars."""

from importlib import import_module
from pathlib import Path

from edgetwin.studies import Means, Study
from hw_models.naming import unknown

TITLES: dict[str, str] = {
    "hardware": "The hardware path against virtual boards, over real FUSE and real ssh",
    "planner": "batch size and clock under a power cap (arXiv 2502.18323)",
    "thermal": "imitation-learned migration and DVFS on the HiKey 970 (arXiv 2206.05459)",
    "federated": "Fine-tuning across clients with forward passes only (FedSPZO)",
}

TRAINS = ("federated",)
"""Studies whose runs can be on another device, in so many processes, until a time."""


def find_study(name: str, folder: Path, means: Means | None = None) -> Study:
    """The study of that name, its finished cells in `folder`; KeyError with the nearest name.

    Each is a package of this room with `make_study(folder: Path) -> Study` in its `study`; those
    named in TRAINS take what they may use besides.
    """
    if name not in TITLES:
        raise KeyError(unknown("study", name, list(TITLES)))
    module = import_module(f"edgetwin.reproduce.{name}.study")
    given = (folder, means or Means()) if name in TRAINS else (folder,)
    made: Study = module.make_study(*given)
    return made
