"""Scaffolds, gates, views and exports, from the command line to the files."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from test_cli import edgetwin

from edgetwin.cli import FAILED, USAGE, _run
from edgetwin.templates import KINDS, make_start, start_files
from hw_models import Knobs, read_trace

ROOT = Path(__file__).resolve().parents[2]
SHORT = "--scenario gate-mix --seeds 3 --duration 20"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "thermal"
    edgetwin("run thermal --policies powersave,ondemand --duration 20", "--out", folder)
    return folder


def failing(line: str, capsys: pytest.CaptureFixture[str], code: int = USAGE) -> str:
    """What is said on stderr by a command that must fail."""
    assert _run(line.split()) == code
    return capsys.readouterr().err


# ---- new


@pytest.mark.parametrize("kind", KINDS)
def test_a_start_is_made_and_its_own_test_passes(kind: str, here: Path) -> None:
    made = edgetwin(f"new {kind} pico --json").result
    assert all((here / file).is_file() for file in made["files"])
    text = "".join(Path(file).read_text(encoding="utf-8") for file in made["files"])
    assert "mine" not in text
    update = ["--edgetwin-update"] if kind == "policy" else []
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "edgetwin.pytest_plugin", *update],
        cwd=here / "pico", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("new polic mine", "Did you mean 'policy'"),
        ("new policy Mine", "lower-case"),
        ("new policy mine-two", "lower-case"),
        ("new scenario class", ""),
    ],
)
def test_a_bad_name_is_refused_in_one_line(here: Path, capsys, line: str, words: str) -> None:
    if not words:
        edgetwin(line)  # a scenario is no Python module
        return
    assert words in failing(line, capsys)


def test_an_existing_folder_is_not_overwritten(here: Path, capsys) -> None:
    edgetwin("new scenario one")
    assert "not empty" in failing("new scenario one", capsys)


def test_the_example_repository_is_what_new_makes() -> None:
    folder = ROOT / "docs" / "examples" / "gated-policy"
    for file, text in start_files("policy", "mine").items():
        assert (folder / file).read_text(encoding="utf-8") == text, file
    assert (ROOT / "docs" / "ci" / "gate.yml").read_text("utf-8") == start_files("policy", "mine")[
        ".github/workflows/gate.yml"
    ]


def test_the_example_repository_passes_its_own_gate(tmp_path: Path) -> None:
    make_start("policy", "mine", tmp_path / "repo")
    kept = (ROOT / "docs" / "examples" / "gated-policy" / "main.json").read_text(encoding="utf-8")
    (tmp_path / "repo" / "main.json").write_text(kept, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "edgetwin.pytest_plugin"],
        cwd=tmp_path / "repo", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_start_of_a_board_is_the_one_the_docs_explain() -> None:
    page = (ROOT / "docs" / "add-a-board.md").read_text(encoding="utf-8")
    shown = page.split('PICO = """\n', 1)[1].split('"""\n', 1)[0]
    made = start_files("board", "pico")["board.toml"]
    different = [pair for pair in zip(shown.splitlines(), made.splitlines(), strict=True)
                 if pair[0] != pair[1]]  # fmt: skip
    assert [one.split(" = ")[0] for one, _ in different] == ["title", "title"]


# ---- gate


def test_a_gate_passes_what_is_unchanged_and_fails_what_is_hotter(here: Path, capsys) -> None:
    edgetwin(f"gate powersave {SHORT} --baseline main.json --update")
    same = edgetwin("gate powersave --baseline main.json --json").result
    assert same["ok"] and same["seeds"] == [0, 1, 2]
    assert all(check["value"] == 0.0 for check in same["checks"])
    line = "gate performance --baseline main.json --tolerance mean_temp_c=0.1"
    assert _run([*line.split(), "--junit", "g.xml", "--summary", "g.md", "--out", "o"]) == FAILED
    assert "mean_temp_c: change" in capsys.readouterr().out
    failures = ElementTree.parse(here / "g.xml").getroot()[0].get("failures")
    assert int(failures or 0) == 1
    assert "**FAIL**" in (here / "g.md").read_text(encoding="utf-8")
    page = (here / "o" / "report.html").read_text(encoding="utf-8")
    assert "Seed by seed" in page and "performance, seed 0: temperature" in page
    assert json.loads((here / "o" / "kpis.json").read_text())["ok"] is False


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("gate ondemand", "nothing to check"),
        ("gate ondemand --baseline none.json", "--update"),
        ("gate ondemand --update", "name its file"),
        ("gate nowhere.py:make --max-temp 60", "no policy file"),
        ("gate ondemann --max-temp 60", "Did you mean 'ondemand'"),
        ("gate ondemand --limit peak_temp_c", "FIGURE=NUMBER"),
    ],
)
def test_a_gate_that_cannot_run_says_why(here: Path, capsys, line: str, words: str) -> None:
    assert words in failing(line, capsys)


def test_a_policy_file_runs_by_its_place_and_an_edit_is_another_run(here: Path, capsys) -> None:
    edgetwin("new policy mine")
    line = "run thermal --policies ondemand,mine/mine.py:make --duration 5 --out o --json"
    assert set(edgetwin(line).result["policies"]) == {"ondemand", "mine"}
    file = here / "mine" / "mine.py"
    file.write_text(file.read_text("utf-8").replace("36.0", "35.0"), encoding="utf-8")
    sys.modules.pop(next(name for name in sys.modules if name.startswith("edgetwin_policy_mine")))
    assert "sha256 of policy mine" in failing(line, capsys)


# ---- view and export


def test_view_finds_the_page_of_a_run(run: Path) -> None:
    page = Path(edgetwin("view --no-open --json", run).result["page"])
    assert page == run / "report.html"
    assert "quality of service" in page.read_text(encoding="utf-8")


def test_view_compares_runs_and_makes_lost_pages_again(run: Path, here: Path) -> None:
    edgetwin("run thermal --policies qos-dvfs --duration 20 --out other")
    (here / "other" / "report.html").unlink()
    found = edgetwin("view --no-open --out c.html other", run)
    text = (here / "c.html").read_text(encoding="utf-8")
    assert found.out.strip() == "c.html"
    assert "hottest zone" in text and "other: qos-dvfs" in text and "thermal: ondemand" in text
    edgetwin("view --no-open other")
    assert "placement" in (here / "other" / "report.html").read_text(encoding="utf-8")


def test_view_makes_a_page_of_a_trace(run: Path, here: Path) -> None:
    trace = run / "ondemand" / "0" / "trace.parquet"
    edgetwin("view --no-open --out t.html", trace)
    assert "calibration and validity" in (here / "t.html").read_text(encoding="utf-8")


def test_exports_hold_the_whole_trace(run: Path, here: Path) -> None:
    trace = read_trace(run / "ondemand" / "0" / "trace.parquet")
    edgetwin("export --to csv --out t.csv", run)
    assert read_trace(here / "t.csv") == trace
    said = edgetwin("export --to perfetto --out t.json --json", run, "--trace", "powersave, seed 0")
    assert said.result["trace"] == "powersave, seed 0"
    events = json.loads((here / "t.json").read_text(encoding="utf-8"))["traceEvents"]
    assert {e["ph"] for e in events} >= {"M", "X", "C"}


def test_perfetto_itself_reads_the_export(run: Path, here: Path) -> None:
    import shutil

    processor = shutil.which("trace_processor_shell") or shutil.which("trace_processor")
    if processor is None:
        pytest.skip("Perfetto's trace processor is not installed")
    edgetwin("export --to perfetto --out t.json", run)
    query = "select count(*) from stats where severity = 'error' and value > 0"
    (here / "q.sql").write_text(query)
    done = subprocess.run([processor, "-q", "q.sql", "t.json"], capture_output=True, text=True,
                          check=False, cwd=here)  # fmt: skip
    assert done.returncode == 0 and done.stdout.split()[-1] == "0", done.stdout + done.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("view nowhere", "give a folder of --out"),
        ("export nowhere", "give a folder of --out"),
        ("export . --to perfeto", "Did you mean 'perfetto'"),
    ],
)
def test_what_cannot_be_shown_is_one_line(here: Path, capsys, line: str, words: str) -> None:
    assert words in failing(line, capsys)


# ---- watching


def test_a_watched_run_tells_the_same_as_an_unwatched_one(here: Path) -> None:
    line = "run thermal --policies ondemand --duration 5 --json"
    seen = edgetwin(f"{line} --live --watch --pace 0")
    assert seen.result == edgetwin(line).result
    assert "live at http://127.0.0.1:" in seen.err and "ondemand, seed 0: " in seen.err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("run thermal --live --jobs 2", "one process"),
        ("run thermal --watch --pace -1", "--pace -1"),
    ],
)
def test_watching_has_its_limits(here: Path, capsys, line: str, words: str) -> None:
    assert words in failing(line, capsys)


# ---- help


def test_help_teaches_the_first_steps() -> None:
    done = subprocess.run([sys.executable, "-m", "edgetwin.cli", "--help"], capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0
    for line in (
        "edgetwin run thermal",
        "edgetwin new policy mine",
        "edgetwin gate",
        "--install-c",
    ):
        assert line in done.stdout, done.stdout


def test_a_misspelt_verb_or_option_is_suggested(capsys) -> None:
    assert "run" in failing("rnu thermal", capsys)
    assert "--board" in failing("run thermal --bord hikey970", capsys)


@pytest.mark.parametrize(
    ("words", "found"),
    [("edgetwin run thermal --board hik", "hikey970"), ("edgetwin run thermal --sce", "--scenario"),
     ("edgetwin ga", "gate"), ("edgetwin run thermal --scenario gate", "gate-mix"),
     ("edgetwin run the", "thermal")],
)  # fmt: skip
def test_the_shell_completes_verbs_options_and_names(words: str, found: str) -> None:
    import os

    env = os.environ | {"_EDGETWIN_COMPLETE": "complete_bash", "COMP_WORDS": words,
                        "COMP_CWORD": str(len(words.split()) - 1)}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", "from edgetwin.cli import main; main()"], env=env,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert found in done.stdout.split(), done.stdout + done.stderr


def test_a_knob_of_the_template_exists_on_its_board() -> None:
    from edgetwin.policy_files import policy_at
    from hw_models import load_board

    folder = ROOT / "docs" / "examples" / "gated-policy"
    policy = policy_at(f"{folder}/mine.py:make").make()
    import edgetwin as et

    backend = et.make_backend("sim", board=load_board("hikey970"))
    knobs = policy(backend.reset(seed=0))
    assert isinstance(knobs, Knobs) and not backend.apply(knobs).refused
