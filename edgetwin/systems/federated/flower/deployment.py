"""A federation on this machine: one SuperLink, SuperNodes, TLS between them."""

from pathlib import Path
from types import TracebackType
from typing import Final, Self, final

from edgetwin.storage import write_atomically
from edgetwin.systems.federated.flower.application import write_application
from edgetwin.systems.federated.flower.certificates import Certificates, make_certificates
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
{trust}
"""


@final
class Deployment:
    """SuperLink and SuperNodes as processes, as they would run on a server and on boards.

    As a context manager it ends all of them. `port`, if given, is where the nodes look for the
    SuperLink: that of a relay in front of it, say.
    """

    def __init__(self, folder: Path, nodes: int) -> None:
        self.folder = folder.resolve()
        self.nodes = nodes
        self._environment = environment_of(self.folder / "home")
        self._tls = make_certificates(self.folder / "tls")
        self.port, *self._node_ports = free_ports(1 + nodes)
        self.node_link_port = self.port
        self._nodes: dict[int, Program] = {}
        self._others: list[Program] = []

    def start(self) -> Self:
        """The SuperLink, and every node."""
        words = ["flower-superlink", "--disable-runtime-dependency-installation"]
        words += ["--isolation", "subprocess", "--host", HOST, "--port", str(self.port)]
        link = self._run([*words, *_served(self._tls)], "superlink")
        self._others.append(link)
        link.await_port(self.port)
        for node in range(self.nodes):
            self.start_node(node)
        return self

    def start_node(self, node: int) -> None:
        """A node, for the first time or again after its end; its replica is on its own disk."""
        settings = f'partition-id={node} folder="{self.folder / "nodes" / str(node)}"'
        words = ["flower-supernode", "--superlink", f"{HOST}:{self.node_link_port}"]
        words += ["--root-certificates", str(self._tls.authority), "--isolation", "subprocess"]
        words += ["--host", HOST, "--port", str(self._node_ports[node]), "--node-config", settings]
        self._nodes[node] = self._run([*words, *_served(self._tls)], f"supernode-{node}")

    def kill_node(self, node: int) -> None:
        """A node without power."""
        self._nodes.pop(node).kill()

    def submit(self, run: Path) -> Program:
        """`flwr run` of the run whose settings lie in a folder; its log is the run's."""
        trust = f'root-certificates = "{self._tls.authority}"'
        text = _CONNECTION.format(host=HOST, port=self.port, trust=trust)
        write_atomically(self.folder / "home" / "config.toml", text)
        app = write_application(self.folder / "app")
        words = ["flwr", "run", str(app), "run", "--stream", "--run-config", f'folder="{run}"']
        self._others.append(self._run(words, "flwr-run"))
        return self._others[-1]

    def stop(self) -> None:
        """All of it ends."""
        stop_all([*self._nodes.values(), *reversed(self._others)])

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self, words: list[str], name: str) -> Program:
        return Program(words, self.folder / "logs" / f"{name}.log", self._environment)


def _served(tls: Certificates) -> list[str]:
    return [
        *("--ssl-ca-certfile", str(tls.authority)),
        *("--ssl-certfile", str(tls.certificate)),
        *("--ssl-keyfile", str(tls.key)),
    ]
