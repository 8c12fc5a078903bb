"""Init sections and media segments in fMP4 (ISO/IEC 14496-12), read without decoding a sample.

Every count and size comes from a stranger: each is held against the bytes that are there before it is believed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_SAMPLES = 200_000


class BadFragment(ValueError):
    """The bytes are not what they should be."""


@dataclass(frozen=True, slots=True)
class Track:
    """A track of an init section. `shift` is what its edit list takes from decode times, in ticks.

    `codec` is after RFC 6381 where it can be told; profile and level are those of H.264, 0 elsewhere.
    """

    id: int
    handler: str
    timescale: int
    codec: str
    shift: int = 0
    width: int = 0
    height: int = 0
    channels: int = 0
    sample_rate: int = 0
    profile: int = 0
    level: int = 0
    nal_length: int = 0
    loudness: bool = False
    default_duration: int = 0
    default_size: int = 0
    default_flags: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of a segment: times in ticks, `offset` in bytes from the segment's first."""

    decode: int
    shown: int
    duration: int
    offset: int
    size: int
    sync: bool


def read_init(data: bytes) -> tuple[Track, ...]:
    """The tracks that an init section declares. Raises BadFragment."""
    try:
        moov = _find(data, b"moov")
        defaults = {}
        for trex in _all(_find(moov, b"mvex"), b"trex"):
            track, _, duration, size, flags = struct.unpack_from(">5I", trex, 4)
            defaults[track] = (duration, size, flags)
        return tuple(_track(trak, defaults, moov) for trak in _all(moov, b"trak"))
    except (struct.error, IndexError) as error:
        raise BadFragment(f"a box of the init section breaks off: {error}") from error


def _track(trak: bytes, defaults: dict[int, tuple[int, int, int]], moov: bytes) -> Track:
    tkhd = _find(trak, b"tkhd")
    number = struct.unpack_from(">I", tkhd, 20 if tkhd[0] == 1 else 12)[0]
    mdia = _find(trak, b"mdia")
    mdhd = _find(mdia, b"mdhd")
    timescale = struct.unpack_from(">I", mdhd, 20 if mdhd[0] == 1 else 12)[0]
    if not timescale:
        raise BadFragment("a track's timescale is 0")
    handler = _find(mdia, b"hdlr")[8:12].decode("latin-1")
    entries = list(_boxes(_find(mdia, b"minf", b"stbl", b"stsd")[8:]))
    if not entries:
        raise BadFragment("a track has no sample description")
    kind, entry = entries[0]
    facts = _describe(kind.decode("latin-1"), entry)
    duration, size, flags = defaults.get(number, (0, 0, 0))
    return Track(
        id=number,
        handler=handler,
        timescale=timescale,
        shift=_shift(trak, timescale, moov),
        loudness=any(_all(each, b"ludt") for each in _all(trak, b"udta")),
        default_duration=duration,
        default_size=size,
        default_flags=flags,
        **facts,
    )


def _shift(trak: bytes, timescale: int, moov: bytes) -> int:
    """Ticks between decode time 0 and time 0 of the presentation, as the edit list says."""
    for edts in _all(trak, b"edts"):
        for elst in _all(edts, b"elst"):
            mvhd = _find(moov, b"mvhd")
            movie = struct.unpack_from(">I", mvhd, 20 if mvhd[0] == 1 else 12)[0] or 1
            late, stride, form = 0, (20 if elst[0] == 1 else 12), (">Qq" if elst[0] == 1 else ">Ii")
            for n in range(min(struct.unpack_from(">I", elst, 4)[0], 16)):
                length, start = struct.unpack_from(form, elst, 8 + n * stride)
                if start >= 0:
                    return start - late
                late += length * timescale // movie
    return 0


def _describe(kind: str, entry: bytes) -> dict[str, Any]:
    """What a sample entry says. Unknown kinds are their four letters."""
    if kind in ("avc1", "avc3"):
        avcc = _find(entry[78:], b"avcC")
        return {
            "codec": f"{kind}.{avcc[1:4].hex()}",
            "profile": avcc[1],
            "level": avcc[3],
            "nal_length": (avcc[4] & 3) + 1,
        } | _size(entry)
    if kind in ("hvc1", "hev1", "dvh1", "dvhe"):
        return {"codec": kind, "nal_length": (_find(entry[78:], b"hvcC")[21] & 3) + 1} | _size(entry)
    if kind in ("av01", "mjpg", "vp09", "encv"):
        return {"codec": kind} | _size(entry)
    if kind == "mp4a":
        return {"codec": _aac(_find(entry[28:], b"esds"))} | _sound(entry)
    if kind in ("fLaC", "Opus", "alac", "ac-3", "ec-3", "enca"):
        return {"codec": kind} | _sound(entry)
    return {"codec": kind}


def _size(entry: bytes) -> dict[str, Any]:
    width, height = struct.unpack_from(">HH", entry, 24)
    return {"width": width, "height": height}


def _sound(entry: bytes) -> dict[str, Any]:
    return {
        "channels": struct.unpack_from(">H", entry, 16)[0],
        "sample_rate": struct.unpack_from(">I", entry, 24)[0] >> 16,
    }


def _aac(esds: bytes) -> str:
    """`mp4a.<object type>.<audio object type>`, ISO/IEC 14496-1, section 7.2.6."""
    config = _descriptor(_descriptor(esds[4:], 0x03)[3:], 0x04)
    if config[0] != 0x40:
        return f"mp4a.{config[0]:x}"
    specific = _descriptor(config[13:], 0x05)
    kind = specific[0] >> 3
    if kind == 31:
        kind = 32 + ((specific[0] & 7) << 3 | specific[1] >> 5)
    return f"mp4a.40.{kind}"


