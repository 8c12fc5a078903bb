"""Downloads: which DRM-free files a master becomes.

A lossless master becomes all eight formats. A lossy one becomes only lossy ones (a FLAC of an MP3 would be three times
the size and no better), and the format of its own codec is the master's own sound, copied packet by packet: a second
generation could only be worse.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transcoder.contract import Probe
from transcoder.ladder import flac_depth, lossy_rate

# Above this a lossy MP3 is filed as 320 kbit/s, below as V0. Bit/s.
_MP3_320_FROM = 288_000


@dataclass(frozen=True, slots=True)
class Format:
    """A file to make. `options` are FFmpeg's, `cost` CPU seconds per minute of 44.1 kHz stereo (measured)."""

    name: str
    suffix: str
    content_type: str
    muxer: str
    options: dict[str, Any] = field(default_factory=dict)
    cost: float = 0.1
    lossless: bool = False
    copied: bool = False


# The containers, by format: suffix, content type, muxer.
_CONTAINERS = {
    "flac": ("flac", "audio/flac", "flac"),
    "alac": ("m4a", "audio/mp4", "ipod"),
    "wav": ("wav", "audio/wav", "wav"),
    "mp3-320": ("mp3", "audio/mpeg", "mp3"),
    "mp3-v0": ("mp3", "audio/mpeg", "mp3"),
    "aac-256": ("m4a", "audio/mp4", "ipod"),
    "vorbis": ("ogg", "audio/ogg", "ogg"),
    "opus": ("opus", "audio/ogg", "opus"),
    "mp4": ("mp4", "video/mp4", "mp4"),
}
NAMES = tuple(_CONTAINERS)

_LOSSY: dict[str, tuple[dict[str, Any], float]] = {
    "mp3-320": ({"c:a": "libmp3lame", "b:a": "320k"}, 0.36),
    "mp3-v0": ({"c:a": "libmp3lame", "q:a": 0}, 0.33),
    "aac-256": ({"c:a": "aac", "b:a": "256k"}, 0.85),
    "vorbis": ({"c:a": "libvorbis", "q:a": 6}, 0.85),
    "opus": ({"c:a": "libopus", "b:a": "160k", "ar": 48000}, 0.47),
}


def audio_formats(probe: Probe, size: int) -> tuple[Format, ...]:
    """The files of a sound master that is `size` bytes long, in the order they are offered."""
    audio = probe.audio
    assert audio is not None
    if audio.lossless:
        return (*_lossless(probe), *(_lossy(name, probe) for name in _LOSSY))
    own = _own_format(probe, size)
    if own is None:
        return tuple(_lossy(name, probe) for name in _LOSSY)
    # Whichever way an MP3 was made, one MP3 is offered: the master's.
    others = [name for name in _LOSSY if name != own and not (own.startswith("mp3") and name.startswith("mp3"))]
    made = [_copied(own, probe), *(_lossy(name, probe) for name in others)]
    return tuple(sorted(made, key=lambda each: NAMES.index(each.name)))


def _lossless(probe: Probe) -> list[Format]:
    audio = probe.audio
    assert audio is not None
    depth = flac_depth(audio.bit_depth)
    scale = audio.sample_rate * audio.channels / 88200
    flac: dict[str, Any] = {"c:a": "flac", "sample_fmt": "s16" if depth == 16 else "s32"}
    alac: dict[str, Any] = {"c:a": "alac", "sample_fmt": "s16p" if depth == 16 else "s32p"}
    if depth == 24:
        flac["bits_per_raw_sample"] = alac["bits_per_raw_sample"] = 24
    return [
        _format("flac", flac, 0.07 * scale, lossless=True),
        _format("alac", alac, 0.12 * scale, lossless=True),
        _format("wav", {"c:a": _pcm(audio.codec, audio.bit_depth), "rf64": "auto"}, 0.04 * scale, lossless=True),
    ]


def _pcm(codec: str, bit_depth: int) -> str:
    if codec.startswith(("pcm_f32", "pcm_f64")):
        return f"{codec[:7]}le"
    if bit_depth <= 8:
        return "pcm_u8"
    return f"pcm_s{16 if bit_depth <= 16 else 24 if bit_depth <= 24 else 32}le"


def _lossy(name: str, probe: Probe) -> Format:
    audio = probe.audio
    assert audio is not None
    options, cost = _LOSSY[name]
    made: dict[str, Any] = {"ar": lossy_rate(audio.sample_rate), "ac": min(2, audio.channels)} | options
    if made["ar"] != audio.sample_rate:
        made["af"] = resample(made["ar"])
    return _format(name, made, cost)


def resample(sample_rate: int) -> str:
    """The filter that changes the sample rate, by libsoxr at its very high quality."""
    return f"aresample={sample_rate}:resampler=soxr:precision=28"


def _copied(name: str, probe: Probe) -> Format:
    return _format(name, {"c:a": "copy"}, 0.01, copied=True)


def _own_format(probe: Probe, size: int) -> str | None:
    audio = probe.audio
    assert audio is not None
    if audio.codec.startswith("mp3"):
        return "mp3-320" if 8 * size / max(probe.duration, 0.1) >= _MP3_320_FROM else "mp3-v0"
    return {"aac": "aac-256", "vorbis": "vorbis", "opus": "opus"}.get(audio.codec)


def _format(name: str, options: dict[str, Any], cost: float, *, lossless: bool = False, copied: bool = False) -> Format:
    suffix, content_type, muxer = _CONTAINERS[name]
    return Format(name, suffix, content_type, muxer, options, cost, lossless, copied)


def content_type(name: str) -> str:
    """The media type of a download by its format's name."""
    return _CONTAINERS[name][1]


def digests(path: Path) -> tuple[str, int]:
    """SHA-256 in hex and CRC-32, which a ZIP's directory wants before its bytes are read again."""
    sha256, crc = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(1024 * 1024):
            sha256.update(chunk)
            crc = zlib.crc32(chunk, crc)
    return sha256.hexdigest(), crc
