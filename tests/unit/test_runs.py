"""Run folders and progress keep what they promise."""

import io
import json
import math
import os
import re
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from edgetwin.progress import Progress, _state
from edgetwin.runs import RunFolder
from edgetwin.storage import file_sha256, json_ready, strict_json, write_atomically

COMMAND = ["edgetwin", "run", "thermal"]
ARGUMENTS = {"task": "thermal", "seeds": 5, "board": Path("boards/mine.toml")}


def read(path: Path) -> dict:
    return json.loads(path.read_text())


# ---- files


def test_sha256_of_abc_is_the_published_digest(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_sha256(path) == digest


def test_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    path = tmp_path / "cell.json"
    write_atomically(path, "old")

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["cell.json"]


def test_written_file_has_the_mode_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_text("x")
    write_atomically(tmp_path / "atomic", "x")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_strict_json_has_null_for_what_does_not_apply():
    text = strict_json({"mape": math.nan, "gap": [np.inf, np.float32(0.5)], "n": np.int64(3)})
    assert json.loads(text, parse_constant=pytest.fail) == {
        "mape": None,
        "gap": [None, 0.5],
        "n": 3,
    }
    assert json_ready((1, {"path": Path("a/b")})) == [1, {"path": "a/b"}]


def test_unknown_object_is_named_with_what_to_do():
    with pytest.raises(TypeError, match=r"a set cannot be stored as JSON; give numbers"):
        json_ready({"policies": {"a", "b"}})


# ---- the run folder


def test_run_json_says_what_was_asked_and_with_what(tmp_path):
    started = datetime.now().astimezone()
    folder = RunFolder.create(tmp_path / "out", COMMAND, ARGUMENTS, {"log": "ab12"})
    record = read(tmp_path / "out" / "run.json")
    assert folder.path == tmp_path / "out"
    assert record["schema"] == 1
    assert record["command"] == COMMAND
    assert record["arguments"] == {"task": "thermal", "seeds": 5, "board": "boards/mine.toml"}
    assert record["hashes"] == {"log": "ab12"}
    assert record["versions"]["numpy"] == np.__version__
    assert record["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"edgetwin", "numba"} <= record["versions"].keys()
    assert (record["status"], record["finished"]) == ("running", None)
    assert record["started"].endswith("Z")
    assert abs((datetime.fromisoformat(record["started"]) - started).total_seconds()) < 60


def test_run_ends_done_or_failed(tmp_path):
    with RunFolder.create(tmp_path / "good", COMMAND, ARGUMENTS):
        pass
    with (
        pytest.raises(KeyboardInterrupt),
        RunFolder.create(tmp_path / "bad", COMMAND, ARGUMENTS),
    ):
        raise KeyboardInterrupt
    assert read(tmp_path / "good" / "run.json")["status"] == "done"
    assert read(tmp_path / "bad" / "run.json")["status"] == "failed"
    assert read(tmp_path / "bad" / "run.json")["finished"].endswith("Z")


def test_identical_run_is_reopened_with_its_start_and_cells(tmp_path):
    first = RunFolder.create(tmp_path, COMMAND, ARGUMENTS)
    record = {**read(tmp_path / "run.json"), "started": "2020-01-01T00:00:00Z"}
    (tmp_path / "run.json").write_text(json.dumps(record))
    first.cells.put({"seed": 0}, 1.5)
    first.finish()
    again = RunFolder.create(str(tmp_path), COMMAND, dict(reversed(ARGUMENTS.items())))
    assert again.cells.values([{"seed": 0}]) == [1.5]
    record = read(tmp_path / "run.json")
    assert (record["started"], record["status"]) == ("2020-01-01T00:00:00Z", "running")
    assert record["finished"] is None


@pytest.mark.parametrize(
    ("arguments", "hashes", "named"),
    [
        ({**ARGUMENTS, "seeds": 10}, {"log": "ab"}, "seeds 5 there, 10 now"),
        ({"task": "thermal", "seeds": 5}, {"log": "ab"}, "board .* there, not given now"),
        (ARGUMENTS, {"log": "cd"}, 'sha256 of log "ab" there, "cd" now'),
    ],
)
def test_folder_of_another_run_is_refused_in_one_line(tmp_path, arguments, hashes, named):
    RunFolder.create(tmp_path, COMMAND, ARGUMENTS, {"log": "ab"})
    before = (tmp_path / "run.json").read_text()
    with pytest.raises(FileExistsError, match=named) as caught:
        RunFolder.create(tmp_path, COMMAND, arguments, hashes)
    assert str(caught.value).endswith("give another --out or remove the folder.")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "run.json").read_text() == before


def test_folder_of_another_version_is_refused(tmp_path):
    RunFolder.create(tmp_path, COMMAND, ARGUMENTS)
    record = read(tmp_path / "run.json")
    record["versions"]["edgetwin"] = "0.0.0"
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(FileExistsError, match=r'edgetwin version "0\.0\.0" there'):
        RunFolder.create(tmp_path, COMMAND, ARGUMENTS)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema": 1}'])
def test_damaged_run_record_is_one_clear_error(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ValueError, match=r"run\.json is damaged; give another --out or remove"):
        RunFolder.create(tmp_path, COMMAND, ARGUMENTS)


def test_out_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(FileExistsError, match="out is a file; give a folder"):
        RunFolder.create(tmp_path / "out", COMMAND, ARGUMENTS)


def test_traces_lie_by_policy_and_seed(tmp_path):
    folder = RunFolder.create(tmp_path, COMMAND, ARGUMENTS)
    assert folder.trace_path("ondemand", 3) == tmp_path / "ondemand" / "3" / "trace.parquet"
    assert (tmp_path / "ondemand" / "3").is_dir()


def test_no_policy_name_escapes_the_folder_or_meets_another(tmp_path):
    folder = RunFolder.create(tmp_path, COMMAND, ARGUMENTS)
    names = ["../../etc", "a/b", "a_b", "a%2Fb", "/abs", "pkg.mod:Policy"]
    paths = {folder.trace_path(name, 0) for name in names}
    assert len(paths) == len(names)
    assert all(path.resolve().parents[2] == tmp_path.resolve() for path in paths)
    with pytest.raises(ValueError, match="cannot name a folder"):
        folder.trace_path("..", 0)


def test_kpis_are_strict_json(tmp_path):
    folder = RunFolder.create(tmp_path, COMMAND, ARGUMENTS)
    folder.write_kpis({"energy_j": np.float64(12.5), "mape": math.nan})
    assert read(tmp_path / "kpis.json") == {"energy_j": 12.5, "mape": None}


def test_results_are_one_file_that_says_what_was_run_with_null_where_there_is_no_figure(tmp_path):
    labels = {"policy": ["a", "b"], "seed": [0, 1]}
    figures = {"energy_j": [0.1, 1 / 3], "time_to_target_s": [None, 2.0]}
    files = []
    for name in ("one", "two"):
        folder = RunFolder.create(tmp_path / name, COMMAND, ARGUMENTS)
        files.append(folder.write_results(labels, figures))
    assert files[0] == tmp_path / "one" / "results.parquet"
    assert pq.read_table(files[0]).to_pydict() == labels | figures
    assert files[0].read_bytes() == files[1].read_bytes()


# ---- progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(stream: io.StringIO, *, steps: int = 3, total: int = 10, quiet_s: float = 0.02) -> str:
    with Progress("sweep", total, stream=stream, quiet_s=quiet_s) as progress:
        progress.advance(steps)
        time.sleep(0.1)
    return stream.getvalue()


def test_quick_work_prints_nothing():
    assert drawn(Terminal(), quiet_s=2.0) == ""
    assert Progress("sweep")._quiet_s == 2.0


def test_terminal_has_one_updating_line_with_share_and_time(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    text = drawn(Terminal())
    assert re.search(r"\r\x1b\[Ksweep: 30% \(3 of 10\), \d+ s left", text)
    assert text.count("\n") == 1
    assert text.endswith("\n")


def test_colour_only_without_no_color(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[36m" in drawn(Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[36m" not in drawn(Terminal())


def test_log_has_whole_plain_lines_at_most_every_ten_seconds():
    text = drawn(io.StringIO())
    assert re.fullmatch(r"sweep: 30% \(3 of 10\), \d+ s left\n", text)


def test_time_left_is_time_so_far_by_share():
    assert _state(10, 40, 25.0) == "25% (10 of 40), 1 min 15 s left"
    assert _state(1, 2, 7260.0) == "50% (1 of 2), 2 h 01 min left"
    assert _state(0, 40, 3.0) == "0 of 40, 3 s so far"
    assert _state(0, 0, 61.0) == "1 min 01 s so far"


def test_closed_stderr_does_not_stop_the_work():
    stream = io.StringIO()
    with Progress("sweep", 2, stream=stream, quiet_s=0.01) as progress:
        stream.close()
        time.sleep(0.05)
        progress.advance()
    assert progress.done == 1


def test_runs_import_no_heavy_package():
    code = (
        "import sys, edgetwin.runs, edgetwin.cells, edgetwin.sweeps; "
        "heavy = {'joblib', 'ray', 'rich', 'pyarrow', 'plotly', 'torch', 'typer'}; "
        "print(heavy & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
