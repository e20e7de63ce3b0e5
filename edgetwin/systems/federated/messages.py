"""What server and clients send one another: orders down, packets up; never a weight.

All little endian. A record is a word (version in bits 28 to 31, number of packets below), the
round in 32 bits, then each packet behind its weight in float32. An order is a word (version, local
steps), the server's version in 32 bits, the seed of its steps in 64, then records, each behind its
length in 32 bits. An upload is the packets of the local steps, one behind another.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

from edgetwin.systems.federated.noise.bits import derived_seed
from edgetwin.systems.federated.packet import HEAD_BYTES, VERSION, Packet, parse

_HEAD: Final = struct.Struct("<II")
_ORDER: Final = struct.Struct("<IIQ")
_MOST: Final = 2**24 - 1
ORDER_BYTES: Final = _ORDER.size
"""The bytes of an order without records."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A closed round: the packets it accepted, each with the weight of its step."""

    round: int
    entries: tuple[tuple[float, Packet], ...]

    @property
    def sent_bytes(self) -> int:
        """Bytes inside an order: its length, its head, and packets behind their weights."""
        own = sum(4 + HEAD_BYTES + 4 * len(packet.scalars) for _, packet in self.entries)
        return 4 + _HEAD.size + own

    def to_bytes(self) -> bytes:
        """The wire format of this version."""
        parts = [_HEAD.pack(VERSION << 28 | len(self.entries), self.round)]
        parts += [struct.pack("<f", weight) + packet.to_bytes() for weight, packet in self.entries]
        return b"".join(parts)

    @staticmethod
    def from_bytes(data: bytes) -> "Record":
        """ValueError for a cut record or one of another version."""
        count, number = _opened(_HEAD, data)
        at = _HEAD.size
        entries: list[tuple[float, Packet]] = []
        for _ in range(count):
            if len(data) < at + 4 + HEAD_BYTES:
                raise ValueError(f"a record of {count} packets ends after {len(entries)}.")
            (weight,) = struct.unpack_from("<f", data, at)
            scalars = struct.unpack_from("<I", data, at + 4)[0] & _MOST
            end = at + 4 + HEAD_BYTES + 4 * scalars
            (packet,) = parse(data[at + 4 : end])
            entries.append((weight, packet))
            at = end
        if at != len(data):
            raise ValueError(f"a record of {at} bytes with {len(data) - at} more behind it.")
        return Record(round=number, entries=tuple(entries))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a client is to do: catch up by these records, then take local steps.

    version counts the rounds that are closed; base is the seed from which those of the steps
    follow.
    """

    version: int
    base: int
    steps: int
    records: tuple[Record, ...] = ()

    @property
    def seeds(self) -> list[int]:
        """The seed of every local step."""
        return [derived_seed(self.base, step) for step in range(self.steps)]

    def to_bytes(self) -> bytes:
        """The wire format of this version."""
        parts = [_ORDER.pack(VERSION << 28 | self.steps, self.version, self.base)]
        for record in self.records:
            data = record.to_bytes()
            parts += [struct.pack("<I", len(data)), data]
        return b"".join(parts)

    @staticmethod
    def from_bytes(data: bytes) -> "Order":
        """ValueError for a cut order or one of another version."""
        steps, version, base = _opened(_ORDER, data)
        at = _ORDER.size
        records: list[Record] = []
        while at < len(data):
            size = int.from_bytes(data[at : at + 4], "little")
            if len(data) < at + 4 + size:
                raise ValueError(f"an order that ends inside its record {len(records) + 1}.")
            records.append(Record.from_bytes(data[at + 4 : at + 4 + size]))
            at += 4 + size
        return Order(version=version, base=base, steps=steps, records=tuple(records))


def _opened(head: struct.Struct, data: bytes) -> Sequence[int]:
    """The numbers of a head, its count without the version; ValueError for another version."""
    if len(data) < head.size:
        raise ValueError(f"a message of {len(data)} bytes; its head alone has {head.size}.")
    word, *rest = head.unpack_from(data)
    if word >> 28 != VERSION:
        raise ValueError(f"wire version {word >> 28}; this edgetwin reads version {VERSION}.")
    return word & (2**28 - 1), *rest
