"""The repository names no package index and no path of the machine it was written on."""

import re
import shutil
import subprocess

import pytest
from source_trees import ROOT

# Character classes keep the patterns from matching this file.
FORBIDDEN = re.compile(
    r"pypi[.](org|python)|python[h]osted|pytorch[.]org/whl|anaconda[.]org|npmjs[.](org|com)"
    r"|(?<![\w.])/(wor[k]|op[t]|roo[t]|hom[e]/\w+)/"
)


def _text_files() -> list[str]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = [git, "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def _places(name: str) -> list[str]:
    lines = (ROOT / name).read_text(encoding="utf-8", errors="ignore").splitlines()
    return [f"{name}:{i} {line.strip()}" for i, line in enumerate(lines, 1) if _is_local(line)]


def _is_local(line: str) -> bool:
    return FORBIDDEN.search(line) is not None


def test_no_file_names_a_package_index_or_a_machine_path() -> None:
    found = [place for name in _text_files() for place in _places(name)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("line", "is_local"),
    [
        ("see /" + "work/main/x.py", True),
        ("cd '/" + "opt/wheels'", True),
        ("open('/" + "home/ada/data.csv')", True),
        ("index-url = https://" + "pypi" + ".org/simple", True),
        ("hw_models/workloads/nets.toml", False),
        ("/sys/devices/gpu.0/load", False),
    ],
)
def test_local_names_are_recognised(line: str, is_local: bool) -> None:
    assert _is_local(line) is is_local
