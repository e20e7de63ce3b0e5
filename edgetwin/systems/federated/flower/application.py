"""The Flower app of a run: a folder that names our server and client, and the run's settings."""

from pathlib import Path
from typing import Final

from edgetwin.storage import write_atomically

_PROJECT: Final = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "edgetwin-federated"
version = "0.1.0"
description = "Federated fine-tuning by seeds and scalars."
license = "Apache-2.0"
dependencies = []

[tool.hatch.build.targets.wheel]
packages = ["."]

[tool.flwr.app]
publisher = "edgetwin"

[tool.flwr.app.components]
serverapp = "edgetwin_federated.apps:server_app"
clientapp = "edgetwin_federated.apps:client_app"

[tool.flwr.app.config]
folder = ""
"""
_APPS: Final = """\
from edgetwin.systems.federated.flower.client import app as client_app
from edgetwin.systems.federated.flower.server import app as server_app

__all__ = ["client_app", "server_app"]
"""


def write_application(folder: Path) -> Path:
    """The app as Flower bundles it; all of its code is the installed edgetwin."""
    write_atomically(folder / "pyproject.toml", _PROJECT)
    write_atomically(folder / "edgetwin_federated" / "__init__.py", "")
    write_atomically(folder / "edgetwin_federated" / "apps.py", _APPS)
    return folder
