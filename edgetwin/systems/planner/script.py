"""Running somebody's training script with a session that listens to its hook."""

import runpy
import sys
from importlib import resources
from pathlib import Path
from typing import Any, Final

from edgetwin.systems.planner.hook import Listening, Session
from hw_models.naming import unknown

EXAMPLES: Final = ("digits-cnn", "char-transformer")


class Enough(BaseException):
    """Raised inside a script to end it: training has done what was asked.

    Not an Exception, so that a script's own `except Exception` lets it through.
    """


def find_script(script: str) -> Path:
    """A script by path, or one of the examples by name; FileNotFoundError otherwise."""
    if script in EXAMPLES:
        name = script.replace("-", "_") + ".py"
        return Path(str(resources.files("edgetwin.systems.planner.examples") / name))
    path = Path(script)
    if path.suffix != ".py":
        raise KeyError(unknown("example script", script, EXAMPLES) + " Or give a .py file.")
    if not path.is_file():
        raise FileNotFoundError(f"no training script at {script}; give a .py file.")
    return path


def run_script(path: Path, session: Session, arguments: tuple[str, ...] = ()) -> dict[str, Any]:
    """Run a script as if from the command line; its global names when it has ended.

    Whatever the script raises comes through.
    """
    before, sys.argv = sys.argv, [str(path), *arguments]
    try:
        with Listening(session):
            return runpy.run_path(str(path), run_name="__main__")
    except Enough:
        return {}
    finally:
        sys.argv = before


def constants_of(path: Path) -> dict[str, Any]:
    """The global names of a script that is only read, not run as the main one."""
    return runpy.run_path(str(path), run_name="edgetwin_script")