def _descriptor(data: bytes, tag: int) -> bytes:
    if data[0] != tag:
        raise BadFragment(f"descriptor {tag} is missing")
    at, size = 1, 0
    for _ in range(4):
        byte, at = data[at], at + 1
        size = size << 7 | byte & 0x7F
        if not byte & 0x80:
            break
    return data[at : at + size]


def read_segment(data: bytes, tracks: tuple[Track, ...]) -> dict[int, list[Sample]]:
    """The samples of a segment, by track. Raises BadFragment."""
    found: dict[int, list[Sample]] = {track.id: [] for track in tracks}
    by_id = {track.id: track for track in tracks}
    try:
        for kind, start, header, end in _spans(data):
            if kind == b"moof":
                for traf in _all(data[start + header : end], b"traf"):
                    _fragment(traf, start, by_id, found)
    except (struct.error, IndexError) as error:
        raise BadFragment(f"a box of the segment breaks off: {error}") from error
    for samples in found.values():
        if samples and max(each.offset + each.size for each in samples) > len(data):
            raise BadFragment("a sample lies past the segment's end")
    return found


def _fragment(traf: bytes, moof: int, tracks: dict[int, Track], found: dict[int, list[Sample]]) -> None:
    tfhd = _find(traf, b"tfhd")
    flags = int.from_bytes(tfhd[1:4], "big")
    number = struct.unpack_from(">I", tfhd, 4)[0]
    if number not in tracks:
        raise BadFragment(f"track {number} is not in the init section")
    track, at = tracks[number], 8
    base = moof
    if flags & 0x1:
        base, at = struct.unpack_from(">Q", tfhd, at)[0], at + 8
    at += 4 if flags & 0x2 else 0
    defaults = [track.default_duration, track.default_size, track.default_flags]
    for n, flag in enumerate((0x8, 0x10, 0x20)):
        if flags & flag:
            defaults[n], at = struct.unpack_from(">I", tfhd, at)[0], at + 4
    tfdt = _find(traf, b"tfdt")
    decode = struct.unpack_from(">Q" if tfdt[0] == 1 else ">I", tfdt, 4)[0]
    offset = base
    for trun in _all(traf, b"trun"):
        decode, offset = _run(trun, base, offset, decode, defaults, found[number])


def _run(
    trun: bytes, base: int, offset: int, decode: int, defaults: list[int], samples: list[Sample]
) -> tuple[int, int]:
    flags = int.from_bytes(trun[1:4], "big")
    count, at = struct.unpack_from(">I", trun, 4)[0], 8
    if count + len(samples) > MAX_SAMPLES:
        raise BadFragment(f"a segment of more than {MAX_SAMPLES} samples")
    if flags & 0x1:
        offset, at = base + struct.unpack_from(">i", trun, at)[0], at + 4
    first = None
    if flags & 0x4:
        first, at = struct.unpack_from(">I", trun, at)[0], at + 4
    for n in range(count):
        values = list(defaults)
        for field, flag in enumerate((0x100, 0x200, 0x400)):
            if flags & flag:
                values[field], at = struct.unpack_from(">I", trun, at)[0], at + 4
        if n == 0 and first is not None and not flags & 0x400:
            values[2] = first
        late = 0
        if flags & 0x800:
            late, at = struct.unpack_from(">i" if trun[0] else ">I", trun, at)[0], at + 4
        samples.append(Sample(decode, decode + late, values[0], offset, values[1], not values[2] & 0x10000))
        decode, offset = decode + values[0], offset + values[1]
    return decode, offset


def holds_idr(data: bytes, sample: Sample, track: Track) -> bool | None:
    """Whether a sample holds an IDR picture (H.264 NAL type 5, HEVC 19 or 20); None where that cannot be told."""
    hevc = track.codec[:4] in ("hvc1", "hev1", "dvh1", "dvhe")
    if not track.nal_length or not (hevc or track.codec.startswith("avc")):
        return None
    at, end = sample.offset, sample.offset + sample.size
    while at + track.nal_length < end:
        size = int.from_bytes(data[at : at + track.nal_length], "big")
        head = data[at + track.nal_length]
        if (head >> 1 & 0x3F) in (19, 20) if hevc else (head & 0x1F) == 5:
            return True
        at += track.nal_length + size
    return False


def _find(data: bytes, *path: bytes) -> bytes:
    for wanted in path:
        data = next((payload for kind, payload in _boxes(data) if kind == wanted), b"")
        if not data:
            raise BadFragment(f"box {wanted.decode()} is missing")
    return data


def _all(data: bytes, wanted: bytes) -> list[bytes]:
    return [payload for kind, payload in _boxes(data) if kind == wanted]


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    for kind, start, header, end in _spans(data):
        yield kind, data[start + header : end]


def _spans(data: bytes) -> Iterator[tuple[bytes, int, int, int]]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        header = 8
        if size == 1:
            if at + 16 > len(data):
                raise BadFragment("a box breaks off")
            size, header = struct.unpack_from(">Q", data, at + 8)[0], 16
        elif size == 0:
            size = len(data) - at
        if size < header or at + size > len(data):
            raise BadFragment(f"box {kind.decode('latin-1')!r} runs past the end")
        yield kind, at, header, at + size
        at += size
