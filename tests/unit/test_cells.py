"""Finished cells stay, whole, whatever becomes of the process; only missing ones are run."""

import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from edgetwin.cells import CellStore, run_cells
from edgetwin.engines import ENGINES, engine_of
from edgetwin.progress import Progress
from edgetwin.storage import read_json


def log_of(store: CellStore) -> Path:
    """The one log of a store that one process has written."""
    (log,) = store.path.glob("*.jsonl")
    return log


def test_cell_values_come_back_bit_for_bit(tmp_path):
    store = CellStore(path=tmp_path)
    value = [0.1, 1 / 3, 5e-324, -0.0, 1.7976931348623157e308, math.inf, math.nan, 2**63]
    store.put("numbers", value)
    (got,) = store.values(["numbers"])
    assert [float(x).hex() for x in got[:-1]] == [x.hex() for x in value[:-1]]
    assert got[-1] == 2**63


def test_key_is_the_same_whatever_the_order_of_its_parts(tmp_path):
    store = CellStore(path=tmp_path)
    store.put({"policy": "qos-dvfs", "seed": np.int64(3)}, "a")
    assert store.values([{"seed": 3, "policy": "qos-dvfs"}]) == ["a"]
    assert store.missing([{"seed": "3", "policy": "qos-dvfs"}])


def test_missing_lists_each_cell_once_in_order(tmp_path):
    store = CellStore(path=tmp_path)
    store.put([2], None)
    assert store.missing([[3], [2], [1], [3]]) == [[3], [1]]
    assert store.values([[2], [2]]) == [None, None]


def test_items_are_all_finished_cells_in_key_order(tmp_path):
    store = CellStore(path=tmp_path)
    for seed in (2, 0, 1):
        store.put({"seed": seed}, seed * 0.1)
    assert list(store.items()) == [({"seed": k}, k * 0.1) for k in range(3)]
    assert list(CellStore(path=tmp_path / "none").items()) == []


def test_asking_for_a_missing_cell_says_which(tmp_path):
    with pytest.raises(KeyError, match=r'no finished cell \{\\?"seed\\?":7\}'):
        CellStore(path=tmp_path).values([{"seed": 7}])


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
def test_half_written_cell_is_missing_and_spoils_no_other(tmp_path, share):
    store = CellStore(path=tmp_path)
    store.put({"seed": 0}, 0.5)
    before = len(log_of(store).read_bytes())
    store.put({"seed": 1}, {"energy_j": 1.25, "label": "ü"})
    whole = log_of(store).read_bytes().rstrip()
    log_of(store).write_bytes(whole[: before + int(share * (len(whole) - before))])
    store.put({"seed": 2}, 2.5)
    assert store.missing([{"seed": k} for k in range(3)]) == [{"seed": 1}]
    assert store.values([{"seed": 2}, {"seed": 0}]) == [2.5, 0.5]
    with pytest.raises(KeyError):
        store.values([{"seed": 1}])


def test_a_log_of_anything_else_holds_no_cell(tmp_path):
    (tmp_path / "made-up.jsonl").write_bytes(b'\n12\n[1]\n{"key":1}\n\xff\n{"value":2}\nnull\n')
    assert list(CellStore(path=tmp_path).items()) == []


def test_a_disk_that_takes_part_of_a_line_is_an_error(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:5]))
    with pytest.raises(OSError, match="took only part of a line; free some space"):
        CellStore(path=tmp_path).put(1, 2)


def test_many_writers_leave_every_cell_whole(tmp_path):
    store = CellStore(path=tmp_path)

    def write(writer: int) -> None:
        for number in range(40):
            store.put([writer, number], [float(writer)] * 500)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert dict((tuple(key), value[0]) for key, value in store.items()) == {
        (writer, number): float(writer) for writer in range(4) for number in range(40)
    }


def test_ten_thousand_cells_are_few_files(tmp_path):
    store, numbers = CellStore(path=tmp_path), count()
    assert len(run_cells(store, range(10_000), lambda key: next(numbers))) == 10_000
    assert len(list(tmp_path.iterdir())) == 1
    assert store.missing(range(10_001)) == [10_000]


