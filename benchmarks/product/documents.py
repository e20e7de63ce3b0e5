"""The documentation: a strict build, links of the built site, blocks that are run by a test."""

import os
import re
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any, final
from urllib.parse import unquote, urlsplit

from benchmarks.frame.children import ROOT, run_tests
from edgetwin.studies import Figure, absent, row

PAGES = "tests/conventions/test_pages.py"


def measure(quick: bool) -> dict[str, Any]:
    """Build the site, follow every link inside it, and run the blocks (quick: only counts them)."""
    if find_spec("mkdocs") is None:
        return absent("mkdocs is not installed: pip install 'edgetwin[docs]'")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
            cwd=ROOT, capture_output=True, text=True, check=False,
            env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        )  # fmt: skip
        links, broken = _links(Path(folder)) if done.returncode == 0 else (0, ["no site"])
        pages = len(list(Path(folder).rglob("*.html")))
    blocks = sum(len(_blocks(page)) for page in (ROOT / "docs").rglob("*.md"))
    figures = {
        "build_exit_code": Figure(value=float(done.returncode), bar=0.0),
        "broken_links": Figure(value=float(len(broken)), bar=0.0),
    }
    details: dict[str, Any] = {"said": done.stderr[-500:]} if done.returncode else {}
    if not quick:
        verdicts = run_tests(PAGES)
        ran = [name for name in verdicts.ran if "code_of_a_page" in name]
        failed = [name for name in ran if name not in verdicts.passed]
        figures["pages_run"] = Figure(value=float(len(ran)), bar=float(_documents()), at_least=True)
        figures["pages_failed"] = Figure(value=float(len(failed)), bar=0.0)
        details["failed"] = failed
    return row(figures, pages=pages, links=links, broken=broken[:10], blocks=blocks, **details)


def _documents() -> int:
    """README and the pages below docs."""
    return 1 + len(list((ROOT / "docs").rglob("*.md")))


def _blocks(page: Path) -> list[str]:
    return re.findall(r"^```(?:python|console|bash)$", page.read_text(encoding="utf-8"), re.M)


@final
class _Page(HTMLParser):
    """The ids of a page and what it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.targets: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            if name in ("href", "src") and value and tag != "base":
                self.targets.append(value)


def _links(site: Path) -> tuple[int, list[str]]:
    """How many links lead to other places of the site, and which of them lead nowhere."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    count, broken = 0, []
    for path, page in pages.items():
        if path.name == "404.html":
            continue  # its links are absolute: it is shown for any address
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            count += 1
            place = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if place.is_dir():
                place = place / "index.html"
            known = pages.get(place)
            lost = known is not None and parts.fragment and parts.fragment not in known.ids
            if not place.exists() or (lost and parts.fragment != "__skip"):
                broken.append(f"{path.relative_to(site)}: {target}")
    return count, broken
