"""A report page is one file that says all it says without network, script, colour or mouse."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pytest

from edgetwin.report import (
    Bar,
    Bars,
    Column,
    Gantt,
    Interval,
    KeyValue,
    Level,
    Page,
    Series,
    SeriesChart,
    Table,
    Text,
    page_html,
    write_page,
)
from edgetwin.report.figures import PALETTE, figure
from edgetwin.report.page import SCRIPTS
from edgetwin.report.tables import told

EVIL = "</script><img src=x onerror=alert(1)><b>&amp;$title"
COMMAND = ["edgetwin", "run", "thermal", "--out", "my run"]

TEXT = Text(title="Asked", paragraphs=["Three policies.", "One board."])
FACTS = KeyValue(title="Run", items={"board": "hikey970", "seeds": 5, "mape": None})
TABLE = Table(
    title="Policies",
    columns=[Column(name="policy"), Column(name="energy", unit="J")],
    rows=[("ondemand", 14123.4), ("qos-dvfs", float("nan"))],
    caption="Means over seeds.",
)
CHART = SeriesChart(
    title="Temperature",
    unit="°C",
    series=[Series(name="cpu", t_s=[0.0, 1.0, 3.0], values=[40.0, 60.0, 60.0])],
    levels=[Level(name="trip", value=95)],
)
BARS = Bars(title="Energy", unit="J", bars=[Bar(name="1", value=3.0, low=2.5, high=5.0)])
GANTT = Gantt(
    title="Placement",
    row_name="application",
    label_name="cluster",
    intervals=[
        Interval(row="swaptions", label="LITTLE", start_s=0.0, end_s=4.0),
        Interval(row="swaptions", label="big", start_s=4.0, end_s=9.0),
        Interval(row="swaptions", label="LITTLE", start_s=9.0, end_s=10.5),
    ],
)
EVERYTHING = (TEXT, FACTS, TABLE, CHART, BARS, GANTT)


class Outline(HTMLParser):
    """Every element of a page with its attributes, and the text of every element by tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def outline(*sections, title: str = "Thermal", command=COMMAND) -> Outline:
    return Outline(page_html(Page(title=title, sections=sections, command=command)))


# ---- one file, no network


def test_page_asks_nothing_of_the_network():
    page = outline(*EVERYTHING)
    policy = next(one for one in page.all("meta") if one.get("http-equiv"))
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert "default-src 'none'" in policy["content"]
    assert not re.search(r"https?:|//", policy["content"])
    links = [one["href"] for one in page.all("a")]
    assert all(link.startswith("#") for link in links)
    assert not page.all("link")
    assert not any({"src", "srcset"} & one.keys() for _, one in page.elements)


def test_every_tag_is_closed():
    assert outline(*EVERYTHING).open == []


