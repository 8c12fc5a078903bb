"""Boxes of ISO base media files (ISO/IEC 14496-12): enough to describe an init section, and to read, move and
extract the samples of a segment."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


class BadBoxes(ValueError):
    """The bytes are not the boxes they should be."""


@dataclass(frozen=True, slots=True)
class Init:
    """What an init section says of its one track. `codec` is after RFC 6381; sizes and channels are 0 elsewhere.

    `priming` is how many ticks of the media, from its beginning, the edit list leaves out.
    """

    timescale: int
    codec: str
    default_duration: int
    width: int = 0
    height: int = 0
    channels: int = 0
    priming: int = 0


def read_init(data: bytes) -> Init:
    """Describe an init section with a single track."""
    mdhd = _find(data, b"moov", b"trak", b"mdia", b"mdhd")
    timescale = struct.unpack_from(">I", mdhd, 20 if mdhd[0] == 1 else 12)[0]
    trex = _find(data, b"moov", b"mvex", b"trex")
    codec, width, height, channels = _sample_entry(_find(data, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"))
    default_duration = struct.unpack_from(">I", trex, 12)[0]
    priming = 0 if width else _priming(_find(data, b"moov"))
    return Init(timescale, codec, default_duration, width, height, channels, priming)


def _priming(moov: bytes) -> int:
    """Where the one edit of an edit list begins (ISO/IEC 14496-12, section 8.6.6); 0 where there is none."""
    try:
        elst = _find(moov, b"trak", b"edts", b"elst")
    except BadBoxes:
        return 0
    version, count = elst[0], int.from_bytes(elst[4:8], "big")
    if count != 1:
        return 0
    began = struct.unpack_from(">q", elst, 16)[0] if version == 1 else struct.unpack_from(">i", elst, 12)[0]
    return max(0, int(began))


def video_profile(path: Path) -> int | None:
    """The H.264 profile_idc of a file's picture, or None where that is no H.264. Reads no more than the moov box."""
    for kind, payload in _boxes(_moov(path)):
        if kind == b"trak":
            codec = _sample_entry(_find(payload, b"mdia", b"minf", b"stbl", b"stsd"))[0]
            if codec.startswith("avc1."):
                return int(codec[5:7], 16)
    return None


@dataclass(frozen=True, slots=True)
class SoundTiming:
    """The timing of a file's one sound, in ticks: `frame` is the first one's duration, `duration` that of all."""

    frame: int
    frames: int
    duration: int
    priming: int


