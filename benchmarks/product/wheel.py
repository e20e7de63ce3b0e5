"""The wheel: what a core install brings, whether all extras resolve, types for its users."""

import json
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.frame.children import ROOT
from edgetwin.studies import Figure, row


def measure(quick: bool) -> dict[str, Any]:
    """Build the wheel, install it alone, resolve all extras, check a user's file with mypy.

    Packages and bytes are those of an install without constraints, from the index at hand.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = _built(folder)
        packages, size_bytes = _installed(wheel, folder)
        resolved, said = _resolves(wheel, folder)
        complaints = _mypy(folder)
        with zipfile.ZipFile(wheel) as archive:
            typed = {"edgetwin/py.typed", "hw_models/py.typed"} <= set(archive.namelist())
        wheel_bytes = wheel.stat().st_size
    return row(
        {
            "packages": Figure(value=float(len(packages)), bar=26.0),
            "install_mb": Figure(value=size_bytes / 1e6, bar=700.0),
            "torch": Figure(value=float("torch" in packages), bar=0.0),
            "all_extras_unresolved": Figure(value=float(not resolved), bar=0.0),
            "py_typed_missing": Figure(value=float(not typed), bar=0.0),
            "mypy_strict_complaints": Figure(value=float(len(complaints)), bar=0.0),
        },
        names=packages,
        all_packages=resolved,
        said=said,
        complaints=complaints,
        wheel_bytes=wheel_bytes,
    )


def _built(folder: Path) -> Path:
    _done([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder),
           str(ROOT)])  # fmt: skip
    return next(folder.glob("*.whl"))


def _installed(wheel: Path, folder: Path) -> tuple[list[str], int]:
    """Names of all packages of a fresh core install, edgetwin among them, and its size."""
    target = folder / "site"
    _done([*_pip(), "install", "--quiet", "--target", str(target), str(wheel)])
    found = [path.name.split("-")[0].lower() for path in target.glob("*.dist-info")]
    sizes = (file.stat().st_size for file in target.rglob("*") if file.is_file())
    return sorted(found), sum(sizes)


def _resolves(wheel: Path, folder: Path) -> tuple[int, str]:
    """How many packages `edgetwin[all]` takes; 0 where it does not resolve, and pip's words."""
    report = folder / "all.json"
    done = subprocess.run(
        [*_pip(), "install", "--quiet", "--dry-run", "--ignore-installed", "--report", str(report),
         "-c", str(ROOT / "constraints.txt"), f"edgetwin[all] @ {wheel.as_uri()}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode or not report.is_file():
        return 0, done.stderr[-500:]
    return len(json.loads(report.read_text(encoding="utf-8"))["install"]), ""


def _mypy(folder: Path) -> list[str]:
    """What mypy --strict says of the files that `edgetwin new policy` makes."""
    made = folder / "mine"
    from edgetwin.templates import make_start

    make_start("policy", "mine", made)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={ROOT / '.mypy_cache'}", "mine.py",
         "test_mine.py"],
        cwd=made, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    return [line for line in lines if ": error:" in line] if done.returncode else []


def _pip() -> list[str]:
    return [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def _done(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[3:6]} failed (pip {version('pip')}): {done.stderr[-300:]}")
