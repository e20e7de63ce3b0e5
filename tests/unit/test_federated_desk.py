"""A client beside a board: the packets of any client, and what its board took for them."""

from contextlib import closing

import pytest

pytest.importorskip("torch", reason="needs the extra `learn`")

from edgetwin.factory import make_backend
from edgetwin.reproduce.federated.rows_desk import BOARD, different, play
from edgetwin.reproduce.hardware.bench import served, why_not
from edgetwin.systems.federated.on_board import Spent, run_job
from hw_models import ForwardJob, load_board, load_network

STEPS = 40


def beside_the_twin() -> tuple[list[bytes], list[Spent]]:
    with closing(make_backend("sim", board=BOARD)) as twin:
        return play(twin, 2, STEPS)


def test_a_job_alone_takes_its_time_and_the_boards_energy() -> None:
    job = ForwardJob(network=load_network("mobilenet-v2"), batch=8, passes=4.0, steps=20)
    with closing(make_backend("sim", board=load_board(BOARD))) as twin:
        twin.reset()
        first, second = (run_job(twin, job, look_s) for look_s in (0.5, 0.01))
        assert second.time_s <= first.time_s + 0.01
        assert first.time_s == pytest.approx(second.time_s, abs=0.5)
        assert first.energy_j is not None and second.energy_j is not None
        assert 1.0 < second.energy_j / second.time_s < 15.0  # watts of a Jetson Nano


def test_a_job_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgetwin.systems.federated.on_board.LONGEST_S", 2.0)
    job = ForwardJob(network=load_network("mobilenet-v2"), batch=8, passes=4.0, steps=1e9)
    with closing(make_backend("sim", board=BOARD)) as twin:
        twin.reset()
        with pytest.raises(TimeoutError, match="has not ended"):
            run_job(twin, job, 1.0)


@pytest.mark.skipif(bool(why_not()), reason=f"no virtual board here: {why_not()}")
def test_a_client_on_a_virtual_board_sends_the_packets_of_its_twin() -> None:
    expected, predicted = beside_the_twin()
    with (
        served(BOARD) as virtual,
        closing(make_backend("hardware", board=BOARD, root=str(virtual.root))) as device,
    ):
        sent, measured = play(device, 2, STEPS)
    assert different(sent, expected) == 0
    assert len(measured) == len(predicted) == 2
    for one, twin in zip(measured, predicted, strict=True):
        assert one.energy_j is not None and one.energy_j > 0
        assert one.time_s >= twin.time_s / 2
