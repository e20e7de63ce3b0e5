"""What a board draws while a script trains on it."""

from typing import final

from hw_models.trace import Reading


@final
class Drawn:
    """What a board drew from its first reading on, as its input sensor says."""

    def __init__(self, first: Reading, rail: str) -> None:
        self._first = self._last = first
        self._rail = rail
        self._read_j, self._read_s, self._over_s = 0.0, 0.0, 0.0
        self.peak_w: float | None = None

    def add(self, reading: Reading) -> None:
        """A reading that stands for the time since the one before."""
        passed_s = reading.t_s - self._last.t_s
        self._last = reading
        power_w = None if reading.power_w is None else reading.power_w.get(self._rail)
        if power_w is None or passed_s <= 0:
            return
        self.peak_w = max(self.peak_w or 0.0, power_w)
        self._read_s += passed_s
        self._read_j += passed_s * power_w
        self._over_s += passed_s if reading.cap_w is not None and power_w > reading.cap_w else 0.0

    def as_json(self) -> dict[str, float | None]:
        """Time, energy, power, and the share of the time in which the sensor was above the cap."""
        end_j, start_j = self._last.energy_j, self._first.energy_j
        read_s = self._read_s
        return {
            "time_s": self._last.t_s - self._first.t_s,
            "energy_j": None if end_j is None else end_j - (start_j or 0.0),
            "mean_power_w": self._read_j / read_s if read_s else None,
            "peak_power_w": self.peak_w,
            "over_cap_share": self._over_s / read_s if read_s else None,
        }
