"""Packaging: clear fMP4 in, an encrypted, measured, content-addressed HLS stream out.

FFmpeg's HLS muxer refuses to encrypt fMP4, so it muxes in the clear and each segment is encrypted here, whole, with
AES-128-CBC and PKCS#7 (RFC 8216bis, section 4.4.4.4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from transcoder import boxes, playlist
from transcoder.errors import EncodeFailed

ENTRY = "multivariant.m3u8"
PLAYLIST_TYPE = "application/vnd.apple.mpegurl"


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the stream: its name within the stream's folder and where it lies now."""

    name: str
    path: Path
    content_type: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """One packaged rung: its files, what its init section says, and its measured bandwidths in bit/s."""

    name: str
    init: boxes.Init
    members: tuple[Member, ...]
    seconds: tuple[float, ...]
    bandwidth: int
    average_bandwidth: int


@dataclass(frozen=True, slots=True)
class Stream:
    """A whole stream, ready to be stored. `manifest_sha256` is the hash of all names and contents."""

    members: tuple[Member, ...]
    manifest_sha256: str
    size: int
    variants: tuple[playlist.Variant, ...]


def encrypt_segment(data: bytes, key: bytes, sequence: int) -> bytes:
    """AES-128-CBC with the media sequence number, big-endian, as the IV."""
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(sequence.to_bytes(16, "big"))).encryptor()
    return encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()


def decrypt_segment(data: bytes, key: bytes, sequence: int) -> bytes:
    """The reverse, as a player does it; for checks. Raises ValueError for a wrong key."""
    decryptor = Cipher(algorithms.AES(key), modes.CBC(sequence.to_bytes(16, "big"))).decryptor()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(decryptor.update(data) + decryptor.finalize()) + unpadder.finalize()


def package_rung(clear: Path, into: Path, key: bytes) -> Rendered:
    """Encrypt one rung's segments from the folder `clear` into the folder `into`, which takes its name."""
    into.mkdir(parents=True, exist_ok=True)
    content_type = "video/mp4" if clear.name.startswith("v") else "audio/mp4"
    raw_init = (clear / "init.mp4").read_bytes()
    init = boxes.read_init(raw_init)
    (into / "init.mp4").write_bytes(raw_init)
    members = [Member(f"{into.name}/init.mp4", into / "init.mp4", content_type)]
    seconds: list[float] = []
    sizes: list[int] = []
    for source in sorted(clear.glob("*.m4s")):
        data = source.read_bytes()
        duration = boxes.segment_duration(data, init)
        if duration == 0:  # the muxer ends with an empty one when the last packet fills a segment exactly
            continue
        sequence = playlist.FIRST_SEQUENCE + len(seconds)
        sealed = encrypt_segment(data, key, sequence)
        target = into / f"{sequence:05}.m4s"
        target.write_bytes(sealed)
        members.append(Member(f"{into.name}/{target.name}", target, content_type))
        seconds.append(duration)
        sizes.append(len(sealed))
    if not seconds:
        raise EncodeFailed(f"FFmpeg made no segment of {clear.name}.")
    target_duration = target_seconds(seconds)
    text = playlist.media_playlist(
        [(f"{playlist.FIRST_SEQUENCE + n:05}.m4s", s) for n, s in enumerate(seconds)],
        target_duration=target_duration,
        key_uri=f"../{playlist.KEY_MEMBER}",
    )
    index = into / "index.m3u8"
    index.write_text(text)
    members.append(Member(f"{into.name}/index.m3u8", index, PLAYLIST_TYPE))
    peak, average = measure(sizes, seconds, target_duration)
    return Rendered(into.name, init, tuple(members), tuple(seconds), peak, average)


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


def assemble(rungs: Sequence[Rendered], groups: dict[str, str], frame_rate: float | None, into: Path) -> Stream:
    """Write the multivariant playlist over packaged rungs and name the whole by its content.

    `groups` says which audio rung each picture rung plays with; rungs it does not name are variants themselves.
    """
    by_name = {rung.name: rung for rung in rungs}
    pictures = [rung for rung in rungs if rung.init.width]
    variants = []
    for rung in pictures or rungs:
        sound = by_name.get(groups.get(rung.name, ""))
        variants.append(
            playlist.Variant(
                uri=f"{rung.name}/index.m3u8",
                bandwidth=rung.bandwidth + (sound.bandwidth if sound else 0),
                average_bandwidth=rung.average_bandwidth + (sound.average_bandwidth if sound else 0),
                codecs=(rung.init.codec, *([sound.init.codec] if sound else [])),
                resolution=(rung.init.width, rung.init.height) if rung.init.width else None,
                frame_rate=frame_rate if rung.init.width else None,
                audio=sound.name if sound else None,
            )
        )
    used = sorted({variant.audio for variant in variants if variant.audio})
    audio = [playlist.AudioGroup(n, f"{n}/index.m3u8", by_name[n].init.channels) for n in used]
    entry = into / ENTRY
    entry.write_text(playlist.multivariant(variants, audio))
    kept = [rung for rung in rungs if not pictures or rung.init.width or rung.name in used]
    members = [Member(ENTRY, entry, PLAYLIST_TYPE), *(member for rung in kept for member in rung.members)]
    lines = sorted(f"{member.name} {file_sha256(member.path)}\n" for member in members)
    return Stream(
        members=tuple(members),
        manifest_sha256=hashlib.sha256("".join(lines).encode()).hexdigest(),
        size=sum(member.path.stat().st_size for member in members),
        variants=tuple(sorted(variants, key=lambda each: each.bandwidth)),
    )


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
