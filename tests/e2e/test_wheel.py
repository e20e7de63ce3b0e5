"""The wheel is what its user gets: its content, and its first commands outside the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("edgetwin", "hw_models")
SUFFIXES = {
    ".py",
    ".typed",
    ".toml",
    ".csv",
    ".json",
    ".md",
    ".html",
    ".js",
    ".npz",
    ".onnx",
    ".yml",
}
N_BOARDS = 7


def _run(*command: str | Path, cwd: Path) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _run(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT),
        cwd=folder,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[PurePosixPath]:
    with zipfile.ZipFile(wheel) as archive:
        return [PurePosixPath(name) for name in archive.namelist()]


@pytest.fixture(scope="module")
def bin_dir(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel and sees today's dependencies, but not the checkout.

    A path added by a .pth file is not searched for .pth files, so an editable install of the
    checkout among those dependencies stays out of sight.
    """
    venv = tmp_path_factory.mktemp("installed") / "venv"
    _run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=venv.parent)
    python = venv / "bin" / "python"
    _run(
        *(sys.executable, "-m", "pip", "--python", python, "install", "--quiet"),
        *("--no-deps", "--no-index", wheel),
        cwd=venv.parent,
    )
    purelib = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site_packages = Path(_run(python, "-c", purelib, cwd=venv.parent).strip())
    today = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    (site_packages / "dependencies.pth").write_text("\n".join(today) + "\n", encoding="utf-8")
    return python.parent


def test_the_wheel_holds_the_two_packages_and_nothing_else(names: list[PurePosixPath]) -> None:
    tops = {name.parts[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert {name.suffix for name in names if name.parts[0] in PACKAGES} <= SUFFIXES


def test_the_wheel_holds_every_shipped_file_of_the_checkout(names: list[PurePosixPath]) -> None:
    files = {
        PurePosixPath(path.relative_to(ROOT).as_posix())
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in SUFFIXES
    }
    assert len([file for file in files if file.name == "board.toml"]) >= N_BOARDS
    assert {PurePosixPath(package, "py.typed") for package in PACKAGES} <= files
    assert files == {name for name in names if name.parts[0] in PACKAGES}


def test_the_installed_packages_run_outside_the_checkout(bin_dir: Path, tmp_path: Path) -> None:
    code = "import edgetwin, hw_models; print(edgetwin.__file__); print(hw_models.__file__)"
    for line in _run(bin_dir / "python", "-c", code, cwd=tmp_path).splitlines():
        imported = Path(line).resolve()
        assert imported.is_relative_to(bin_dir.parent.resolve())
        assert not imported.is_relative_to(ROOT)


def test_the_installed_command_lists_the_boards(bin_dir: Path, tmp_path: Path) -> None:
    listing = json.loads(_run(bin_dir / "edgetwin", "boards", "--json", cwd=tmp_path))
    boards = {board["name"] for board in listing["boards"]}
    assert len(boards) >= N_BOARDS
    assert {"jetson-tx2", "hikey970"} <= boards
