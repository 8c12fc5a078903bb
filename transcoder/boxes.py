"""Reading ISO base media files (ISO/IEC 14496-12): just enough to describe an init section and time a segment."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


class BadBoxes(ValueError):
    """The bytes are not the boxes they should be."""


@dataclass(frozen=True, slots=True)
class Init:
    """What an init section says of its one track. `codec` is after RFC 6381; sizes and channels are 0 elsewhere."""

    timescale: int
    codec: str
    default_duration: int
    width: int = 0
    height: int = 0
    channels: int = 0


def read_init(data: bytes) -> Init:
    """Describe an init section with a single track."""
    mdhd = _find(data, b"moov", b"trak", b"mdia", b"mdhd")
    timescale = struct.unpack_from(">I", mdhd, 20 if mdhd[0] == 1 else 12)[0]
    trex = _find(data, b"moov", b"mvex", b"trex")
    codec, width, height, channels = _sample_entry(_find(data, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"))
    return Init(timescale, codec, struct.unpack_from(">I", trex, 12)[0], width, height, channels)


def video_profile(path: Path) -> int | None:
    """The H.264 profile_idc of a file's picture, or None where that is no H.264. Reads no more than the moov box."""
    for kind, payload in _boxes(_moov(path)):
        if kind == b"trak":
            codec = _sample_entry(_find(payload, b"mdia", b"minf", b"stbl", b"stsd"))[0]
            if codec.startswith("avc1."):
                return int(codec[5:7], 16)
    return None


def _moov(path: Path) -> bytes:
    with path.open("rb") as file:
        while len(head := file.read(16)) >= 8:
            size, kind = struct.unpack_from(">I4s", head)
            if size == 1 and len(head) == 16:
                size = struct.unpack_from(">Q", head, 8)[0]
            file.seek(-len(head), 1)
            if kind == b"moov":
                return _find(file.read(size), b"moov")
            if size < 8:
                break
            file.seek(size, 1)
    raise BadBoxes("box moov is missing")


def segment_duration(data: bytes, init: Init) -> float:
    """Seconds of media in a segment: the sum over its fragments' samples. 0 for one that holds none."""
    total = 0
    for kind, moof in _boxes(data):
        if kind != b"moof":
            continue
        for inner, traf in _boxes(moof):
            if inner == b"traf":
                total += _traf_duration(traf, init.default_duration)
    return total / init.timescale


def _traf_duration(traf: bytes, default: int) -> int:
    total = 0
    for kind, payload in _boxes(traf):
        flags = int.from_bytes(payload[1:4], "big")
        if kind == b"tfhd" and flags & 0x8:
            offset = 8 + (8 if flags & 0x1 else 0) + (4 if flags & 0x2 else 0)
            default = struct.unpack_from(">I", payload, offset)[0]
        elif kind == b"trun":
            count = struct.unpack_from(">I", payload, 4)[0]
            if not flags & 0x100:
                total += count * default
                continue
            offset = 8 + (4 if flags & 0x1 else 0) + (4 if flags & 0x4 else 0)
            stride = 4 * sum(1 for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit)
            total += sum(struct.unpack_from(">I", payload, offset + n * stride)[0] for n in range(count))
    return total


def _sample_entry(stsd: bytes) -> tuple[str, int, int, int]:
    kind, entry = next(_boxes(stsd[8:]))
    if kind == b"avc1":
        width, height = struct.unpack_from(">HH", entry, 24)
        avcc = _find(entry[78:], b"avcC")
        return f"avc1.{avcc[1:4].hex()}", width, height, 0
    if kind == b"fLaC":
        return "fLaC", 0, 0, struct.unpack_from(">H", entry, 16)[0]
    if kind == b"mp4a":
        return _aac_codec(_find(entry[28:], b"esds")), 0, 0, struct.unpack_from(">H", entry, 16)[0]
    return kind.decode("latin-1"), 0, 0, 0


def _aac_codec(esds: bytes) -> str:
    """`mp4a.<object type>.<audio object type>` from the descriptors of ISO/IEC 14496-1, section 7.2.6."""
    descriptor = _descriptor(esds, 4, 0x03)
    config = _descriptor(descriptor, 3, 0x04)
    specific = _descriptor(config, 13, 0x05)
    return f"mp4a.{config[0]:x}.{specific[0] >> 3}"


def _descriptor(data: bytes, offset: int, tag: int) -> bytes:
    if data[offset] != tag:
        raise BadBoxes(f"descriptor {tag} is missing")
    offset, size = offset + 1, 0
    while True:
        byte = data[offset]
        offset, size = offset + 1, size << 7 | byte & 0x7F
        if not byte & 0x80:
            return data[offset : offset + size]


def _find(data: bytes, *path: bytes) -> bytes:
    for wanted in path:
        for kind, payload in _boxes(data):
            if kind == wanted:
                data = payload
                break
        else:
            raise BadBoxes(f"box {wanted.decode()} is missing")
    return data


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    offset = 0
    while offset + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, offset)
        header = 8
        if size == 1:
            size, header = struct.unpack_from(">Q", data, offset + 8)[0], 16
        elif size == 0:
            size = len(data) - offset
        if size < header or offset + size > len(data):
            raise BadBoxes(f"box {kind!r} runs past the end")
        yield kind, data[offset + header : offset + size]
        offset += size
