"""What a server accepts: every upload is judged, every refusal is counted."""

import math
from collections import Counter, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.federated.packet import Packet, PacketForm, parse

ACCEPTED: Final = "accepted"
REFUSALS: Final = (
    "unknown client", "not asked", "late", "duplicate", "oversized", "malformed", "foreign seed",
    "not finite", "impossible", "outlier",
)  # fmt: skip
CLIPPED: Final = "clipped"
_HISTORY = 256


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How far scalars may stray from the usual, and what becomes of those that do.

    A packet's largest scalar of a block may be `factor` times the median of the last 256 packets
    and of its own round; beyond that the upload is refused, or its scalars are cut back.
    """

    factor: float = 30.0
    outliers: Literal["refuse", "clip"] = "refuse"

    def __post_init__(self) -> None:
        if not self.factor > 1 or self.outliers not in ("refuse", "clip"):
            raise ValueError(f"{self}; give a factor above 1 and 'refuse' or 'clip'.")


@final
class Judge:
    """Reads uploads by the form of a method, and remembers how large scalars usually are."""

    def __init__(self, form: PacketForm, rules: Rules) -> None:
        self.form, self.rules = form, rules
        self.counts: Counter[str] = Counter()
        self.sizes: deque[list[float]] = deque(maxlen=_HISTORY)

    def read(
        self, data: bytes, seeds: Sequence[int], earlier: Collection[int]
    ) -> str | list[Packet]:
        """The packets of an upload that must bear these seeds, or why it is refused."""
        if len(data) > len(seeds) * self.form.packet_bytes:
            return "oversized"
        try:
            packets = parse(data)
        except ValueError:
            return "malformed"
        given = [packet.seed for packet in packets]
        if given and given[0] in earlier:
            return "late"
        wrong = next(filter(None, map(self._wrong, packets)), None)
        if wrong is not None or len(packets) != len(seeds):
            return wrong or "malformed"
        return packets if given == list(seeds) else "foreign seed"

    def _wrong(self, packet: Packet) -> str | None:
        """What is wrong with one packet, whoever sent it."""
        if (packet.kind, len(packet.scalars)) != (self.form.kind, self.form.count):
            return "malformed"
        sizes = self.form.sizes(packet.scalars).tolist()
        if not all(map(math.isfinite, sizes)):
            return "not finite"
        return "impossible" if max(sizes) > self.form.limit else None

    def settle(self, uploads: dict[int, list[Packet]]) -> dict[int, list[Packet]]:
        """The uploads of a round that count, in the order of the clients; history goes on."""
        if not uploads:
            return {}
        clients = sorted(uploads)
        sizes = self._largest([uploads[client] for client in clients])
        bound = self.rules.factor * np.median(np.array([*self.sizes, *sizes]), axis=0)
        usual = (np.array(sizes) <= bound).all(axis=1).tolist()
        kept = {}
        for client, size, is_usual in zip(clients, sizes, usual, strict=True):
            if is_usual:
                kept[client] = uploads[client]
                self.sizes.append(size)
                self.counts[ACCEPTED] += 1
            elif self.rules.outliers == "clip":
                kept[client] = [self._cut(p, bound) for p in uploads[client]]
                self.counts[CLIPPED] += 1
            else:
                self.counts["outlier"] += 1
        return kept

    def _largest(self, uploads: Sequence[Sequence[Packet]]) -> list[list[float]]:
        """The largest magnitude in every group of each upload's scalars."""
        scalars = np.array([packet.scalars for packets in uploads for packet in packets])
        firsts = np.cumsum([0, *map(len, uploads[:-1])])
        found: list[list[float]] = np.maximum.reduceat(self.form.sizes(scalars), firsts).tolist()
        return found

    def _cut(self, packet: Packet, bound: NDArray[np.float64]) -> Packet:
        parts = np.split(packet.scalars, np.cumsum(self.form.groups)[:-1])
        cut = [np.clip(part, -b, b) for part, b in zip(parts, bound, strict=True)]
        return Packet(
            seed=packet.seed, scalars=np.concatenate(cut).astype(np.float32), kind=packet.kind
        )
