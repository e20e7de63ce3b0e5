"""Application and network profiles as data, each with its source."""

from hw_models.workloads.added import register_workload
from hw_models.workloads.applications import (
    application_names,
    datasets,
    load_application,
    parsec_names,
    peak_ips,
    polybench_names,
)
from hw_models.workloads.count import count_module
from hw_models.workloads.networks import load_network, network_names

__all__ = [
    "application_names",
    "count_module",
    "datasets",
    "load_application",
    "load_network",
    "network_names",
    "parsec_names",
    "peak_ips",
    "polybench_names",
    "register_workload",
]
