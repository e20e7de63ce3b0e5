"""The Flower ServerApp: rounds of orders and uploads over the grid; weights stay where they are."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, final

from flwr.app import ConfigRecord, Context, Message, MessageType, RecordDict
from flwr.serverapp import Grid, ServerApp

from edgetwin.storage import append_line, exact_json
from edgetwin.systems.federated.flower.client import ORDER, RECORD, Answer, read_answer
from edgetwin.systems.federated.server import Server
from edgetwin.systems.federated.setup import Setup, build

ROUND_LIMIT_S: Final = 600.0
"""A round ends then, with the answers that came."""

PATIENCE_S: Final = 30.0
"""So long a round waits for clients that are not there."""

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """All rounds of a run; one that was cut off goes on where it stood."""
    folder = Path(str(context.run_config["folder"]))
    shop = build(Setup.load(folder))
    server = shop.server(folder / "server")
    crowd = Crowd(grid, len(shop.shares))
    while server.version < shop.setup.rounds:
        wanted = shop.participants(server.version)
        start_s = time.perf_counter()
        uploads = crowd.ask(server, wanted)
        number, record = server.version, server.close()
        line = {
            "round": number,
            "asked": wanted,
            "answered": sorted(uploads),
            "packets": len(record.entries),
            "upload_bytes": uploads,
            "order_bytes": crowd.order_bytes,
            "took_s": time.perf_counter() - start_s,
        }
        append_line(folder / "flower.jsonl", exact_json(line))
        print(f"round {number + 1} of {shop.setup.rounds}: {len(uploads)} answers", flush=True)


@final
class Crowd:
    """The nodes behind a grid, known by the client that each says it is."""

    def __init__(self, grid: Grid, clients: int) -> None:
        self.grid, self.clients = grid, clients
        self.order_bytes: dict[int, int] = {}
        self._node_of: dict[int, int] = {}

    def ask(self, server: Server, wanted: Sequence[int]) -> dict[int, int]:
        """Open a round, send its orders, hand in what comes; bytes of every upload by client."""
        self._meet(server, wanted)
        orders = server.open([client for client in wanted if client in self._node_of])
        sent = {client: order.to_bytes() for client, order in orders.items()}
        self.order_bytes = {client: len(data) for client, data in sent.items()}
        messages = {client: ConfigRecord({ORDER: data}) for client, data in sent.items()}
        found = {}
        for client, answer in self._exchange(messages, server.version):
            if answer.upload is not None:
                server.receive(client, answer.upload)
                found[client] = len(answer.upload)
            else:  # it has lost its replica, or fallen behind: the next order brings all it lacks
                server.known[client] = min(answer.version, server.version)
        return found

    def _meet(self, server: Server, wanted: Sequence[int]) -> None:
        """Wait until the clients that are wanted are there; without any, for as long as it takes.

        A node that was away is a new node, and is asked who it is.
        """
        end_s = time.monotonic() + PATIENCE_S
        while True:
            there = set(self.grid.get_node_ids())
            self._node_of = {c: node for c, node in self._node_of.items() if node in there}
            new = there - set(self._node_of.values())
            if new:
                self._introduce(server, new)
            here = [client for client in wanted if client in self._node_of]
            if len(here) == len(wanted) or (here and time.monotonic() > end_s):
                return
            time.sleep(0.2)

    def _introduce(self, server: Server, nodes: set[int]) -> None:
        messages = [
            Message(RecordDict(), dst_node_id=node, message_type=MessageType.QUERY)
            for node in sorted(nodes)
        ]
        for reply in self.grid.send_and_receive(messages, timeout=ROUND_LIMIT_S):
            answer = _read(reply)
            if answer is not None and answer.client < self.clients:
                self._node_of[answer.client] = reply.metadata.src_node_id
                server.known[answer.client] = min(answer.version, server.version)

    def _exchange(
        self, contents: Mapping[int, ConfigRecord], number: int
    ) -> Iterator[tuple[int, Answer]]:
        """Every answer with the client that was asked; who answers nothing is not there."""
        client_at = {self._node_of[client]: client for client in contents}
        messages = [
            Message(
                RecordDict({RECORD: content}),
                dst_node_id=self._node_of[client],
                message_type=MessageType.TRAIN,
                group_id=str(number),
            )
            for client, content in contents.items()
        ]
        for reply in self.grid.send_and_receive(messages, timeout=ROUND_LIMIT_S):
            client, answer = client_at.get(reply.metadata.src_node_id), _read(reply)
            if client is not None and answer is not None:
                yield client, answer
            elif client is not None:
                self._node_of.pop(client, None)


def _read(reply: Message) -> Answer | None:
    """A node's answer; where it is none the run's log says why."""
    if reply.has_error():
        print(f"node {reply.metadata.src_node_id}: {reply.error.reason}", flush=True)
        return None
    answer = read_answer(reply.content)
    if answer is None:
        print(f"node {reply.metadata.src_node_id}: an answer of another form", flush=True)
    return answer
