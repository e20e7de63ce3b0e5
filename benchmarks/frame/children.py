"""Fresh Python processes: what a start costs, and what the tests of the checkout say."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import final
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]


def run_python(code: str, **variables: str) -> str:
    """What a fresh interpreter prints for this code. RuntimeError when it fails."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"a fresh interpreter failed: {done.stderr.strip()[-300:]}")
    return done.stdout


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """Names of the test cases that ran, and of those that passed."""

    ran: tuple[str, ...]
    passed: tuple[str, ...]


def run_tests(file: str) -> Verdicts:
    """The verdict on every case of one test file; nothing ran where there is no such file."""
    if not (ROOT / file).is_file():
        return Verdicts(ran=(), passed=())
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        subprocess.run(
            [sys.executable, "-m", "pytest", file, "-q", "-p", "no:cacheprovider",
             f"--junitxml={report}"],
            cwd=ROOT, capture_output=True, check=False,
        )  # fmt: skip
        if not report.is_file():
            raise RuntimeError(f"pytest wrote no report for {file}; is it installed?")
        cases = list(ElementTree.parse(report).iter("testcase"))
    good = [case for case in cases if len(case) == 0 or case[0].tag.startswith("system-")]
    names, passed = ([str(case.get("name")) for case in some] for some in (cases, good))
    return Verdicts(ran=tuple(names), passed=tuple(passed))
