"""The workloads of the experiment: who arrives, how often, with which target, for how long."""

from dataclasses import dataclass
from typing import Final, Literal, final

import numpy as np

from edgetwin.scenario import Scenario, full_speed_ips, parse_scenario
from edgetwin.systems.thermal.programs import SETS
from hw_models.board import Board
from hw_models.workloads import load_application

Work = Literal["work", "duration"]
INSTRUCTIONS: Final = 1e11
PASS_INSTRUCTIONS: Final = 1e10
APPLICATIONS: Final = 20
LOADS: Final = (2.0, 4.0, 6.0)
"""Programs running at a time if each ran exactly at its target: light, medium, heavy."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Twenty programs that arrive at random (exponential gaps) on a board.

    programs: a set of `SETS`; load: how many run at a time if each ran exactly at its target;
    shares: targets, even between two shares of a program's peak rate; fixed: every program has
    the same "work" (1e11 instructions) or the same "duration" (that work at the mean target).
    """

    programs: str
    load: float
    shares: tuple[float, float]
    fixed: Work
    cooling: Literal["fan", "no-fan"]
    ambient_c: float = 25.0
    count: int = APPLICATIONS

    @property
    def name(self) -> str:
        """A name as scenarios have them."""
        low, high = (round(100 * share) for share in self.shares)
        return f"{self.programs}-{self.load:g}-{low}to{high}-{self.fixed}-{self.cooling}".replace(
            ".", "p"
        )

    def scenario(self, board: Board) -> Scenario:
        """The scenario of this mix, whose rate follows from how long programs last on the board."""
        names = SETS[self.programs]()
        mean_s = mean_life_s(board, names, self.shares)
        text = f"""
name = "{self.name}"
title = "{self.count} programs ({self.programs}), {self.load:g} at a time at their targets"
duration_s = 20000
until = "done"
ambient = {self.ambient_c}
cooling = "{self.cooling}"
[arrivals]
process = "poisson"
rate_hz = {self.load / mean_s}
count = {self.count}
programs = {list(names)}
pass_instructions = {PASS_INSTRUCTIONS}
target_share = [{self.shares[0]}, {self.shares[1]}]
"""
        ends = f"instructions = {INSTRUCTIONS}\n"
        if self.fixed == "duration":
            ends = f'instructions = "endless"\nlifetime_s = {mean_s}\n'
        return parse_scenario(text + ends, f"mix {self.name}")


def mean_life_s(board: Board, names: tuple[str, ...], shares: tuple[float, float]) -> float:
    """How long a program lasts on average if it runs exactly at its target."""
    peaks_ips = np.array([full_speed_ips(load_application(name), board) for name in names])
    low, high = shares
    mean_inverse = np.log(high / low) / (high - low) if high > low else 1.0 / low
    return float(INSTRUCTIONS * mean_inverse * np.mean(1.0 / peaks_ips))
