"""Every shipped board and backend keeps its promises: `pytest --pyargs edgetwin.checks`."""

from edgetwin.backend import Backend, run
from edgetwin.checks import check_backend, check_board
from edgetwin.factory import make_backend
from hw_models.board import Knobs, board_names


def test_every_shipped_board_is_sane() -> None:
    for name in board_names():
        check_board(name)


def test_the_simulator_keeps_its_promises() -> None:
    check_backend(lambda: make_backend("sim", board="hikey970"))


def test_a_recording_keeps_its_promises() -> None:
    simulator = make_backend("sim", board="jetson-tx2")
    trace = run(simulator, lambda reading: Knobs(), duration_s=20.0).trace

    def make() -> Backend:
        return make_backend("replay", board="jetson-tx2", trace=trace)

    check_backend(make, can_submit=False)
