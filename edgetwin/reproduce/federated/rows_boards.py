"""What a step costs on each kind of board: simulated seconds and joules, from counted work."""

from typing import Any, Final

from edgetwin.studies import Rows, absent

BOARDS: Final = ("jetson-nano", "jetson-tx2-nx", "jetson-orin-nano")
METHODS: Final[dict[str, dict[str, Any]]] = {
    "fedspzo": {"at": [1, 2], "counts": [1, 2, 32], "lr": 1e-4},
    "fedzo": {"lr": 1e-4},
    "decomfl": {"lr": 1e-4},
}
STEPS: Final = 20


def board_costs(quick: bool) -> dict[str, Any]:
    """Seconds and joules of a local step by method and board, and its FLOPs.

    The boards start idle and steady at their own ambient; each does a job of some steps alone.
    """
    import copy

    from edgetwin.fleet import Client, Fleet, Task
    from edgetwin.reproduce.federated.encoder import material, setup_of
    from edgetwin.systems.federated.boards import LINKS
    from edgetwin.systems.federated.pricing import Prices
    from edgetwin.systems.federated.setup import build
    from hw_models.board import load_board

    model, train, test = material("docstrings")
    boards = [Client(board=load_board(name), link=LINKS["wifi"]) for name in BOARDS]
    detail: dict[str, Any] = {}
    for method, settings in METHODS.items():
        setup = setup_of("docstrings", method, settings, 0)
        shop = build(setup, (copy.deepcopy(model), train, test))
        batch = shop.batches(0)(0, 0)
        prices, fleet = Prices(shop.method, shop.model, batch, setup.model), Fleet(boards)
        jobs = [Task(client=k, job=prices.job(STEPS)) for k in range(len(boards))]
        found: Any = fleet.clock.run(until=fleet.round(jobs))
        detail[method] = {
            "flops": shop.method.flops(batch),
            "boards": {
                name: {"step_s": found.compute_s[k] / STEPS, "step_j": found.energy_j[k] / STEPS}
                for k, name in enumerate(BOARDS)
            },
        }
    grades = {client.board.name: client.board.grade for client in boards}
    slowest = detail["fedspzo"]["boards"][BOARDS[0]]["step_s"]
    reason = f"a step of FedSPZO takes {slowest:.3g} s on {BOARDS[0]}; see the page"
    return absent(reason) | {"detail": detail, "grades": grades}


ROWS: Final[Rows] = {
    "boards": ("seconds and joules of a local step by board", board_costs),
}
