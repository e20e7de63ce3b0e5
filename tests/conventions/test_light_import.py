"""`import edgetwin` loads nothing that its user may never need."""

import subprocess
import sys

HEAVY = ("torch", "scipy.optimize", "pyarrow", "typer", "rich", "joblib", "plotly", "matplotlib")


def test_import_edgetwin_loads_no_heavy_package() -> None:
    code = f"import sys, edgetwin; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
