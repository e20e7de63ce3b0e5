"""Where the measured data are: rows that need them say so where they are not here."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from edgetwin.studies import Measure, absent


def on_data(*files: str) -> Callable[[Callable[[Path, bool], dict[str, Any]]], Measure]:
    """A row measured on files of the folder EDGETWIN_DATA, given (folder, quick)."""

    def decorate(measure: Callable[[Path, bool], dict[str, Any]]) -> Measure:
        @wraps(measure)
        def row(quick: bool) -> dict[str, Any]:
            folder = os.environ.get("EDGETWIN_DATA", "")
            if not folder:
                return absent("EDGETWIN_DATA is not set; set it to the folder of measured data.")
            missing = [file for file in files if not (Path(folder) / file).exists()]
            if missing:
                return absent(f"{missing[0]} is not in the folder EDGETWIN_DATA ({folder}).")
            return measure(Path(folder), quick)

        return row

    return decorate
