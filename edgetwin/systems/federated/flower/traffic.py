"""What a deployment puts on the wire: a relay before the SuperLink counts every byte."""

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, final

from edgetwin.storage import json_lines
from edgetwin.systems.federated.flower.deployment import Deployment
from edgetwin.systems.federated.flower.processes import HOST
from edgetwin.systems.federated.setup import Setup


@final
class Relay:
    """Passes connections on to a port of the loopback and counts bytes in both directions."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self.up_bytes = self.down_bytes = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                inner, _ = self._listener.accept()
                outer = socket.create_connection((HOST, self._to))
            except OSError:
                return
            for source, target, up in ((inner, outer, True), (outer, inner, False)):
                pump = threading.Thread(target=self._pump, args=(source, target, up), daemon=True)
                pump.start()

    def _pump(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                with self._lock:
                    self.up_bytes += len(data) if up else 0
                    self.down_bytes += 0 if up else len(data)
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def measure_deployment(folder: Path, *, rounds: int) -> dict[str, Any]:
    """Bytes of one client that works alone, by layer, per local step and per round.

    payload: the packet. message: Flower's record that carries the upload. up and down: all that
    the node sent and got in the run, divided by the rounds; TLS, HTTP and polling included.
    """
    from flwr.app import ConfigRecord, RecordDict
    from flwr.common.serde import recorddict_to_proto

    from edgetwin.systems.federated.flower.client import NODE, RECORD, UPLOAD, VERSION

    run = folder / "run"
    setup = Setup(
        model="mlp", task="digits", settings={"at": 5}, clients=1, per_round=1, rounds=rounds,
        batch=32,
    )  # fmt: skip
    setup.save(run)
    deployment = Deployment(folder / "flower", 1)
    with Relay(deployment.port) as relay:
        deployment.node_link_port = relay.port
        with deployment:
            deployment.submit(run).finish()
    lines = [line for line in json_lines(run / "flower.jsonl") if line["answered"]]
    payload = sum(sum(line["upload_bytes"].values()) for line in lines) / len(lines)
    content = ConfigRecord({NODE: 0, VERSION: 0, UPLOAD: b"\x01" * int(payload)})
    return {
        "payload_bytes": payload / setup.steps,
        "message_bytes": recorddict_to_proto(RecordDict({RECORD: content})).ByteSize(),
        "node_sent_bytes_per_round": relay.up_bytes / rounds,
        "node_got_bytes_per_round": relay.down_bytes / rounds,
        "round_s": [line["took_s"] for line in lines],
    }
