"""The study: one row per line of the table of the product; each row is a module of this folder."""

from benchmarks.fidelity.study import late as late_of
from edgetwin.studies import Measure, Study


def late(module: str, function: str = "measure") -> Measure:
    """A row whose module is imported when it is measured."""
    return late_of(module, function, room="product")


ROWS = {
    "newcomer": ("from the README's first command to a gated policy", late("newcomer")),
    "page": ("page of an hour at 10 Hz with 8 applications", late("page")),
    "gate": ("gates on unchanged and on worse policies", late("gates")),
    "docs": ("site, links and code blocks", late("documents")),
    "wheel": ("core install, extras, types", late("wheel")),
}

MORE = {
    "other_seeds": (
        "gates with other seeds than the baseline's",
        late("gates", "measure_unpaired"),
    ),
}

STUDY = Study(name="product", rows=ROWS, more=MORE)
