"""A fit written into a board file: its source, its numbers, the grades that it bears."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from hw_models.board_checks import quantities
from hw_models.parameters import paths, std_at, with_values
from hw_models.quantity import Source

if TYPE_CHECKING:
    from hw_models.board import Board
    from hw_models.certificate.model import Certificate
    from hw_models.fit import FitResult

# A section has the certificate's grade where the fit pins this share of its uncertain numbers.
PINNED_SHARE: Final = 0.5


def with_fit(
    board: "Board",
    results: Sequence["FitResult"],
    *,
    source: str,
    title: str,
    recipe: str,
    data: Mapping[str, str],
) -> "Board":
    """The board with fitted values and standard errors under a new source; other sources that no
    number names any more are left out. data gives SHA-256 by file; of several files the source has
    the SHA-256 of their sorted digests."""
    made = Source(kind="fit", title=title, recipe=recipe, data_sha256=data_sha256(data))
    fresh = board.model_copy(update={"sources": {**board.sources, source: made}})
    for result in results:
        if result.of_board:
            fresh = result.board(fresh, source)
    return with_values(_tidy(fresh, source), {})


def stamped(board: "Board", certificate: "Certificate", source: str) -> "Board":
    """The fitted board with what held-out runs showed in its source, and its sections graded."""
    shown = {name: value for name, value in _shown(certificate)}
    made = board.sources[source].model_copy(update={"holdout": shown})
    grades = dict(board.grades)
    for section in board.grades:
        own = [path for path in paths(board) if path.startswith(f"{section}.")]
        uncertain = [path for path in own if std_at(board, path) > 0.0]
        pinned = {p.path for p in certificate.parameters if p.status == "pinned"} & set(own)
        if pinned and len(pinned) >= PINNED_SHARE * len(uncertain):
            grades[section] = certificate.grade
    update = {"sources": {**board.sources, source: made}, "grades": grades}
    return with_values(board.model_copy(update=update), {})


def data_sha256(data: Mapping[str, str]) -> str:
    """One hash for all data: a file's own, or that of the sorted hashes of several."""
    digests = sorted(data.values())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _tidy(board: "Board", source: str) -> "Board":
    used = {q.source for _, q in quantities(board)} | {source}
    used |= {mode.source for mode in board.modes.values()}
    used |= {path.source for path in board.paths.values()}
    kept = {name: found for name, found in board.sources.items() if name in used}
    return board.model_copy(update={"sources": kept})


def _shown(certificate: "Certificate") -> Iterator[tuple[str, float]]:
    """The main figure of every signal on held-out runs: MAPE for power, MAE for temperatures."""
    for name, row in certificate.blocks.get("held-out", {}).items():
        if row.mape is not None:
            yield f"{name}.mape", float(f"{row.mape:.4g}")
    for name, by_regime in certificate.errors.get("held-out", {}).items():
        row = by_regime["all"]
        if name.startswith("temps_c."):
            yield f"{name}.mae_k", float(f"{row.mae:.4g}")
        elif not name.startswith("power_w.") and row.mape is not None:
            yield f"{name}.mape", float(f"{row.mape:.4g}")
