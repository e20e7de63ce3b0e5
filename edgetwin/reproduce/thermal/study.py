"""The study of the thermal system: one row per promise, and what stands behind them."""

import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from edgetwin.reproduce.thermal.boards import posterior_ranking, sensitivity
from edgetwin.reproduce.thermal.closed_loop import (
    against_eas,
    against_ondemand,
    against_rl,
    kelvin,
    student_against_oracle,
    unseen_cooling,
)
from edgetwin.reproduce.thermal.decisions import (
    decisions,
    demonstrations,
    latency,
    one_app_regret,
)
from edgetwin.reproduce.thermal.lab import Lab
from edgetwin.reproduce.thermal.page import write_thermal_page
from edgetwin.reproduce.thermal.pairs import where_programs_belong
from edgetwin.reproduce.thermal.side_by_side import managers_table, stability, swaps
from edgetwin.studies import Figure, Measure, Study, absent, row

BARS: Final[dict[str, tuple[str, Callable[[Lab], dict[str, Any]]]]] = {
    "against_ondemand": ("student against GTS/ondemand, targets 0.2-0.3", against_ondemand),
    "kelvin": ("the same in kelvin", kelvin),
    "against_rl": ("violations against TOP-RL within 1 K", against_rl),
    "decisions": ("student decisions, unseen programs", decisions),
    "against_oracle": ("student closed loop, unseen programs", student_against_oracle),
    "unseen_cooling": ("trained with fan, run without", unseen_cooling),
    "against_eas": ("against schedutil + EAS + uclamp", against_eas),
    "one_app_regret": ("one-application oracle against the joint one", one_app_regret),
    "posterior_ranking": ("ranking under posterior boards", posterior_ranking),
    "latency": ("decision for 8 programs, one core", latency),
    "demonstrations": ("labelled decisions per second, two cores", demonstrations),
}
MORE: Final[dict[str, tuple[str, Callable[[Lab], dict[str, Any]]]]] = {
    "managers": ("every manager on the grid", managers_table),
    "swaps": ("what swaps are worth to each manager", swaps),
    "stability": ("trainings with other seeds", stability),
    "one_program": ("one program at a time, and beside others", where_programs_belong),
    "sensitivity": ("which assumption decides the kelvins", sensitivity),
}
MOST_S: Final = 600.0


def make_study(folder: Path) -> Study:
    """The study with its finished parts in a folder."""
    labs: dict[bool, Lab] = {}
    start_s = time.process_time()
    fresh = not (folder / "quick" / "demos").exists()

    def lab(quick: bool) -> Lab:
        if quick not in labs:
            labs[quick] = Lab(folder, quick)
        return labs[quick]

    def measure(what: Callable[[Lab], dict[str, Any]]) -> Measure:
        return lambda quick: what(lab(quick))

    def whole(quick: bool) -> dict[str, Any]:
        if not quick or not fresh:
            return absent("measured with --quick in a new folder: demos, training, evaluation")
        workers = resource.getrusage(resource.RUSAGE_CHILDREN)
        here_s = time.process_time() - start_s
        there_s = workers.ru_utime + workers.ru_stime
        return row(
            {"cpu_s": Figure(value=here_s + there_s, bar=MOST_S)},
            here_s=here_s,
            workers_s=there_s,
            how="CPU time of all processes: what one core would take, an upper bound for two",
        )

    rows = {name: (title, measure(what)) for name, (title, what) in BARS.items()}
    rows["whole_quick"] = ("whole quick experiment from nothing", whole)
    more = {name: (title, measure(what)) for name, (title, what) in MORE.items()}
    return Study(name="thermal", rows=rows, more=more, draw=write_thermal_page)
