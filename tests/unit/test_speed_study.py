"""What the speed study compares is what it says: same networks, same work, peers or a reason."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed.courses import Inputs, exact, exact_linear, explicit
from benchmarks.speed.floorplan import N_BLOCKS, network
from benchmarks.speed.page import write_speed_page
from benchmarks.speed.peers import PEERS, open_peers
from benchmarks.speed.peers.venvs import HERE, Offer, cache_folder
from benchmarks.speed.study import STUDY
from benchmarks.speed.thermal import board_inputs, by_solve_ivp, state_space_ways
from edgetwin.studies import outcome
from hw_models import load_board

ISSUED = {
    "vector_50ms", "vector_500ms", "thermal_step_bound", "two_cores", "exact_step", "posterior",
    "equality", "memory", "float32", "fleet", "sweep_resume",
}  # fmt: skip


def linear(n_periods: int = 40) -> Inputs:
    net = network()
    return Inputs(
        network=net,
        powers_w=np.random.default_rng(0).uniform(0.0, 1.0, (n_periods, N_BLOCKS)),
        gains_w=np.zeros((n_periods, N_BLOCKS)),
        law=np.array([25.0, 0.0, 0.0, 0.0, -273.0, 1000.0]),
        ambient_c=25.0,
        start_c=np.full(len(net.rate_hz), 40.0),
    )


def test_every_row_of_the_table_is_there() -> None:
    assert set(STUDY.rows) == ISSUED


def test_the_block_network_is_one_of_68_nodes_that_all_cool() -> None:
    net = network()
    assert len(net.rate_hz) == 68
    steady_c = net.steady(np.full(N_BLOCKS, 0.2), 25.0)
    assert (steady_c > 25.0).all()
    away_w = (steady_c - 25.0) @ net.to_ambient_w_per_k
    assert away_w == pytest.approx(0.2 * N_BLOCKS)


def test_with_leakage_explicit_steps_approach_the_exact_ones() -> None:
    inputs = board_inputs(load_board("hikey970"), 40)
    ours_c = exact(inputs)
    for is_dense in (True, False):
        rk4_c = explicit(inputs, 40, is_rk4=True, is_dense=is_dense)
        assert rk4_c == pytest.approx(ours_c, abs=5e-3)
        errors_k = [
            np.abs(explicit(inputs, n, is_rk4=False, is_dense=is_dense) - rk4_c).max()
            for n in (40, 80)
        ]
        assert errors_k[1] == pytest.approx(errors_k[0] / 2, rel=0.1)  # first order


def test_without_leakage_all_ways_agree() -> None:
    inputs = linear()
    ours_c = exact_linear(inputs)
    assert exact(inputs) == pytest.approx(ours_c, abs=1e-9)
    for way in state_space_ways(inputs).values():
        assert way() == pytest.approx(ours_c, abs=1e-7)
    assert by_solve_ivp(inputs, 10) == pytest.approx(ours_c[:10], abs=0.03)


def test_a_row_whose_room_is_missing_says_so() -> None:
    found = outcome(lambda quick: __import__("benchmarks.speed.nothing"), True)
    assert found["ok"] is None
    assert "benchmarks.speed.nothing" in found["reason"]


# -- peers ------------------------------------------------------------------------------------


def test_every_peer_is_pinned_to_the_last_package() -> None:
    for offer in PEERS.values():
        lines = (HERE / offer.pins).read_text(encoding="utf-8").splitlines()
        packages = [line for line in lines if not line.startswith("#")]
        assert packages
        assert all(line.count("==") == 1 for line in packages)


def test_a_peer_runs_in_its_own_process_and_does_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEERS, "cartpole", Offer(env_id="CartPole-v1", pins="none.txt"))
    monkeypatch.setattr(
        "benchmarks.speed.peers.venvs._interpreter", lambda pins: Path(sys.executable)
    )
    with open_peers(("cartpole",)) as (peers, absent):
        assert absent == {}
        assert all(peers["cartpole"].step_s(50) > 0.0 for _ in range(2))
        assert peers["cartpole"].rewards == [50.0, 50.0]  # one for every step that was done


def test_a_peer_that_cannot_be_installed_is_absent_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGETWIN_PEERS", str(tmp_path / "file"))
    with open_peers(("halfcheetah",)) as (peers, absent):
        assert peers == {}
        assert absent["halfcheetah"]
        assert "\n" not in absent["halfcheetah"]


def test_a_peer_that_dies_is_absent_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEERS, "nobody", Offer(env_id="Nobody-v0", pins="none.txt"))
    monkeypatch.setattr(
        "benchmarks.speed.peers.venvs._interpreter", lambda pins: Path(sys.executable)
    )
    with open_peers(("nobody",)) as (peers, absent):
        assert peers == {}
        assert "Nobody-v0 ended with code 1" in absent["nobody"]


def test_peers_are_kept_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGETWIN_PEERS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/edgetwin/peers")


def test_the_page_shows_every_row_and_the_charts_there_are_figures_for(tmp_path: Path) -> None:
    held = {"value": 2.0, "bar": 1.0, "sense": "at least", "ok": True, "title": "fleet of boards"}
    gone = {"value": None, "bar": None, "ok": None, "title": "a peer", "reason": "not installed"}
    peers = {**held, "title": "peers", "steps_per_s": {"cartpole": 5.0}}
    study = {
        "quick": True, "bars": {"fleet": held, "float32": gone}, "more": {"peers": peers},
        "versions": {"numpy": "2"},
    }  # fmt: skip
    text = write_speed_page(study, tmp_path).read_text(encoding="utf-8")
    for said in ("fleet of boards", "not installed", "Environment steps per second", "cartpole"):
        assert said in text
