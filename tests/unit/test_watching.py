"""A run as text and as a picture, and a live page, while it goes on."""

import io
import json
import urllib.error
import urllib.request
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from test_happenings import JOB, READING

import edgetwin
from edgetwin.envs.floorplan import plan
from edgetwin.report.live import MOST_READINGS, LiveView, paced
from edgetwin.report.terminal import TerminalView
from edgetwin.text_view import BLOCKS, History, sparkline
from hw_models import board_names, load_board

pytestmark = pytest.mark.alone

BOARD = load_board("jetson-tx2")


def fetch(url: str, **headers: str) -> tuple[int, str]:
    """Status and text of an address, without any proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_sparkline_spans_least_to_greatest_and_leaves_gaps() -> None:
    assert sparkline([0.0, 1.0, None, 0.5]) == f"{BLOCKS[0]}{BLOCKS[7]} {BLOCKS[4]}"
    assert sparkline([3.0, 3.0]) == BLOCKS[0] * 2
    assert sparkline([None]) == "" and len(sparkline([1.0] * 99)) == 32


def test_text_shows_every_signal_and_how_it_came_to_that() -> None:
    history = History()
    for t in range(3):
        history.add(replace(READING, t_s=float(t), temps_c={"soc": 40.0 + t}, jobs={"a": JOB}))
    history.add(replace(READING, t_s=2.0))  # the same instant again
    text = history.text("pico")
    assert text.splitlines()[0] == "pico at 2.00 s"
    assert "42.0 degC" in text and "200% of target" in text and f"{BLOCKS[0]}{BLOCKS[4]}" in text


def test_a_terminal_that_is_none_gets_a_line_and_no_escape_codes() -> None:
    stream = io.StringIO()
    with TerminalView(BOARD, "a run", stream=stream) as view:
        view(READING)
    assert stream.getvalue() == "a run: 0.0 s, soc 40.0 degC, 0 jobs\n"


def test_the_ansi_picture_of_an_environment_grows_its_lines() -> None:
    env = gym.make("edgetwin/Thermal-v0", render_mode="ansi").unwrapped
    env.reset(seed=0)
    for _ in range(4):
        env.step(0)
        text = env.render()
    assert text.startswith("hikey970 at 2.00 s") and "soc" in text
    env.reset(seed=1)
    assert env.render().splitlines()[1].rstrip().endswith(BLOCKS[0])


@pytest.mark.parametrize("name", board_names())
def test_a_floor_plan_holds_every_unit_once_and_nothing_overlaps(name: str) -> None:
    board = load_board(name)
    blocks = plan(board)
    units = [unit.name for unit in board.unit_list]
    assert [b.name for b in blocks][: len(units)] == units
    assert {b.node for b in blocks} == set(board.thermal.nodes)
    assert all(0 <= b.x < b.x + b.width <= 1 + 1e-9 for b in blocks)
    assert all(0 <= b.y < b.y + b.height <= 1 + 1e-9 for b in blocks)
    for i, a in enumerate(blocks):
        for b in blocks[:i]:
            apart_x = min(a.x + a.width, b.x + b.width) - max(a.x, b.x) <= 1e-9
            assert apart_x or min(a.y + a.height, b.y + b.height) - max(a.y, b.y) <= 1e-9


def test_the_picture_is_redder_where_it_is_hotter() -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra `report`")
    means = []
    for ambient in (25.0, 80.0):
        env = gym.make("edgetwin/Thermal-v0", render_mode="rgb_array").unwrapped
        env.reset(seed=0, options={"ambient": ambient, "initial": "ambient"})
        image = env.render()
        assert image.dtype == np.uint8 and image.ndim == 3
        plan_only = image[60:-20, 20 : int(image.shape[1] * 0.6)].astype(float)
        means.append(plan_only[..., 0].mean() - plan_only[..., 2].mean())
    assert means[1] > means[0] + 50


# ---- the live page


def test_only_who_knows_the_token_and_a_name_of_this_machine_is_answered() -> None:
    with LiveView(BOARD) as view:
        assert fetch(view.url)[0] == 200
        assert fetch(view.url.replace(view.token, "x"))[0] == 403
        assert fetch(view.url, Host="evil.example:80")[0] == 403
        assert fetch(view.url.replace("/?", "/other?"))[0] == 404
    assert LiveView(BOARD).token != view.token


def test_a_live_run_is_told_until_its_end() -> None:
    backend = edgetwin.make_backend("sim", board="jetson-tx2", scenario="train-cap")
    with LiveView(backend.board, "training") as view:
        edgetwin.run(backend, edgetwin.make_policy("ondemand"), duration_s=5.0, watch=view)
        message = json.loads(view.message())
        titles = [section["title"] for section in message["sections"]]
        assert titles[0] == "Now" and {"temperature", "power", "clocks"} <= set(titles)
        assert len(message["figures"]) == sum('class="chart"' in s["html"] for s in
                                              message["sections"])  # fmt: skip
    # After the end a page that asks hears it at once.
    assert view.wait(-1, 0.0)[1]


def test_a_long_run_is_thinned_and_keeps_its_ends() -> None:
    view = LiveView(BOARD)
    for t in range(3 * MOST_READINGS):
        view(replace(READING, t_s=float(t)))
    assert len(view._readings) <= MOST_READINGS
    times = [reading.t_s for reading in view._readings]
    assert times == sorted(times) and times[-1] > 3 * MOST_READINGS - 5


def test_a_paced_run_takes_its_time() -> None:
    import time

    seen: list[float] = []
    watch = paced(lambda reading: seen.append(reading.t_s), 20.0)
    start_s = time.monotonic()
    for t in range(5):
        watch(replace(READING, t_s=float(t)))
    assert time.monotonic() - start_s >= 4 / 20
    assert seen == [0.0, 1.0, 2.0, 3.0, 4.0]