def test_only_missing_cells_are_run_and_results_keep_the_order(tmp_path):
    store = CellStore(path=tmp_path)
    store.put(1, "kept")
    ran = []

    def work(key: int) -> str:
        ran.append(key)
        return f"new {key}"

    assert run_cells(store, [3, 1, 2], work) == ["new 3", "kept", "new 2"]
    assert ran == [3, 2]


def test_fresh_and_resumed_runs_return_the_same_types(tmp_path):
    store = CellStore(path=tmp_path)
    fresh = run_cells(store, [0], lambda key: {"pair": (1, np.float64(0.1))})
    assert fresh == run_cells(store, [0], pytest.fail) == [{"pair": [1, 0.1]}]


def test_cells_finished_before_an_error_stay(tmp_path):
    store = CellStore(path=tmp_path)

    def work(key: int) -> float:
        return 1 / (2 - key)

    with pytest.raises(ZeroDivisionError):
        run_cells(store, range(5), work)
    assert store.missing(range(5)) == [2, 3, 4]


def test_parallel_cells_equal_serial_ones(tmp_path):
    def work(key: dict) -> list[float]:
        return np.random.default_rng(key["seed"]).normal(size=3).tolist()

    keys = [{"seed": seed} for seed in range(4)]
    serial = run_cells(CellStore(path=tmp_path / "serial"), keys, work)
    progress = Progress("cells")
    parallel = CellStore(path=tmp_path / "parallel")
    assert run_cells(parallel, keys, work, jobs=2, progress=progress) == serial
    assert (progress.done, progress.total) == (4, 4)
    assert parallel.missing(keys) == []


def test_no_jobs_is_refused(tmp_path):
    with pytest.raises(ValueError, match="jobs is 0; give a positive number"):
        run_cells(CellStore(path=tmp_path), [1], str, jobs=0)


KILLED = """
import math, sys, time
from pathlib import Path
from edgetwin.cells import run_cells
from edgetwin.runs import RunFolder

out = Path(sys.argv[1])
def work(key):
    value = math.sin(key["seed"]) / 3
    time.sleep(0.005)
    with open(out / "log", "a") as log:
        log.write("x")
    return {"value": value, "text": "y" * 20000}

with RunFolder.create(out, ["study"], {"cells": 40}) as folder:
    run_cells(folder.cells, [{"seed": k} for k in range(40)], work)
"""


def test_run_killed_at_random_resumes_to_the_identical_result(tmp_path):
    log = tmp_path / "log"
    random.seed(os.getpid())
    kills = 0
    while kills < 3:
        before = log.stat().st_size if log.exists() else 0
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)])
        while process.poll() is None and (log.stat().st_size if log.exists() else 0) == before:
            time.sleep(0.001)
        time.sleep(random.uniform(0.0, 0.06))
        process.send_signal(signal.SIGKILL)
        kills += 1
        if process.wait() == 0:
            break
        assert read_json(tmp_path / "run.json")["status"] == "running"
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=True)
    store = CellStore(path=tmp_path / "cells")
    values = {key["seed"]: cell["value"] for key, cell in store.items()}
    assert values == {seed: math.sin(seed) / 3 for seed in range(40)}
    assert 40 <= log.stat().st_size <= 40 + kills
    assert read_json(tmp_path / "run.json")["status"] == "done"


def test_a_worker_that_cannot_see_the_store_sends_its_cells_back(tmp_path, monkeypatch):
    store = CellStore(path=tmp_path / "cells")
    monkeypatch.setattr("edgetwin.cells.CellStore.put", _lost_in_workers(CellStore.put))
    assert run_cells(store, [1, 2], lambda key: key * 0.5) == [0.5, 1.0]


def _lost_in_workers(put):
    """A `put` whose first writer of every cell leaves nothing that can be read here."""
    seen = set()

    def once_lost(store, key, value):
        if key in seen:
            return put(store, key, value)
        seen.add(key)
        return "on-another-machine.jsonl"

    return once_lost


def test_an_unknown_engine_is_named(tmp_path):
    with pytest.raises(KeyError, match=r"'rya'.* Did you mean 'ray'"):
        run_cells(CellStore(path=tmp_path), [1], str, engine="rya")
    assert ENGINES == ("joblib", "ray")


def test_ray_that_is_not_installed_is_an_import_error_that_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"pip install 'edgetwin\[ray\]'"), engine_of("ray", 2):
        pass
