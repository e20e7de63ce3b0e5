"""Boards of a batch: their states taken out, programs moved, and which are done."""

from typing import Any

from edgetwin.kernel.batch_orders import is_over, migrate_board
from edgetwin.kernel.batch_state import take_out
from hw_models.compiled import free
from hw_models.lanes import LANES


@free
def take_boards(
    f: Any, n: Any, which: Any, float_words: Any, whole_words: Any, real: Any, word: Any
) -> None:
    """Copy boards `which` of a batch to scalar states, given as their words (k * words,)."""
    width = len(real) // len(which)
    for k in range(len(which)):
        group, lane = which[k] // f.shape[2], which[k] % f.shape[2]
        take_out(
            f[group], n[group], lane, float_words, whole_words,
            real[k * width : (k + 1) * width], word[k * width : (k + 1) * width],
        )  # fmt: skip


@free
def over_boards(n: Any, at: Any, over: Any) -> None:
    """Which boards (n_boards,) are done."""
    for i in range(len(over)):
        over[i] = is_over(n[i // LANES], i % LANES, at[0])


@free
def move_all(
    n: Any, at: Any, boards: Any, per_board: int, plans: Any, moves: Any, refill_ns: Any,
    latency_ns: int,
) -> None:  # fmt: skip
    """Carry out moves (n_boards, m, 2); place -1: none. plans (n_boards, entries): who runs there.

    A moved program waits for caches, refill_ns (rows, clusters) by its demand and its new cluster,
    and for the decision, latency_ns, on top of what the board charges for any migration.
    """
    a = at[0]
    for i in range(len(moves)):
        g, lane = i // LANES, i % LANES
        b = boards[g // per_board]
        for k in range(moves.shape[1]):
            slot, core = moves[i, k, 0], moves[i, k, 1]
            if slot < 0 or n[g, a.job_serial + slot, lane] == 0:
                continue
            if n[g, a.job_unit + slot, lane] in (-1, core) or not n[g, a.online + core, lane]:
                continue
            migrate_board(n[g], lane, a, b, slot, core)
            first = plans[i, n[g, a.job_serial + slot, lane] - 1].first
            wait_ns = latency_ns + refill_ns[first, b.unit_domain[core]]
            n[g, a.job_hold_ns + slot, lane] = (
                max(n[g, a.job_hold_ns + slot, lane], n[g, a.t_ns, lane]) + wait_ns
            )
