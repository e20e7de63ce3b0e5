"""Where the cells of a sweep are worked on: the cores of this machine, or a Ray cluster."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from hw_models.naming import unknown

# What a Ray of our own may keep in memory: cells are a few hundred bytes each.
OBJECT_STORE_BYTES = 128 * 2**20


@contextmanager
def _cores(jobs: int) -> Iterator[None]:
    from joblib import parallel_config

    with parallel_config("loky", n_jobs=jobs):
        yield


@contextmanager
def _ray(jobs: int) -> Iterator[None]:
    """joblib on Ray: the cluster at RAY_ADDRESS or on this machine, else one of our own."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise ImportError("engine 'ray' needs Ray: pip install 'edgetwin[ray]'.") from None
    from joblib import parallel_config

    _register_streaming_ray()
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, jobs)
    try:
        with parallel_config("ray", n_jobs=jobs):
            yield
    finally:
        if ours:
            ray.shutdown()


def _connect(ray: Any, jobs: int) -> None:
    quiet = {"logging_level": "ERROR", "log_to_driver": False}
    address = os.environ.get("RAY_ADDRESS", "auto")
    _expect_answer(address)
    try:
        ray.init(address=address, **quiet)
    except ConnectionError:
        if address != "auto":
            raise
        ray.init(
            address="local",
            num_cpus=jobs if jobs > 0 else None,
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            **quiet,
        )


def _expect_answer(address: str) -> None:
    """ConnectionError where nobody listens at host:port; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=5.0).close()
    except OSError as error:
        raise ConnectionError(f"no Ray cluster answers at RAY_ADDRESS {address}: {error}") from None


def _register_streaming_ray() -> None:
    """Ray's backend for joblib, its results taken one by one as they come."""
    from joblib import register_parallel_backend
    from ray.util.joblib.ray_backend import RayBackend

    # joblib says no for pools of processes; Ray's pool calls back like any other.
    streaming = type("StreamingRay", (RayBackend,), {"supports_return_generator": True})
    register_parallel_backend("ray", streaming)


_ENGINES: dict[str, Callable[[int], AbstractContextManager[None]]] = {"joblib": _cores, "ray": _ray}
ENGINES = tuple(_ENGINES)


def engine_of(name: str, jobs: int) -> AbstractContextManager[None]:
    """Inside this context joblib's Parallel works on `jobs` processes (-1: all) of an engine.

    KeyError for an unknown engine; on entering, ImportError where Ray is not installed and
    ConnectionError where no cluster answers at RAY_ADDRESS.
    """
    if name not in _ENGINES:
        raise KeyError(unknown("engine", name, list(ENGINES)))
    return _ENGINES[name](jobs)
