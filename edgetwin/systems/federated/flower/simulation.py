"""Flower's own simulation by `flwr run`: clients as Ray actors on many cores, or on a cluster."""

from pathlib import Path
from types import TracebackType
from typing import Final, Self, final

from edgetwin.storage import write_atomically
from edgetwin.systems.federated.flower.application import write_application
from edgetwin.systems.federated.flower.processes import (
    HOST,
    Program,
    environment_of,
    free_ports,
    stop_all,
)

_CONNECTION: Final = """\
[superlink]
default = "run"

[superlink.run]
address = "{host}:{port}"
insecure = true
"""


@final
class Simulation:
    """A SuperLink of our own that simulates `nodes` clients on `cpus` cores.

    It listens on the loopback alone. As a context manager it ends with all that it started.
    """

    def __init__(self, folder: Path, nodes: int, cpus: int = 2) -> None:
        self.folder = folder.resolve()
        self.nodes, self.cpus = nodes, cpus
        self._environment = environment_of(self.folder / "home")
        (self.port,) = free_ports(1)
        self._programs: list[Program] = []

    def __enter__(self) -> Self:
        words = ["flower-superlink", "--insecure", "--simulation", "--isolation", "subprocess"]
        words += ["--disable-runtime-dependency-installation"]
        words += ["--host", HOST, "--port", str(self.port)]
        link = self._run(words, "superlink")
        try:
            link.await_port(self.port)
        except BaseException:
            self.stop()
            raise
        return self

    def submit(self, run: Path) -> Program:
        """`flwr run` of the run whose settings lie in a folder; its log is the run's."""
        text = _CONNECTION.format(host=HOST, port=self.port)
        write_atomically(self.folder / "home" / "config.toml", text)
        app = write_application(self.folder / "app")
        federation = (
            f"num-supernodes={self.nodes} client-resources-num-cpus=1 "
            f"client-resources-num-gpus=0.0 init-args-num-cpus={self.cpus}"
        )
        words = ["flwr", "run", str(app), "run", "--stream", "--run-config", f'folder="{run}"']
        return self._run([*words, "--federation-config", federation], "flwr-run")

    def stop(self) -> None:
        """All of it ends."""
        stop_all(self._programs[::-1])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self, words: list[str], name: str) -> Program:
        self._programs.append(
            Program(words, self.folder / "logs" / f"{name}.log", self._environment)
        )
        return self._programs[-1]
