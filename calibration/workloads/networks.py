"""The profiles of the networks in hw_models/workloads/nets.py, counted by torch."""

from dataclasses import fields
from pathlib import Path

from hw_models.jobs import NetworkProfile
from hw_models.workloads.count import count_network

HEADER = """\
# Made by calibration/workloads/recipe.py; the keys are the fields of hw_models.jobs.NetworkProfile
# and the counting rules those of hw_models.workloads.count. No number here is a measurement.
"""


def write_networks(out: Path) -> None:
    """Write networks.toml: every network of nets.py, in its order."""
    from hw_models.workloads.nets import NETWORKS

    tables = [_toml(count_network(name)) for name in NETWORKS]
    (out / "networks.toml").write_text("\n".join([HEADER, *tables]), encoding="utf-8")


def _toml(network: NetworkProfile) -> str:
    names = [field.name for field in fields(network) if field.name != "name"]
    lines = [f"{name} = {_value(getattr(network, name))}" for name in names]
    return "\n".join([f'["{network.name}"]', *lines, ""])


def _value(value: str | float) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
