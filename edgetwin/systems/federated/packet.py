"""Packets: all that replicas exchange. A seed and a few scalars say what a whole step does.

On the wire, little endian: one word of 32 bits (version in bits 28 to 31, kind in 24 to 27, number
of scalars below), the seed in 64 bits, then the scalars as float32. With one perturbation of the
first block and four of the second that is 32 bytes, whatever the size of the model.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

VERSION: Final = 1
SCALARS, DENSE = 1, 2
"""Kinds of packets: projected gradients of zero-order methods, or a whole gradient."""

HEAD_BYTES: Final = 12
_MOST_SCALARS = 2**24 - 1


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Packet:
    """One local step: the seed of its noise, and the scalars it found, (n,) float32."""

    seed: int
    scalars: NDArray[np.float32]
    kind: int = SCALARS

    def to_bytes(self) -> bytes:
        """The wire format of this version; ValueError for more scalars than it can count."""
        if len(self.scalars) > _MOST_SCALARS:
            raise ValueError(f"{len(self.scalars)} scalars; a packet holds {_MOST_SCALARS}.")
        word = VERSION << 28 | self.kind << 24 | len(self.scalars)
        return struct.pack("<IQ", word, self.seed) + self.scalars.astype("<f4").tobytes()

    @staticmethod
    def from_bytes(data: bytes) -> "Packet":
        """A packet of any form; ValueError for what is not exactly one packet of this version."""
        packets = parse(data)
        if len(packets) != 1:
            raise ValueError(f"{len(data)} bytes hold {len(packets)} packets; give one.")
        return packets[0]


def packed(packets: Sequence[Packet]) -> bytes:
    """Packets one behind another, as an upload holds them."""
    return b"".join(packet.to_bytes() for packet in packets)


def parse(data: bytes) -> list[Packet]:
    """Packets one behind another, finite or not; ValueError for a cut or foreign message."""
    found, at = [], 0
    while at < len(data):
        if len(data) - at < HEAD_BYTES:
            raise ValueError(f"a packet of {len(data) - at} bytes; its head alone has 12.")
        word, seed = struct.unpack_from("<IQ", data, at)
        version, kind, count = word >> 28, word >> 24 & 0xF, word & _MOST_SCALARS
        if version != VERSION:
            raise ValueError(f"wire version {version}; this edgetwin reads version {VERSION}.")
        if kind not in (SCALARS, DENSE):
            raise ValueError(f"packet kind {kind}; known are {SCALARS} and {DENSE}.")
        if len(data) - at < HEAD_BYTES + 4 * count:
            raise ValueError(f"{count} scalars announced and {len(data) - at} bytes left.")
        scalars = np.frombuffer(data, "<f4", count, at + HEAD_BYTES).astype(np.float32)
        found.append(Packet(seed=seed, scalars=scalars, kind=kind))
        at += HEAD_BYTES + 4 * count
    return found


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PacketForm:
    """What every packet of one method looks like: kind, scalars, and what they can be.

    groups are the numbers of scalars per block, whose sizes are judged apart; a scalar beyond
    limit in magnitude is impossible, as no batch's loss changes that much.
    """

    groups: tuple[int, ...]
    limit: float
    kind: int = SCALARS
    count: int = field(init=False)
    packet_bytes: int = field(init=False)
    _starts: NDArray[np.int64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        starts = np.cumsum((0, *self.groups[:-1]))
        object.__setattr__(self, "_starts", starts)
        object.__setattr__(self, "count", sum(self.groups))
        object.__setattr__(self, "packet_bytes", HEAD_BYTES + 4 * self.count)

    def check(self, packet: Packet) -> None:
        """ValueError for a packet of another form, or with scalars that are not numbers."""
        if (packet.kind, len(packet.scalars)) != (self.kind, self.count):
            raise ValueError(
                f"a packet of kind {packet.kind} with {len(packet.scalars)} scalars; this run has "
                f"kind {self.kind} with {self.count}."
            )
        if not np.isfinite(packet.scalars).all():
            raise ValueError("a packet with scalars that are not finite.")

    def sizes(self, scalars: NDArray[np.float32]) -> NDArray[np.float32]:
        """The largest magnitude in every group of scalars, (..., count): (..., groups).

        Not finite where a scalar is not.
        """
        return np.maximum.reduceat(np.abs(scalars), self._starts, axis=-1)
