"""Reports: tables, figures and self-contained pages of what a board, real or not, has done."""

from edgetwin.report.page import Page, page_html, write_page
from edgetwin.report.sections import (
    Bar,
    Bars,
    Column,
    Gantt,
    Interval,
    KeyValue,
    Level,
    Mark,
    Plane,
    Section,
    Series,
    SeriesChart,
    Table,
    Text,
)
from edgetwin.report.series import decimate, summarise

__all__ = [
    "Bar",
    "Bars",
    "Column",
    "Gantt",
    "Interval",
    "KeyValue",
    "Level",
    "Mark",
    "Page",
    "Plane",
    "Section",
    "Series",
    "SeriesChart",
    "Table",
    "Text",
    "decimate",
    "page_html",
    "summarise",
    "write_page",
]
