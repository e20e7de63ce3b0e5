"""A report page in a real browser: every panel drawn, no error, readable, reachable by keyboard."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.frame.browser import CHROMIUM, CONTRASTS, NO_BROWSER, Browser
from edgetwin.report import Bar, Bars, Page, write_page
from edgetwin.report.live import LiveView
from edgetwin.report.run_sections import run_sections
from hw_models import JobReading, Reading, Trace, load_board

pytestmark = [pytest.mark.alone, pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)]
BOARD = load_board("jetson-tx2")
PANELS = ["temperature", "power", "clocks", "load of the units", "placement", "quality of service"]
TITLES = """
[...document.querySelectorAll(".chart")]
  .map((chart) => document.getElementById(chart.getAttribute("aria-labelledby")).textContent)
"""
# Share of pixels of each canvas that something is drawn on.
INK = """
[...document.querySelectorAll("canvas")].map((canvas) => {
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let drawn = 0;
  for (let i = 3; i < data.length; i += 4) drawn += data[i] > 0;
  return drawn / (data.length / 4);
})
"""


def reading(t_s: float) -> Reading:
    """A made-up instant of a TX2 with two applications, one of which moves at 30 s."""
    wave = float(np.sin(t_s / 7))
    unit = "a57-0" if t_s < 30 else "a57-1"
    job = {"progress": None, "l2d_per_s": None, "batch": None, "target": 1e9}
    units = [one.name for one in BOARD.unit_list]
    return Reading(
        t_s=t_s,
        temps_c={zone: 50 + 5 * wave + i for i, zone in enumerate(BOARD.sensors.zones)},
        power_w={rail: 6 + wave for rail in BOARD.sensors.rails},
        energy_j=6 * t_s,
        freq_hz={d: c.freqs_hz.value[-1 if wave > 0 else 0] for d, c in BOARD.clocks.items()},
        busy=dict.fromkeys(units, 0.5 + 0.4 * wave),
        fan=None,
        throttled=40 < t_s < 50,
        cap_w=8.0 if t_s < 20 else 7.0,
        jobs={
            "adi-1": JobReading(unit=unit if unit in units else units[0], rate=1.1e9 + wave, **job),
            "lu-2": JobReading(unit=units[-2], rate=0.8e9, **job),
        },
    )


TRACE = Trace.from_readings([reading(t / 10) for t in range(600)])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as found:
        yield found


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    bars = Bars(title="peak", unit="degC", bars=[Bar(name="a", value=3.0, low=2.0, high=4.0)])
    page = Page(title="A run", sections=[*run_sections(BOARD, TRACE), bars], command=["edgetwin"])
    return write_page(page, tmp_path_factory.mktemp("page") / "report.html").as_uri()


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("dark", [False, True])
def test_every_panel_is_drawn_without_an_error(
    browser: Browser, url: str, width: int, dark: bool
) -> None:
    browser.open(url, width=width, dark=dark)
    titles = browser.value(TITLES)
    assert titles == [*PANELS, "peak"]
    assert min(browser.value(INK)) > 0.005
    assert browser.errors == []
    assert browser.value("document.documentElement.scrollWidth") <= width
    least = browser.value(CONTRASTS)
    assert least[0][0] >= 4.5, least


def test_a_chart_is_read_and_zoomed_by_keyboard(browser: Browser, url: str) -> None:
    browser.open(url)
    for _ in range(60):
        browser.press("Tab")
        if browser.value("document.activeElement.className") == "plot":
            break
    assert browser.value("document.activeElement.getAttribute('aria-label')").startswith("temp")
    browser.press("ArrowRight")
    tip = "document.activeElement.querySelector('.tip').textContent"
    first = browser.value(tip)
    assert " degC" in first and first.split("\n")[0].endswith(" s")
    browser.press("ArrowRight")
    assert browser.value(tip) != first
    before = browser.value("document.activeElement.querySelector('canvas').toDataURL()")
    browser.press("+", "+")
    zoomed = browser.value("document.activeElement.querySelector('canvas').toDataURL()")
    browser.press("0", "0")
    assert zoomed != before


def test_the_mouse_reads_values_with_units_and_the_legend_hides_a_line(
    browser: Browser, url: str
) -> None:
    browser.open(url)
    browser.value("document.querySelectorAll('.plot')[2].scrollIntoView()")
    box = browser.value(
        "(() => { const b = document.querySelectorAll('.plot')[2].getBoundingClientRect();"
        " return [b.left + b.width / 2, b.top + 50]; })()"
    )
    browser.mouse("mouseMoved", *box)
    tip = browser.wait_for(
        "document.querySelectorAll('.plot')[2].querySelector('.tip').textContent"
    )
    assert "Hz" in tip
    hide = "document.querySelectorAll('.legend')[2].querySelector('button')"
    ink = "document.querySelectorAll('.plot')[2].querySelector('canvas').toDataURL()"
    before = browser.value(ink)
    browser.value(f"{hide}.click()")
    assert browser.value(f"{hide}.getAttribute('aria-pressed')") == "false"
    assert browser.value(ink) != before


def test_the_theme_button_turns_the_page_dark(browser: Browser, url: str) -> None:
    browser.open(url)
    colour = "getComputedStyle(document.body).backgroundColor"
    assert browser.value(colour) == "rgb(255, 255, 255)"
    browser.value("document.getElementById('theme').click()")
    assert browser.value(colour) != "rgb(255, 255, 255)"


def test_a_live_page_follows_the_run_to_its_end(browser: Browser) -> None:
    with LiveView(BOARD, "live run") as view:
        view(reading(0.1))
        browser.open(view.url)
        browser.wait_for("document.getElementById('state').textContent === 'live'")
        for t in range(2, 300):
            view(reading(t / 10))
        browser.wait_for("document.querySelectorAll('.chart[data-drawn]').length >= 5")
        browser.wait_for("document.querySelector('dl').textContent.includes('29.90')")
    browser.wait_for("document.getElementById('state').textContent === 'the run has ended'")
    assert browser.errors == []


def test_a_live_page_answers_nobody_without_its_token(browser: Browser) -> None:
    with LiveView(BOARD) as view:
        refused = view.url.split("?")[0]
        browser.open(refused)
        assert "token" in browser.value("document.body.textContent")
        assert view.url.startswith("http://127.0.0.1:")
    assert not any(t.name == "live" for t in threading.enumerate())


def test_pages_have_no_network(browser: Browser, url: str) -> None:
    browser.open(url)
    failed = "fetch('http://127.0.0.1:9/').then(() => 'sent', (e) => String(e))"
    assert "Failed" in browser.value(failed)
    assert any("Content Security Policy" in error for error in browser.errors)


def test_text_of_a_page_is_there_without_script(url: str) -> None:
    text = Path(url.removeprefix("file://")).read_text(encoding="utf-8")
    body = text.split("<script", 1)[0]
    assert "migration" in body and "throttling begins" in body and "cap" in body