def test_importing_reports_imports_nothing_heavy():
    code = (
        "import sys, edgetwin.report; print({'pyarrow', 'matplotlib', 'rich'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_only_a_live_page_may_ask_its_own_server():
    page = Page(title="T", sections=[TEXT], command=COMMAND)
    still, live = page_html(page), page_html(page, live="events?token=a")
    assert "connect-src 'none'" in still and "data-live" not in still
    assert "connect-src 'self'" in live and 'data-live="events?token=a"' in live


def test_page_is_written_whole_and_the_same_each_time(tmp_path):
    page = Page(title="Thermal", sections=EVERYTHING, command=COMMAND)
    path = write_page(page, str(tmp_path / "new" / "page.html"))
    assert path.read_text(encoding="utf-8") == page_html(page)
    assert [one.name for one in path.parent.iterdir()] == ["page.html"]


# ---- text from outside stays text


def test_text_from_outside_makes_no_element():
    sections = (
        Text(title=EVIL, paragraphs=[EVIL]),
        KeyValue(title=EVIL, items={EVIL: EVIL}),
        Table(title=EVIL, columns=[Column(name=EVIL, unit=EVIL)], rows=[(EVIL,)], caption=EVIL),
        SeriesChart(
            title=EVIL,
            unit=EVIL,
            series=[Series(name=EVIL, t_s=[0], values=[1])],
            levels=[Level(name=EVIL, value=1)],
            caption=EVIL,
        ),
        Bars(title=EVIL, unit=EVIL, bars=[Bar(name=EVIL, value=1, group=EVIL)], caption=EVIL),
        Gantt(
            title=EVIL,
            intervals=[Interval(row=EVIL, label=EVIL, start_s=0, end_s=1)],
            row_name=EVIL,
            label_name=EVIL,
            caption=EVIL,
        ),
    )
    page = outline(*sections, title=EVIL, command=["edgetwin", EVIL])
    assert not page.all("img")
    assert not page.all("b")
    assert len(page.all("script")) == 2
    assert page.open == []
    assert page.texts["h1"] == [EVIL]
    assert page.texts["p"][1] == EVIL
    assert page.texts["h2"][:6] == [EVIL] * 6


def test_the_scripts_set_text_and_never_markup_of_figures():
    folder = resources.files("edgetwin.report")
    script = "".join(folder.joinpath(name).read_text("utf-8") for name in SCRIPTS[:3])
    assert "innerHTML" not in script and "insertAdjacent" not in script and "eval(" not in script


# ---- readable without mouse, colour or script


def test_outline_leads_a_reader_through_the_page():
    page = outline(*EVERYTHING)
    assert page.texts["h1"] == ["Thermal"]
    assert page.texts["h2"] == [*(section.title for section in EVERYTHING), "Repeat this"]
    first = next(one for tag, one in page.elements if tag in ("a", "button", "input"))
    assert (first["class"], first["href"]) == ("skip", "#main")
    assert page.all("html") == [{"lang": "en"}]


def test_every_reference_has_its_target():
    page = outline(*EVERYTHING)
    names = [one["id"] for _, one in page.elements if "id" in one]
    assert len(names) == len(set(names))
    links = {one["href"].removeprefix("#") for one in page.all("a")}
    labels = {one["aria-labelledby"] for _, one in page.elements if "aria-labelledby" in one}
    assert links | labels <= set(names)
    assert {"chart-0", "chart-1", "chart-2"} <= set(names)


def test_every_table_heading_has_a_scope():
    headings = outline(*EVERYTHING).all("th")
    assert {one.get("scope") for one in headings} == {"col", "row"}


def test_every_chart_has_a_caption_and_its_figures_in_text():
    page = outline(CHART, BARS, GANTT)
    assert page.texts["figcaption"] == [
        "Temperature, in °C, over time.",
        "Energy, in J.",
        "Placement: cluster of each application over time.",
    ]
    assert len(page.all("table")) == 3
    cells = page.texts["td"]
    assert cells[:4] == ["3", "40.00", "56.67", "60.00"]  # (1 s x 50 + 2 s x 60) / 3 s
    assert page.texts["caption"] == ["Levels: trip 95 °C."]


def test_long_figures_fold_and_short_ones_do_not():
    many = [Bar(name=str(number), value=number) for number in range(13)]
    assert len(outline(Bars(title="Many", unit="J", bars=many)).all("details")) == 1
    assert len(outline(Bars(title="Few", unit="J", bars=many[:12])).all("details")) == 0


def test_units_are_in_headings_and_gaps_are_dashes():
    page = outline(TABLE, FACTS)
    assert page.texts["th"][:2] == ["policy", "energy (J)"]
    assert page.texts["td"] == ["14123", "\N{EN DASH}"]
    assert page.texts["dd"] == ["hikey970", "5", "\N{EN DASH}"]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (38.12345, "38.12"),
        (0.0512345, "0.05123"),
        (123456.7, "123457"),
        (1.5e-9, "1.500e-09"),
        (2.5e9, "2.500e+09"),
        (-0.5, "-0.5000"),
        (0.0, "0.000"),
        (2024, "2024"),
        (float("inf"), "\N{EN DASH}"),
        ("a & b", "a & b"),
    ],
)
def test_numbers_have_four_digits_and_whole_ones_all(cell, text):
    assert outline(KeyValue(title="Facts", items={"x": cell})).texts["dd"] == [text]


def test_page_ends_with_the_command_that_repeats_it():
    page = outline(TEXT)
    assert page.texts["code"] == ["edgetwin run thermal --out 'my run'"]
    assert page.texts["section"][-1].split() == [
        *("Repeat", "this", "edgetwin", "run", "thermal", "--out", "'my", "run'")
    ]


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return float(np.dot((0.2126, 0.7152, 0.0722), linear))


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1])
def test_text_and_lines_stand_out_in_light_and_dark(theme):
    style = resources.files("edgetwin.report").joinpath("page.html").read_text(encoding="utf-8")
    pairs = re.findall(r"--(\w+): light-dark\((#\w{6}), (#\w{6})\)", style)
    colours = {name: pair[theme] for name, *pair in pairs}
    for name in ("ink", "quiet", "link"):
        assert contrast(colours[name], colours["page"]) >= 4.5, name
    assert min(contrast(colour, colours["page"]) for colour in PALETTE) >= 3.0


# ---- what is drawn


def figures_of(text: str) -> list[dict]:
    (found,) = re.findall(r'<script id="figures"[^>]*>(.*?)</script>', text, re.DOTALL)
    return json.loads(found, parse_constant=pytest.fail)


def test_long_series_is_drawn_with_few_points_and_told_in_full():
    values = np.zeros(100_000)
    values[77_777] = 97.0
    chart = SeriesChart(
        title="T", unit="°C", series=[Series(name="cpu", t_s=np.arange(1e5), values=values)]
    )
    page = Page(title="T", sections=[chart], command=COMMAND)
    ((drawn,),) = [one["lines"] for one in figures_of(page_html(page))]
    assert len(drawn["x"]) <= 2000
    assert drawn["y"][drawn["x"].index(77_777)] == 97
    assert told(chart).rows[0][1] == 100_000


