"""What the README and the docs print, happens."""

import re
from pathlib import Path

import pytest
from code_blocks import PYTHON, Block, blocks_of, commands_of, run_page
from source_trees import ROOT, shown

KINDS = ("board", "task", "policy", "governor", "workload", "backend")
EXTENSIONS = [ROOT / "docs" / "extend" / f"{kind}.md" for kind in KINDS]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_the_code_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(page, shown(page), tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", prose)]
    local = [target for target in targets if target and "://" not in target]
    missing = [target for target in local if not (page.parent / target).exists()]
    assert not missing, f"{shown(page)} links to {missing}"


@pytest.mark.parametrize("page", EXTENSIONS, ids=shown)
def test_an_extension_is_shown_in_under_thirty_lines(page: Path) -> None:
    blocks = [b for b in blocks_of(page.read_text(encoding="utf-8")) if b.language in PYTHON]
    lengths = [len([line for line in block.lines if line.strip()]) for block in blocks]
    assert lengths and max(lengths) < 30


def _page(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


def test_blocks_share_one_namespace_and_one_folder(tmp_path: Path) -> None:
    text = "```python\nx = 1\n```\n```console\n$ echo two > f\nshown\n$ test \\\n  -s f\n```\n"
    run_page(_page(tmp_path, text + "```python\nassert x == 1\n```\n"), "page.md", tmp_path)
    assert (tmp_path / "f").read_text(encoding="utf-8") == "two\n"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a\n```python\nx = 1\n1 / 0\n```\n", "page.md:3 ZeroDivisionError"),
        ("```console\nout\n$ false | cat\n```\n", "page.md:3 `false | cat` exited 1"),
        ("```bash\nls\n```\n", "page.md:2 has no line"),
        ("```py\nx = 1\n```\n", "page.md:2 is marked 'py'"),
    ],
)
def test_a_failing_block_names_its_page_and_line(text: str, place: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"^page\.md:") as caught:
        run_page(_page(tmp_path, text), "page.md", tmp_path)
    assert str(caught.value).startswith(place)


def test_an_open_block_is_an_error() -> None:
    with pytest.raises(ValueError, match="line 2 is never closed"):
        list(blocks_of("```python\nx = 1\n"))


def test_output_lines_are_not_commands() -> None:
    block = Block(language="console", line=5, lines=("$ a", "out", "$ b"))
    assert list(commands_of(block)) == [(5, "a"), (7, "b")]
