"""The two messages between the shop and the transcoder: frozen, versioned, and free of the shop's tables.

Units: durations in seconds, bandwidths in bit/s, sizes in bytes, loudness in LUFS, peaks in dBTP.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

VERSION = 2

MediaKind = Literal["audio", "film"]
RenditionKind = Literal["stream", "preview", "download", "poster", "thumbnails"]


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """The audio stream of a master. `bit_depth` is that of the samples; 0 where the codec is lossy."""

    codec: str
    sample_rate: int
    channels: int
    bit_depth: int
    lossless: bool


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """The picture of a master, as displayed (rotation applied). `frame_rate` is a fraction.

    `transfer`, `primaries` and `matrix` are what H.273 calls them, in libav's words ("smpte2084", "bt2020",
    "bt2020nc"); "" where untold. Any RGB has the matrix "gbr". `peak_nits` is the brightest light in it (cd/m²), if told.
    """

    codec: str
    width: int
    height: int
    frame_rate: tuple[int, int]
    transfer: str = ""
    primaries: str = ""
    matrix: str = ""
    peak_nits: int = 0


@dataclass(frozen=True, slots=True)
class SoundTrack:
    """One of the audio streams of a master: `index` counts them from 0, `language` is BCP 47 or "" where untold."""

    index: int
    language: str
    title: str
    channels: int
    default: bool = False


@dataclass(frozen=True, slots=True)
class TextTrack:
    """One of the subtitle streams of a master that can become text: `index` counts all its subtitle streams from 0."""

    index: int
    language: str
    title: str
    default: bool = False
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Chapter:
    """A named stretch of a master, in seconds."""

    start: float
    end: float
    title: str


@dataclass(frozen=True, slots=True)
class Probe:
    """What a master is, found by opening it. `audio` describes the first of `sounds`."""

    container: str
    kind: MediaKind
    duration: float
    audio: AudioFacts | None
    video: VideoFacts | None
    sounds: tuple[SoundTrack, ...] = ()
    texts: tuple[TextTrack, ...] = ()
    chapters: tuple[Chapter, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The probe as JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Probe:
        """The reverse of `to_dict`, also after a round trip through JSON."""
        video = data["video"]
        return cls(
            container=data["container"],
            kind=data["kind"],
            duration=data["duration"],
            audio=AudioFacts(**data["audio"]) if data["audio"] else None,
            video=VideoFacts(**(video | {"frame_rate": tuple(video["frame_rate"])})) if video else None,
            sounds=tuple(SoundTrack(**each) for each in data.get("sounds", ())),
            texts=tuple(TextTrack(**each) for each in data.get("texts", ())),
            chapters=tuple(Chapter(**each) for each in data.get("chapters", ())),
        )


@dataclass(frozen=True, slots=True)
class TagSet:
    """What a file says, or is to say, of itself. Everything is optional; numbers count from 1."""

    title: str | None = None
    title_zh: str | None = None
    artist: str | None = None
    artist_zh: str | None = None
    album: str | None = None
    album_zh: str | None = None
    album_artist: str | None = None
    label: str | None = None
    genre: str | None = None
    year: int | None = None
    track: int | None = None
    track_total: int | None = None
    disc: int | None = None
    disc_total: int | None = None
    isrc: str | None = None
    comment: str | None = None

    def fingerprint(self, cover_key: str | None) -> str:
        """A SHA-256 that changes when anything a file would be tagged with does, its cover included."""
        told = json.dumps([asdict(self), cover_key], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class TranscodeJob:
    """Everything the transcoder needs to know. `stream_key` is the AES-128 key (16 bytes) of the track."""

    job_id: str
    attempt: int
    master_key: str
    master_sha256: str
    probe: Probe
    tags: TagSet
    stream_key: bytes = field(repr=False)
    cover_key: str | None = None
    x264_preset: str = "veryfast"
    cpu_count: int = 2
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class MadeRendition:
    """One thing made and stored. `key` is an object key, or a stream's folder (ending in a slash)."""

    kind: RenditionKind
    name: str
    key: str
    content_type: str
    suffix: str
    size: int
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RenditionReport:
    """What became of a job. `loudness` has integrated, range, true_peak; `timings` seconds by stage."""

    job_id: str
    attempt: int
    renditions: tuple[MadeRendition, ...]
    loudness: dict[str, float]
    timings: dict[str, float]
    version: int = VERSION
