"""The two messages between the shop and the transcoder: frozen, versioned, and free of the shop's tables.

Units: durations in seconds, bandwidths in bit/s, sizes in bytes, loudness in LUFS, peaks in dBTP.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

VERSION = 3
# Part of every stream's address: raised when a stream is made in another way, FFmpeg's version included.
ENCODING = "4 ffmpeg-9.0.2"

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
    "bt2020nc"); "" where untold. Any RGB has the matrix "gbr". `peak_nits` is the brightest light in it (cd/m²), if
    told.
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
    """One of the audio streams of a master: `index` counts them from 0, `language` is BCP 47 or "" where untold.

    `role` is "commentary", "descriptions" (of the picture, for those who don't see it) or "".
    """

    index: int
    language: str
    title: str
    channels: int
    default: bool = False
    role: str = ""


@dataclass(frozen=True, slots=True)
class TextTrack:
    """One of the subtitle streams of a master that can become text: `index` counts all its subtitle streams from 0.

    `captions` are for those who don't hear: they tell sounds as well as words.
    """

    index: int
    language: str
    title: str
    default: bool = False
    forced: bool = False
    captions: bool = False


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
    """Everything the transcoder needs to know. `stream_key` is the AES-128 key (16 bytes) of the track.

    `ladder` is what an earlier attempt chose for the film (each rung as in `Chunk.ladder`), empty where none has;
    `whole` asks for the film behind its opening in one piece, since cut to chunks it could not be encoded; `in_force`
    says that people may be watching a stream under this very address: its playlists change only once all is made.
    """

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
    ladder: tuple[dict[str, Any], ...] = ()
    whole: bool = False
    in_force: bool = False
    version: int = VERSION

    @property
    def stream_address(self) -> str:
        """64 hex digits that name the stream before it is made: what it is made from, and how.

        The same job run twice, or shared by several workers, writes the same members under it; a film can be on air
        under it while it is encoded.
        """
        key = hashlib.sha256(self.stream_key).hexdigest()
        told = json.dumps([ENCODING, self.master_sha256, key, self.x264_preset])
        return hashlib.sha256(told.encode()).hexdigest()


def segment_key(stream_key: bytes, number: int) -> bytes:
    """The AES-128 key (16 bytes) of one minute of a stream, derived from the stream's own."""
    return hmac.digest(stream_key, b"segment key %d" % number, "sha256")[:16]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive segments of one rung, as stored: number of the first, seconds and bytes of each.

    `init` is the SHA-256 of the init section they need, in hex.
    """

    name: str
    first: int
    seconds: tuple[float, ...]
    sizes: tuple[int, ...]
    init: str

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Stretch:
        """The reverse of `dataclasses.asdict`, also after a round trip through JSON."""
        return cls(data["name"], data["first"], tuple(data["seconds"]), tuple(data["sizes"]), data["init"])


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some of a film's pictures, to be encoded by any worker: frames `first_frame` up to, not including, `end_frame`.

    Frames are those of the rungs' constant rate; the last chunk's `end_frame` is None: to the film's end.
    `ladder` says how each rung is to be made.
    """

    number: int
    first_frame: int
    end_frame: int | None
    ladder: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """The chunk as JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Chunk:
        """The reverse of `to_dict`, also after a round trip through JSON."""
        return cls(data["number"], data["first_frame"], data["end_frame"], tuple(data["ladder"]))


@dataclass(frozen=True, slots=True)
class ChunkReport:
    """What became of a chunk: a stretch of every rung, all of it stored."""

    number: int
    stretches: tuple[Stretch, ...]

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ChunkReport:
        """The reverse of `to_dict`, also after a round trip through JSON."""
        stretches = tuple(Stretch.from_dict(each) for each in data["stretches"])
        return cls(data["number"], stretches)


# Raised when a master would get other features than before; those that were told are then found anew.
SOUND_VERSION = 1
SOUND_CEPSTRA = 12
# What `SoundFeatures.vector` holds. Frequencies in Hz, flatness and levels in dB, crossings and tones as shares.
SOUND_NAMES = (
    *(f"{name}_{each}" for name in ("centroid", "bandwidth", "roll_off", "flatness", "crossings", "flux")
      for each in ("mean", "deviation")),
    "level_deviation",
    *(f"cepstrum_{number}_{each}" for number in range(1, SOUND_CEPSTRA + 1) for each in ("mean", "deviation")),
    *(f"tone_{tone}"
      for tone in ("c", "c_sharp", "d", "d_sharp", "e", "f", "f_sharp", "g", "g_sharp", "a", "a_sharp", "b")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SoundFeatures:
    """What a master sounds like. Of silence there is nothing to tell: no tempo, no key, an empty vector.

    `tempo` is in beats per minute and may be an octave off; `key` counts semitones from C, `mode` is "major" or
    "minor". Each confidence is from 0 (as good as chance) to 1. `vector` has the values of `SOUND_NAMES`.
    """

    tempo: float | None = None
    tempo_confidence: float = 0.0
    key: int | None = None
    mode: str | None = None
    key_confidence: float = 0.0
    vector: tuple[float, ...] = ()
    version: int = SOUND_VERSION

    def to_dict(self) -> dict[str, Any]:
        """The features as JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SoundFeatures:
        """The reverse of `to_dict`, also after a round trip through JSON."""
        return cls(**(data | {"vector": tuple(data["vector"])}))


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
    """What became of a job. `loudness` has integrated, range, true_peak; `timings` seconds by stage.

    `sound` is None where there is none, where it could not be heard, and in reports before version 3.
    """

    job_id: str
    attempt: int
    renditions: tuple[MadeRendition, ...]
    loudness: dict[str, float]
    timings: dict[str, float]
    version: int = VERSION
    sound: SoundFeatures | None = None
