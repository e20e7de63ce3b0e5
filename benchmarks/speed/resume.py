"""A sweep that is killed at random three times, against one that nobody disturbs."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.frame.children import ROOT
from edgetwin.storage import exact_json, json_lines, read_json
from edgetwin.studies import Figure, row

KILLS = 3
DURATION_S = 5.0
POLICIES, BOARDS = ("powersave", "qos-dvfs"), ("hikey970", "odroid-xu3")


def measure(quick: bool) -> dict[str, Any]:
    """Bytes by which the two results differ, cells lost at a kill and cells run again."""
    runs = 1000 if quick else 10_000
    seed = int(time.time())
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        start_s = time.perf_counter()
        _finish(_start(whole, runs))
        whole_s = time.perf_counter() - start_s
        stands = _kill_at_random(killed, runs, random.Random(seed))
        start_s = time.perf_counter()
        _finish(_start(killed, runs))
        last_s = time.perf_counter() - start_s
        cells = _cells(killed)
        lost = sum(len(stand - cells.keys()) for stand in stands)
        results = [(out / "results.parquet").read_bytes() for out in (whole, killed)]
        table = pq.read_table(whole / "results.parquet")
        differ = max(map(len, results)) if results[0] != results[1] else 0
        return row(
            {
                "differing_bytes": Figure(value=float(differ), bar=0.0),
                "cells_lost": Figure(value=float(lost), bar=0.0),
                "cells_run_again": Figure(value=float(cells.total() - len(cells)), bar=0.0),
                "rows_missing": Figure(value=float(runs - table.num_rows), bar=0.0),
            },
            n={"runs": runs, "kills": KILLS, "seed": seed},
            finished_at_kill=[len(stand) for stand in stands],
            whole_s=whole_s,
            runs_per_s=runs / whole_s,
            last_start_s=last_s,
            files=len(list(killed.glob("cells/*"))),
            energy_j=float(sum(table["energy_j"].to_pylist())),
            status=read_json(killed / "run.json")["status"],
            method="SIGKILL to the whole process group, at random shares of the work",
        )


def _start(out: Path, runs: int) -> subprocess.Popen[str]:
    """The sweep as a command, in a process group of its own."""
    seeds = runs // (len(POLICIES) * len(BOARDS))
    words = [
        *("sweep", "--policies", ",".join(POLICIES), "--boards", ",".join(BOARDS)),
        *("--scenarios", "mixed-20", "--duration", str(DURATION_S), "--seeds", str(seeds)),
        *("--out", str(out), "--json"),
    ]
    return subprocess.Popen(
        [sys.executable, "-c", "from edgetwin.cli import main; main()", *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _finish(process: subprocess.Popen[str]) -> None:
    _, said = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"the sweep failed: {said.strip()[-300:]}")


def _kill_at_random(out: Path, runs: int, rng: random.Random) -> list[set[str]]:
    """Start and kill KILLS times; the cells that were finished at each kill."""
    stands = []
    for share in sorted(rng.uniform(0.02, 0.95) for _ in range(KILLS)):
        process = _start(out, runs)
        while sum(_cells(out).values()) < share * runs and process.poll() is None:
            time.sleep(0.2)
        time.sleep(rng.uniform(0.0, 0.1))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        stands.append(set(_cells(out)))
    return stands


def _cells(out: Path) -> Counter[str]:
    """How often every cell is in the logs."""
    return Counter(
        exact_json(record["key"])
        for log in out.glob("cells/*.jsonl")
        for record in json_lines(log)
        if isinstance(record, dict)
    )
