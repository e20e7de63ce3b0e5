"""The row about one client on a board behind the hardware path: a virtual board, over real FUSE."""

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from edgetwin.reproduce.hardware.bench import served, why_not
from edgetwin.studies import Figure, Rows, absent, row

if TYPE_CHECKING:
    from edgetwin.backend import Backend
    from edgetwin.systems.federated.on_board import Spent

BOARD: Final = "jetson-nano"
SHAPE: Final = {"inputs": 64, "width": 128, "depth": 6, "classes": 10}
STEPS: Final = 400


def desk(quick: bool) -> dict[str, Any]:
    """The same rounds beside the twin and beside the device: packets, seconds and joules."""
    from edgetwin.factory import make_backend
    from hw_models.board import load_board

    if why_not():
        return absent(why_not())
    board, rounds = load_board(BOARD), 2 if quick else 5
    with closing(make_backend("sim", board=board)) as twin:
        expected, predicted = play(twin, rounds)
    with (
        served(BOARD) as virtual,
        closing(make_backend("hardware", board=board, root=str(virtual.root))) as device,
    ):
        sent, measured = play(device, rounds)
    return row(
        {"different_uploads": Figure(value=different(sent, expected), bar=0)},
        rounds=rounds, steps=STEPS, board=BOARD,
        measured=beside(measured), predicted=beside(predicted),
    )  # fmt: skip


def play(backend: "Backend", rounds: int, steps: int = STEPS) -> tuple[list[bytes], list["Spent"]]:
    """A federation of one client beside a board: its uploads, and what each took there."""
    from edgetwin.reproduce.federated.rows_protocol import sample_server, sample_shards
    from edgetwin.systems.federated.client import Client
    from edgetwin.systems.federated.mlp import ResidualMLP
    from edgetwin.systems.federated.on_board import BoardClient
    from edgetwin.systems.federated.pricing import Prices

    server, own = (sample_server(1, 256, SHAPE, steps=steps) for _ in range(2))
    (shard,) = sample_shards(1, 256, 64, SHAPE["inputs"], SHAPE["classes"])
    prices = Prices(server.replica.method, ResidualMLP(**SHAPE), shard(0, 0), "mlp-200k")
    backend.reset()
    client = BoardClient(Client(own.replica, shard), backend, prices)
    sent = []
    for _ in range(rounds):
        (order,) = server.open([0]).values()
        sent.append(client.work(order))
        server.receive(0, sent[-1])
        server.close()
    return sent, client.spent


def different(sent: list[bytes], expected: list[bytes]) -> int:
    """Uploads that are not the same, byte for byte."""
    return sum(a != b for a, b in zip(sent, expected, strict=True))


def beside(spent: list["Spent"]) -> dict[str, list[float | None]]:
    """Seconds and joules by round."""
    return {
        "time_s": [one.time_s for one in spent],
        "energy_j": [one.energy_j for one in spent],
    }


ROWS: Final[Rows] = {
    "desk": ("one client on a virtual board over the hardware path, beside its twin", desk),
}
