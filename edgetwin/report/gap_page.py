"""The page of a gap report: twin beside device by signal, decisions and order of policies."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgetwin.report.page import Page, write_page
from edgetwin.report.sections import Cell, Column, KeyValue, Section, Series, SeriesChart, Table

if TYPE_CHECKING:
    from edgetwin.gap import Pair

UNITS = {"temps_c": "degC", "power_w": "W", "freq_hz": "Hz", "busy": "share"}
FIGURES = ("n", "bias", "mae", "rmse", "p95", "mape", "nmbe")


def write_gap_page(
    pairs: Sequence["Pair"],
    result: Mapping[str, Any],
    kpis: Mapping[str, str],
    command: Sequence[str],
    path: Path,
) -> Path:
    """Write the page to `path` and return it.

    result is the report as `edgetwin gap --json` gives it, kpis key figures and their units.
    """
    facts: dict[str, Cell] = {
        name: result[name] for name in ("board", "task", "scenario", "duration_s")
    }
    sections: list[Section] = [
        KeyValue(title="Gap between twin and device", items=facts),
        _errors(result["signals"]),
        _decisions(result["runs"]),
        _order(result["ranking_alike"]),
        _key_figures(result["runs"], kpis),
        *_charts(pairs),
    ]
    title = f"Twin and device: {result['board']}"
    return write_page(Page(title=title, sections=sections, command=command), path)


def _errors(signals: Mapping[str, Mapping[str, float | None]]) -> Table:
    rows: list[list[Cell]] = [
        [f"{name} [{_unit(name)}]", *(figures[key] for key in FIGURES)]
        for name, figures in signals.items()
    ]
    columns = [Column(name="signal"), *(Column(name=key) for key in FIGURES)]
    caption = "Twin less device, reading by reading over all runs; MAPE and NMBE are shares."
    return Table(title="Errors", columns=columns, rows=rows, caption=caption)


def _decisions(runs: Sequence[Mapping[str, Any]]) -> Table:
    keys = ("policy", "seed", "decisions_alike", "decisions_alike_on_same_readings")
    return Table(
        title="Decisions",
        columns=[Column(name=key.replace("_", " ")) for key in keys],
        rows=[[run[key] for key in keys] for run in runs],
        caption=(
            "Share of decisions that are the same step by step, and share that the policy repeats "
            "when it is shown the device's own readings."
        ),
    )


def _order(ranking: Mapping[str, float | None]) -> Table:
    return Table(
        title="Order of policies",
        columns=[Column(name="figure"), Column(name="share of pairs alike")],
        rows=[[name, share] for name, share in ranking.items()],
        caption="Pairs of policies that both put in the same order; one policy alone has none.",
    )


def _key_figures(runs: Sequence[Mapping[str, Any]], kpis: Mapping[str, str]) -> Table:
    rows: list[list[Cell]] = [
        [run["policy"], run["seed"], f"{name} [{unit}]" if unit else name,
         run["twin"][name], run["device"][name]]
        for run in runs for name, unit in kpis.items()
    ]  # fmt: skip
    heads = ("policy", "seed", "figure", "twin", "device")
    columns = [Column(name=head) for head in heads]
    return Table(title="Key figures of every run", columns=columns, rows=rows)


def _charts(pairs: Sequence["Pair"]) -> Iterator[SeriesChart]:
    """One chart per signal that both have, for the first seed of every policy."""
    first = {pair.policy: pair for pair in reversed(pairs)}
    for policy, pair in reversed(first.items()):
        both = (("device", pair.device.trace), ("twin", pair.twin.trace))
        for name in pair.twin.trace.columns:
            if name.split(".")[0] in UNITS and name in pair.device.trace.columns:
                yield SeriesChart(
                    title=f"{policy}, seed {pair.seed}: {name}",
                    unit=_unit(name),
                    series=[
                        Series(name=side, t_s=trace.columns["t_s"], values=trace.columns[name])
                        for side, trace in both
                    ],
                )


def _unit(signal: str) -> str:
    return UNITS[signal.split(".", maxsplit=1)[0]]
