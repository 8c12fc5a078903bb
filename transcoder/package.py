"""Packaging: segments in the clear go in, encrypted and measured ones come out.

FFmpeg's HLS muxer refuses to encrypt fMP4, so it muxes in the clear and each segment is encrypted here, whole, with
AES-128-CBC and PKCS#7 (RFC 8216bis, section 4.4.4.4). The init section stays clear.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from transcoder import boxes, playlist
from transcoder.contract import Stretch, segment_key
from transcoder.errors import EncodeFailed

INIT = "init.mp4"
SEGMENT_TYPE = "video/iso.segment"
IFRAMES = "-iframes"  # how the I-frame rendition of a rung is called after it


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the stream: its name within the stream's folder and where it lies now."""

    name: str
    path: Path
    content_type: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """Some of a rung's segments as they are stored, their init section described, and what they are in a playlist."""

    stretch: Stretch
    init: boxes.Init
    members: tuple[Member, ...]


def encrypt_segment(data: bytes, key: bytes, sequence: int) -> bytes:
    """AES-128-CBC with the media sequence number, big-endian, as the IV."""
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(sequence.to_bytes(16, "big"))).encryptor()
    return encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()


def decrypt_segment(data: bytes, key: bytes, sequence: int) -> bytes:
    """The reverse, as a player does it. Raises ValueError for a wrong key."""
    decryptor = Cipher(algorithms.AES(key), modes.CBC(sequence.to_bytes(16, "big"))).decryptor()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(decryptor.update(data) + decryptor.finalize()) + unpadder.finalize()


def seal(
    clear: Path,
    into: Path,
    stream_key: bytes,
    *,
    segment_seconds: float,
    first: int = playlist.FIRST_SEQUENCE,
    start: float = 0.0,
    done: int = 0,
    limit: int | None = None,
) -> Sealed:
    """Encrypt the segments that lie in the folder `clear` into the folder `into`; both are named after the rung.

    The first of them becomes number `first`, and what began at 0 is moved to begin `start` seconds into the film.
    `done` of them are left out, having been sealed before; `limit` seals no more than so many. Raises EncodeFailed
    where there is none.
    """
    into.mkdir(parents=True, exist_ok=True)
    name = into.name
    raw_init = (clear / INIT).read_bytes()
    init = boxes.read_init(raw_init)
    (into / INIT).write_bytes(raw_init)
    content_type = "video/mp4" if init.width else "audio/mp4"
    members = [Member(f"{name}/{INIT}", into / INIT, content_type)]
    seconds: list[float] = []
    sizes: list[int] = []
    ticks = round(start * init.timescale)
    begin = first + done
    for source in sorted(clear.glob("*.m4s"))[done:][:limit]:
        data = source.read_bytes()
        duration = boxes.segment_duration(data, init)
        if duration == 0:  # the muxer ends with an empty one when the last packet fills a segment exactly
            continue
        sequence = begin + len(seconds)
        if first != playlist.FIRST_SEQUENCE:
            data = boxes.retimed(data, ticks, sequence)
        sealed = _sealed(data, stream_key, sequence, segment_seconds)
        target = into / f"{sequence:05}.m4s"
        target.write_bytes(sealed)
        members.append(Member(f"{name}/{target.name}", target, SEGMENT_TYPE))
        if sequence == playlist.FIRST_SEQUENCE:
            duration -= init.priming / init.timescale  # there, and never heard
        seconds.append(duration)
        sizes.append(len(sealed))
    if not seconds and not done:
        raise EncodeFailed(f"FFmpeg made no segment of {clear.name}.")
    stretch = Stretch(name, begin, tuple(seconds), tuple(sizes), hashlib.sha256(raw_init).hexdigest())
    return Sealed(stretch, init, tuple(members))


def seal_iframes(clear: Path, into: Path, stream_key: bytes, *, idr_seconds: float, first: int, start: float) -> Sealed:
    """Make the I-frame rendition of a rung's segments: each picture that stands by itself becomes a segment.

    `first` numbers the first of them and `idr_seconds` is their distance; the rest as in `seal`.
    """
    into.mkdir(parents=True, exist_ok=True)
    raw_init = (clear / INIT).read_bytes()
    init = boxes.read_init(raw_init)
    (into / INIT).write_bytes(raw_init)
    members = [Member(f"{into.name}/{INIT}", into / INIT, "video/mp4")]
    seconds: list[float] = []
    sizes: list[int] = []
    ticks = round(start * init.timescale)
    for source in sorted(clear.glob("*.m4s")):
        data = source.read_bytes()
        found = boxes.samples(data, init)
        at = [number for number, sample in enumerate(found) if sample.sync]
        for number, until in zip(at, [*at[1:], len(found)], strict=True):
            duration = sum(sample.duration for sample in found[number:until])
            sequence = first + len(seconds)
            alone = boxes.picture_alone(data, found[number], duration=duration, number=sequence)
            sealed = _sealed(boxes.retimed(alone, ticks, sequence), stream_key, sequence, idr_seconds)
            target = into / f"{sequence:05}.m4s"
            target.write_bytes(sealed)
            members.append(Member(f"{into.name}/{target.name}", target, SEGMENT_TYPE))
            seconds.append(duration / init.timescale)
            sizes.append(len(sealed))
    stretch = Stretch(into.name, first, tuple(seconds), tuple(sizes), hashlib.sha256(raw_init).hexdigest())
    return Sealed(stretch, init, tuple(members))


def _sealed(data: bytes, stream_key: bytes, sequence: int, segment_seconds: float) -> bytes:
    key = segment_key(stream_key, playlist.key_number(sequence, segment_seconds))
    return encrypt_segment(data, key, sequence)


def joined(stretches: Sequence[Stretch]) -> Stretch:
    """A rung's stretches as one; raise EncodeFailed where one is missing or was encoded another way."""
    ordered = sorted(stretches, key=lambda each: each.first)
    following = playlist.FIRST_SEQUENCE
    for each in ordered:
        if each.first != following:
            raise EncodeFailed(f"Segment {following} of {each.name} is missing.")
        if each.init != ordered[0].init:
            raise EncodeFailed(f"The workers' encoders differ: {each.name} has two init sections.")
        following += len(each.seconds)
    return Stretch(
        ordered[0].name,
        ordered[0].first,
        tuple(second for each in ordered for second in each.seconds),
        tuple(size for each in ordered for size in each.sizes),
        ordered[0].init,
    )


def target_seconds(seconds: Sequence[float]) -> int:
    """EXT-X-TARGETDURATION: no segment, rounded to the nearest integer, is longer (section 4.4.3.1)."""
    return max(1, *(int(each + 0.5) for each in seconds))


def measure(sizes: Sequence[int], seconds: Sequence[float], target_duration: float) -> tuple[int, int]:
    """Peak and average bit/s of a rung.

    The peak is the largest rate of any run of segments that lasts between half and one and a half target durations
    (RFC 8216bis, section 4.4.6.2); where no run does, the average.
    """
    average = 8 * sum(sizes) / sum(seconds)
    peak = 0.0
    for first in range(len(sizes)):
        size, span = 0, 0.0
        for n in range(first, len(sizes)):
            size, span = size + sizes[n], span + seconds[n]
            if span > 1.5 * target_duration:
                break
            if span >= 0.5 * target_duration:
                peak = max(peak, 8 * size / span)
    return round(max(peak, average)), round(average)


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
