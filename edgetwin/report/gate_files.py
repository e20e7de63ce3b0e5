"""What a gate leaves for a CI job: JUnit XML, a summary in Markdown, a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from edgetwin.gates import Check, Verdict
from edgetwin.report.page import Page, write_page
from edgetwin.report.run_sections import run_sections
from edgetwin.report.sections import Bar, Bars, Cell, Column, KeyValue, Section, Table
from edgetwin.storage import write_atomically
from hw_models.board import Board
from hw_models.trace import Trace


def write_junit(verdict: Verdict, path: Path) -> None:
    """One test case per check, in the form that CI servers read."""
    report = verdict.report
    failed = [check for check in verdict.checks if not check.ok]
    suite = ElementTree.Element(
        "testsuite",
        name=f"edgetwin gate {report.policy}",
        tests=str(len(verdict.checks)),
        failures=str(len(failed)),
        errors="0",
        skipped="0",
    )
    for check in verdict.checks:
        place = f"{report.policy}.{report.board}.{report.scenario}"
        case = ElementTree.SubElement(
            suite, "testcase", classname=place, name=f"{check.figure} ({check.kind})"
        )
        if not check.ok:
            ElementTree.SubElement(case, "failure", message=check.sentence).text = check.sentence
        ElementTree.SubElement(case, "system-out").text = check.sentence
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode", xml_declaration=True)
    write_atomically(path, text + "\n")


def markdown(verdict: Verdict) -> str:
    """The verdict as a table of Markdown."""
    report = verdict.report
    head = f"## {'Passed' if verdict.ok else 'Failed'}: {report.policy} on {report.board}"
    lines = [
        head,
        "",
        f"Scenario {report.scenario}, {report.duration_s:g} s, {len(report.seeds)} seeds"
        + (f", against {verdict.baseline.policy}." if verdict.baseline else "."),
        "",
        "| | figure | against | mean | beyond chance | limit | would catch |",
        "|---|---|---|---|---|---|---|",
    ]
    for check in verdict.checks:
        cells = (
            "ok" if check.ok else "**FAIL**", f"`{check.figure}`", check.kind,
            *map(_text, (check.value, check.low, check.limit, check.detects)),
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", LEGEND, ""]
    return "\n".join(lines)


LEGEND = (
    "Against a baseline the mean is the change for the worse; a check fails where what is left of "
    "it beyond chance exceeds the limit. Would catch: how far the true mean must lie beyond the "
    "limit to be found 95 times of 100."
)


def gate_page(
    verdict: Verdict, board: Board, trace: Trace, command: Sequence[str], path: Path
) -> Path:
    """The checks, the figures seed by seed, and the run of the first seed."""
    report = verdict.report
    facts: dict[str, Cell] = {
        "verdict": "passed" if verdict.ok else "failed",
        "policy": report.policy,
        "board": f"{board.name}: {board.title}",
        "scenario": report.scenario,
        "seconds at most": report.duration_s,
        "seeds": ", ".join(map(str, report.seeds)),
        "baseline": verdict.baseline.policy if verdict.baseline else "none",
    }
    figures = list(dict.fromkeys(check.figure for check in verdict.checks))
    sections: list[Section] = [
        KeyValue(title="Gate", items=facts),
        _checks(verdict.checks),
        _seeds(verdict, figures),
        *(_bars(verdict, figure) for figure in figures),
        *run_sections(board, trace, f"{report.policy}, seed {report.seeds[0]}: "),
    ]
    title = f"{report.policy} on {board.name}: {facts['verdict']}"
    return write_page(Page(title=title, sections=sections, command=command), path)


def as_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict for programs."""
    names = ("figure", "kind", "value", "low", "limit", "detects", "n", "ok", "note", "sentence")
    report = verdict.report
    return {
        "ok": verdict.ok,
        "policy": report.policy,
        "board": report.board,
        "scenario": report.scenario,
        "duration_s": report.duration_s,
        "seeds": list(report.seeds),
        "baseline": verdict.baseline.policy if verdict.baseline else None,
        "checks": [{name: getattr(check, name) for name in names} for check in verdict.checks],
    }


def _checks(checks: Sequence[Check]) -> Table:
    heads = ("figure", "against", "verdict", "mean", "beyond chance", "limit", "would catch")
    rows: list[list[Cell]] = [
        [check.figure, check.kind, "ok" if check.ok else "FAIL", check.value, check.low,
         check.limit, check.detects]
        for check in checks
    ]  # fmt: skip
    columns = [Column(name=head) for head in heads]
    return Table(title="Checks", columns=columns, rows=rows, caption=LEGEND)


def _seeds(verdict: Verdict, figures: Sequence[str]) -> Table:
    before = _by_seed(verdict.baseline.seeds, verdict.baseline.kpis) if verdict.baseline else {}
    now = _by_seed(verdict.report.seeds, verdict.report.kpis)
    rows: list[list[Cell]] = [
        [str(seed), *(c for f in figures for c in (kpis.get(f), before.get(seed, {}).get(f)))]
        for seed, kpis in now.items()
    ]
    columns = [Column(name="seed")]
    for figure in figures:
        columns += [Column(name=figure), Column(name="baseline")]
    return Table(title="Seed by seed", columns=columns, rows=rows)


def _by_seed(
    seeds: Sequence[int], kpis: Sequence[Mapping[str, float | None]]
) -> dict[int, Mapping[str, float | None]]:
    return dict(zip(seeds, kpis, strict=True))


def _bars(verdict: Verdict, figure: str) -> Bars:
    both = [("now", verdict.report)]
    both += [("baseline", verdict.baseline)] if verdict.baseline else []
    bars = [
        Bar(name=f"seed {seed}", value=kpis.get(figure), group=group)
        for group, report in both
        for seed, kpis in zip(report.seeds, report.kpis, strict=True)
    ]
    return Bars(title=figure, unit="", bars=bars)


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