def sound_timing(path: Path) -> SoundTiming | None:
    """How a finished file of AAC in MP4 is timed; None where its first track holds no AAC. Reads only the moov box."""
    moov = _moov(path)
    table = _find(moov, b"trak", b"mdia", b"minf", b"stbl")
    if not _sample_entry(_find(table, b"stsd"))[0].startswith("mp4a.40.2"):
        return None
    stts = _find(table, b"stts")
    runs = [struct.unpack_from(">II", stts, 8 + 8 * n) for n in range(struct.unpack_from(">I", stts, 4)[0])]
    if not runs:
        return None
    frames, duration = sum(count for count, _ticks in runs), sum(count * ticks for count, ticks in runs)
    return SoundTiming(runs[0][1], frames, duration, _priming(moov))


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
    return sum(sample.duration for sample in samples(data, init)) / init.timescale


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a fragment: times in ticks of the track, `start` and `size` of its bytes within the segment."""

    decode_time: int
    duration: int
    composition_offset: int
    start: int
    size: int
    sync: bool


# sample_is_non_sync_sample (section 8.8.3.1)
_NON_SYNC = 0x10000


def samples(data: bytes, init: Init) -> list[Sample]:
    """The samples of a segment in decoding order. Raises BadBoxes where a fragment points outside its segment."""
    found: list[Sample] = []
    offset = 0
    while offset + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, offset)
        if size < 8:
            raise BadBoxes(f"box {kind!r} is too small")
        if kind == b"moof":
            for inner, traf in _boxes(data[offset + 8 : offset + size]):
                if inner == b"traf":
                    found += _traf_samples(traf, init, offset)
        offset += size
    if found and found[-1].start + found[-1].size > len(data):
        raise BadBoxes("a sample runs past the end of its segment")
    return found


def _traf_samples(traf: bytes, init: Init, moof: int) -> list[Sample]:
    default_duration, default_size, default_flags, base = init.default_duration, 0, 0, moof
    time, at = 0, moof
    found: list[Sample] = []
    for kind, payload in _boxes(traf):
        flags = int.from_bytes(payload[1:4], "big")
        words = iter(struct.unpack(f">{(len(payload) - 4) // 4}I", payload[4 : 4 + (len(payload) - 4) // 4 * 4]))
        if kind == b"tfhd":
            next(words)  # track
            if flags & 0x1:
                base = next(words) << 32 | next(words)
            if flags & 0x2:
                next(words)
            default_duration = next(words) if flags & 0x8 else default_duration
            default_size = next(words) if flags & 0x10 else default_size
            default_flags = next(words) if flags & 0x20 else default_flags
        elif kind == b"tfdt":
            time = next(words) << 32 | next(words) if payload[0] else next(words)
        elif kind == b"trun":
            count = next(words)
            at = base + _signed(next(words)) if flags & 0x1 else at
            first = next(words) if flags & 0x4 else None
            for number in range(count):
                duration = next(words) if flags & 0x100 else default_duration
                size = next(words) if flags & 0x200 else default_size
                told = next(words) if flags & 0x400 else default_flags
                shift = _signed(next(words)) if flags & 0x800 else 0
                if number == 0 and first is not None:
                    told = first
                found.append(Sample(time, duration, shift, at, size, not told & _NON_SYNC))
                time, at = time + duration, at + size
    return found


def _signed(word: int) -> int:
    return word - (1 << 32) if word & 0x80000000 else word


def retimed(data: bytes, ticks: int, first_fragment: int) -> bytes:
    """The segment with its times moved on by `ticks` of its track and its fragments numbered from `first_fragment`.

    What encoders of several stretches of a film began at 0 each becomes one timeline. 32-bit times are refused.
    """
    out = bytearray(data)
    for kind, start in _walk(data, 0, len(data)):
        if kind in (b"tfdt", b"sidx"):
            if data[start] != 1:
                raise BadBoxes(f"box {kind.decode()} has 32-bit times")
            where = start + (4 if kind == b"tfdt" else 12)
            struct.pack_into(">Q", out, where, struct.unpack_from(">Q", data, where)[0] + ticks)
        elif kind == b"mfhd":
            struct.pack_into(">I", out, start + 4, first_fragment)
            first_fragment += 1
    return bytes(out)


def _walk(data: bytes, offset: int, end: int) -> Iterator[tuple[bytes, int]]:
    """The boxes of a segment and where the payload of each starts, fragments opened."""
    while offset + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, offset)
        if size < 8 or offset + size > end:
            raise BadBoxes(f"box {kind!r} runs past the end")
        yield kind, offset + 8
        if kind in (b"moof", b"traf"):
            yield from _walk(data, offset + 8, offset + size)
        offset += size


def picture_alone(data: bytes, sample: Sample, *, duration: int, number: int) -> bytes:
    """A segment of one picture that stands for `duration` ticks: a member of an I-frame rendition.

    Section 8.8 of ISO/IEC 14496-12; the base of the data is the fragment itself.
    """
    mfhd = _box(b"mfhd", struct.pack(">II", 0, number))
    tfhd = _box(b"tfhd", struct.pack(">II", 0x020000, 1))
    # What is shown is shown from here on, whatever order it had among the others.
    tfdt = _box(b"tfdt", struct.pack(">IQ", 0x01000000, sample.decode_time + max(0, sample.composition_offset)))
    length = len(mfhd) + 8 + len(tfhd) + len(tfdt) + 8 + 24  # of the moof: all boxes but its own header
    trun = _box(b"trun", struct.pack(">IIiIII", 0x000701, 1, length + 8 + 8, duration, sample.size, 0x02000000))
    moof = _box(b"moof", mfhd + _box(b"traf", tfhd + tfdt + trun))
    return moof + _box(b"mdat", data[sample.start : sample.start + sample.size])


def _box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(payload), kind) + payload


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