def test_gap_is_drawn_as_a_gap():
    series = Series(name="cpu", t_s=[0, 1, 2, 3], values=[1.5, np.nan, np.inf, 2.0])
    page = Page(
        title="T", sections=[SeriesChart(title="T", unit="W", series=[series])], command=COMMAND
    )
    (drawn,) = figures_of(page_html(page))
    assert drawn["lines"][0]["y"] == [1.5, None, None, 2]


def test_levels_have_a_name_a_value_and_a_dash():
    chart = SeriesChart(title="T", unit="°C", series=[], levels=[Level(name="trip", value=95)])
    (level,) = figure(chart)["levels"]
    assert (level["name"], level["value"]) == ("trip", 95) and level["dash"]


def test_clocks_hold_and_temperatures_run_straight():
    series = [
        Series(name=str(step), t_s=[0, 9, 10], values=[1, 3, 3], step=step)
        for step in (True, False)
    ]
    chart = SeriesChart(title="T", unit="GHz", series=series)
    assert [line["step"] for line in figure(chart)["lines"]] == [True, False]
    assert [row[3] for row in told(chart).rows] == pytest.approx([1.2, 2.1])


def test_more_series_than_colours_differ_by_dash():
    series = [Series(name=str(k), t_s=[0], values=[k]) for k in range(20)]
    lines = figure(SeriesChart(title="T", unit="W", series=series))["lines"]
    assert len({(line["colour"], tuple(line["dash"])) for line in lines}) == 20


def test_bars_keep_their_intervals_and_what_is_unknown():
    bars = [Bar(name="2", value=3.0, low=2.5, high=5.0), Bar(name="1", value=float("nan"))]
    drawn = figure(Bars(title="Energy", unit="J", bars=bars))
    assert drawn["rows"] == ["2", "1"]
    assert drawn["bars"] == [
        {"row": "2", "group": "", "value": 3.0, "low": 2.5, "high": 5.0},
        {"row": "1", "group": "", "value": None, "low": None, "high": None},
    ]


def test_groups_of_bars_have_a_colour_and_a_column_each():
    bars = [Bar(name="ondemand", value=v, group=g) for g, v in (("fan", 1.0), ("no fan", 2.0))]
    chart = Bars(title="T", unit="°C", bars=bars)
    groups = figure(chart)["groups"]
    assert [group["name"] for group in groups] == ["fan", "no fan"]
    assert len({group["colour"] for group in groups}) == 2
    assert told(chart).rows == [("ondemand", "fan", 1.0), ("ondemand", "no fan", 2.0)]


def test_gantt_draws_every_stretch_and_tells_the_totals():
    drawn = figure(GANTT)
    assert drawn["rows"] == ["swaptions"]
    assert [label["name"] for label in drawn["labels"]] == ["LITTLE", "big"]
    assert drawn["spans"] == [[0, 0, 0, 4], [0, 1, 4, 9], [0, 0, 9, 10.5]]
    assert told(GANTT).rows == [
        ("swaptions", "LITTLE", 2, 5.5, 0.0, 10.5),
        ("swaptions", "big", 1, 5.0, 4.0, 9.0),
    ]


@pytest.mark.parametrize(
    "section",
    [
        SeriesChart(title="None", unit="W", series=[]),
        SeriesChart(title="Empty", unit="W", series=[Series(name="x", t_s=[], values=[])]),
        Bars(title="None", unit="", bars=[]),
        Gantt(title="None", intervals=[]),
        Table(title="None", columns=[], rows=[]),
        Text(title="None", paragraphs=[]),
        KeyValue(title="None", items={}),
    ],
)
def test_nothing_to_show_is_still_a_page(section):
    assert section.title in outline(section).texts["h2"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Table(title="T", columns=[Column(name="a")], rows=[(1,), (1, 2)]),
            "row 2 of table 'T' has 2 cells for 1 columns; give one cell a column.",
        ),
        (
            lambda: Series(name="cpu", t_s=[0, 1], values=[1]),
            "series 'cpu' has t_s of shape (2,) and values of shape (1,); give one value per time.",
        ),
        (
            lambda: Series(name="cpu", t_s=[1, 0], values=[1, 1]),
            "t_s of series 'cpu' is not in order; sort it by time.",
        ),
        (
            lambda: Series(name="cpu", t_s=[0, np.nan], values=[1, 1]),
            "t_s of series 'cpu' is not in order; sort it by time.",
        ),
        (
            lambda: Interval(row="a", label="big", start_s=2.0, end_s=1.0),
            "interval 'big' of row 'a' runs from 2.0 s to 1.0 s; "
            "give a start before the end, both finite.",
        ),
    ],
)
def test_bad_section_is_refused_in_one_line(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_labels_of_a_gantt_keep_the_order_that_is_asked_for():
    intervals = [
        Interval(row="cpu0", label=name, start_s=i, end_s=i + 1) for i, name in enumerate("cab")
    ]
    drawn = figure(Gantt(title="G", intervals=intervals, labels=["a", "x", "b"]))
    assert [label["name"] for label in drawn["labels"]] == ["a", "b", "c"]
    assert drawn["spans"] == [[0, 2, 0, 1], [0, 0, 1, 2], [0, 1, 2, 3]]
