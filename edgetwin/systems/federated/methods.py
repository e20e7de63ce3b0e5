"""Methods by name: FedSPZO and what it is held against, all behind one interface."""

from collections.abc import Callable, Sequence
from typing import Any

from edgetwin.systems.federated.first_order import FirstOrder
from edgetwin.systems.federated.method import Method, SplitModel
from edgetwin.systems.federated.split_zo import SplitZO
from edgetwin.systems.federated.stack import split
from edgetwin.systems.federated.zero_order import ZeroOrder
from hw_models.naming import unknown

Settings = dict[str, Any]


def _fedspzo(model: SplitModel, at: int | Sequence[int] | None = None, **settings: Any) -> Method:
    """Blocks cut at `at` (the last sixth of the model by default), perturbed with `SplitZO`."""
    n = len(model.blocks)
    cuts = [max(1, n - max(1, n // 6))] if at is None else [at] if isinstance(at, int) else at
    blocks, counted = split(model, cuts)
    return ZeroOrder("fedspzo", SplitZO(*blocks, **settings), counted)


def _whole(name: str, model: SplitModel, settings: Settings, **more: Any) -> Method:
    """A method that perturbs the model as a whole."""
    (block,), counted = split(model, [])
    joint: Settings = {"coupling": "joint", "lr": 1e-4} | settings
    return ZeroOrder(name, SplitZO(block, **joint), counted, **more)


def _fedzo(model: SplitModel, perturbations: int = 1, **settings: Any) -> Method:
    """MeZO's step (Malladi et al. 2023, arXiv 2305.17333) on every client, then FedAvg."""
    return _whole("fedzo", model, {"counts": (perturbations,)} | settings)


def _decomfl(model: SplitModel, perturbations: int = 5, **settings: Any) -> Method:
    """Li et al. 2024, arXiv 2405.15861: clients share seeds, so the server averages scalars."""
    given = {"counts": (perturbations,), "difference": "forward"} | settings
    return _whole("decomfl", model, given, shares_seeds=True)


def _fedkseed(model: SplitModel, pool: int = 1024, pool_seed: int = 0, **settings: Any) -> Method:
    """Qin et al. 2023, arXiv 2312.06353: a step's seed is one of `pool`, fixed for the run."""
    given = {"counts": (1,)} | settings
    return _whole("fedkseed", model, given, pool=pool, pool_seed=pool_seed)


def _baffle(model: SplitModel, perturbations: int = 20, **settings: Any) -> Method:
    """Feng et al. 2022, arXiv 2210.12546: Stein's identity with Gaussian noise, seeds shared."""
    given = {"counts": (perturbations,), "difference": "forward", "wide": True} | settings
    return _whole("baffle", model, given, shares_seeds=True)


def _fedavg(model: SplitModel, **settings: Any) -> Method:
    """McMahan et al. 2017, arXiv 1602.05629, by back-propagation."""
    (block,), counted = split(model, [])
    return FirstOrder("fedavg", block, counted, **settings)


def _fedavg_lora(model: SplitModel, **settings: Any) -> Method:
    """FedAvg over low-rank adapters; ValueError for a model that trains anything else."""
    (block,), counted = split(model, [])
    named = {name for name, p in block.named_parameters() if p.requires_grad}
    others = [name for name in named if "lora" not in name.lower()]
    if not named or others:
        raise ValueError(
            f"fedavg-lora trains adapters alone, and this model trains "
            f"{', '.join(sorted(others)[:3]) or 'nothing'}; add adapters to it and freeze the rest."
        )
    return FirstOrder("fedavg-lora", block, counted, **settings)


METHODS: dict[str, Callable[..., Method]] = {
    "fedspzo": _fedspzo,
    "fedzo": _fedzo,
    "decomfl": _decomfl,
    "fedkseed": _fedkseed,
    "baffle": _baffle,
    "fedavg": _fedavg,
    "fedavg-lora": _fedavg_lora,
}


def make_method(name: str, model: SplitModel, **settings: Any) -> Method:
    """One replica of `model` that learns by the method of that name.

    The model's own parameters become the replica's. Settings are those of `SplitZO` and of the
    functions above (at, perturbations, pool). KeyError with the nearest name for an unknown one.
    """
    if name not in METHODS:
        raise KeyError(unknown("method", name, list(METHODS)))
    return METHODS[name](model, **settings)
