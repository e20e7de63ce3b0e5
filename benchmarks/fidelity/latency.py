"""TX2 inference latency: fitted on part of each network's points, judged on the rest."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fidelity.data import on_data
from edgetwin.studies import Figure, row
from hw_models.fit import fit_latency, predict_latency
from hw_models.tables import LatencyTable, read_latency_table

FILE = "tx2/tx2_inference_latency_train.csv"
SHARE, SPLITS = 0.6, 20


@on_data(FILE)
def measure(folder: Path, quick: bool) -> dict[str, Any]:
    """MAPE on the 40 % of each network's points that the fit has not seen, over seeded splits."""
    table = read_latency_table(folder / FILE)
    splits = range(4 if quick else SPLITS)
    errors = [split_errors(table, seed) for seed in splits]
    by_network = {
        name: float(np.mean(np.concatenate([found[name][0] for found in errors])))
        for name in errors[0]
    }
    pooled = [np.mean(np.concatenate([e for e, _ in found.values()])) for found in errors]
    inside = np.concatenate([z for found in errors for _, z in found.values()])
    return row(
        {"mape": Figure(value=float(np.mean(pooled)), bar=0.01)},
        worst_split=float(np.max(pooled)),
        mape_by_network=by_network,
        coverage_of_90_percent=float(np.mean(inside < 1.645)),
        splits=len(splits),
        n=len(table.networks),
    )


def split_errors(table: LatencyTable, seed: int) -> dict[str, tuple[Any, Any]]:
    """By network: shares by which held-out points are missed, and by how many deviations."""
    rng = np.random.default_rng(seed)
    used = np.concatenate([_drawn(rng, table.networks, n) for n in dict.fromkeys(table.networks)])
    rest = table.take(np.setdiff1d(np.arange(len(table.networks)), used))
    result = fit_latency(table.take(np.sort(used)), seed=seed)
    found = {}
    for name in dict.fromkeys(rest.networks):
        held = rest.of(name)
        said = predict_latency(result, name, held.gpu_hz, held.emc_hz)
        error = np.abs(said.mean - held.latency_s)
        found[name] = (error / held.latency_s, error / said.std)
    return found


def _drawn(rng: np.random.Generator, networks: Sequence[str], name: str) -> Any:
    at = np.flatnonzero(np.array(networks) == name)
    return rng.permutation(at)[: int(np.ceil(SHARE * len(at) - 1e-9))]
