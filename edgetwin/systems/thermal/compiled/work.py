"""Drawn boards are put to work: clocks, rates and heat as they would settle."""

from typing import Any

from edgetwin.kernel.inputs import work_rates
from edgetwin.kernel.outlook import go_to_steady_state, least_clocks
from edgetwin.kernel.sensors import true_zone_c
from hw_models.compiled import free


@free
def put_to_work(states: Any, board: Any, table: Any, clusters: int, raised: Any) -> None:
    """Settle clocks, rates and heat of states (k,); clocks stand raised (k, clusters) higher."""
    b = board[0]
    for i in range(len(states)):
        s = states[i]
        least_clocks(s, b, table, clusters)
        for d in range(clusters):
            s.level[d] = min(s.level[d] + raised[i, d], b.levels[d] - 1)
        work_rates(s, b, table)
        go_to_steady_state(s, b)
        s.zone_c[0] = true_zone_c(s, b, 0)
