"""The ladder: which rungs a master becomes, decided from its probe alone.

The sizes and rates follow Apple's HLS Authoring Specification for Apple Devices; the short side of a picture names
its rung, so an upright film gets the rungs its lying twin would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from transcoder import languages
from transcoder.contract import Probe, SoundTrack

SEGMENT_SECONDS = 6
IDR_SECONDS = 2
PREVIEW_SECONDS = 30.0
MAX_FRAME_RATE = 60.0

AAC_KBPS = (64, 128, 256)
FILM_AAC_KBPS = (128, 256)

# height: peak kbit/s
_FILM = {1080: 6000, 720: 3400, 480: 1600, 360: 900}
# A film that fits one of them only has a smaller one besides, so that players have a choice: of so many lines, or half.
_SMALLER, _SMALLEST = 240, 64
# From a film's top rung down. Watched as large as the top, a smaller rung is worth its bits only at a higher CRF: with
# a lower one, the rung above gives the better picture for as many.
_CRFS = (24, 27, 29, 31)


@dataclass(frozen=True, slots=True)
class AudioRung:
    """One sound rendition. `bit_depth` is 0 for AAC; `kbps` is 0 for FLAC.

    `group` is the audio group of a film that it belongs to, `track` which of the master's sounds it is.
    """

    name: str
    codec: str
    kbps: int
    sample_rate: int
    channels: int
    bit_depth: int
    group: str = ""
    track: int = 0
    language: str = ""
    title: str = ""
    default: bool = True
    role: str = ""


@dataclass(frozen=True, slots=True)
class FilmRung:
    """One picture rendition. `audio` names the audio group it plays with."""

    name: str
    width: int
    height: int
    crf: int
    max_kbps: int
    audio: str


@dataclass(frozen=True, slots=True)
class Strip:
    """A thumbnail strip: `count` pictures of `width` × `height`, row by row, one every `interval` seconds."""

    columns: int
    rows: int
    count: int
    width: int
    height: int
    interval: int


def lossy_rate(sample_rate: int) -> int:
    """The sample rate of every lossy encode: 44.1 and 48 kHz as they are, others at the nearest above or 48 kHz."""
    if sample_rate in (44100, 48000):
        return sample_rate
    return 44100 if sample_rate < 44100 else 48000


def audio_rungs(probe: Probe) -> tuple[AudioRung, ...]:
    """The sound of a stream, least bandwidth first; a film's groups of it, each with every track of the master.

    A master without sound has none. Only a lossless master gets a FLAC rung: FLAC of a lossy file would promise
    what was lost before it came. Above 48 kHz the FLAC rung is resampled to 48 kHz, 24 bits deep, because Firefox
    plays FLAC in fMP4 no faster; the FLAC download keeps the master's rate.
    """
    audio = probe.audio
    if audio is None:
        return ()
    rate, channels = lossy_rate(audio.sample_rate), min(2, audio.channels)
    if probe.kind == "film":
        return tuple(rung for kbps in FILM_AAC_KBPS for rung in _sound_group(probe, kbps, rate))
    rungs = [AudioRung(f"aac-{kbps}", "aac", kbps, rate, channels, 0) for kbps in AAC_KBPS]
    if audio.lossless:
        resampled = audio.sample_rate > 48000
        depth = 24 if resampled else flac_depth(audio.bit_depth)
        rungs.append(AudioRung("flac", "flac", 0, min(audio.sample_rate, 48000), audio.channels, depth))
    return tuple(rungs)


def _sound_group(probe: Probe, kbps: int, rate: int) -> list[AudioRung]:
    """A film's sound tracks at one bit rate: the first is called after the group, the others are numbered."""
    assert probe.audio is not None
    heard = probe.sounds or (SoundTrack(0, "", "", probe.audio.channels),)
    titles = languages.names([(each.language, each.title) for each in heard], otherwise="Original")
    chosen = next((n for n, each in enumerate(heard) if each.default and not each.role), 0)
    group = f"aac-{kbps}"
    return [
        AudioRung(
            f"{group}-{n}" if n else group,
            "aac",
            kbps,
            rate,
            min(2, each.channels),
            0,
            group=group,
            track=each.index,
            language=each.language,
            title=title,
            default=n == chosen,
            role=each.role,
        )
        for n, (each, title) in enumerate(zip(heard, titles, strict=True))
    ]


def flac_depth(bit_depth: int) -> int:
    """How deep a FLAC of such samples is: 16 or 24; 32-bit samples are rounded to 24."""
    return 16 if bit_depth <= 16 else 24


def film_rungs(probe: Probe) -> tuple[FilmRung, ...]:
    """The pictures of a stream, largest first: what fits within the source, never scaled up.

    A wide film (1920 × 800) counts by the 16:9 box it fills, so it keeps its full width on the 1080 rung.
    """
    video = probe.video
    if video is None or probe.kind != "film":
        return ()
    short, long = sorted((video.width, video.height))
    size = max(short, round(long * 9 / 16))
    rungs: list[FilmRung] = []
    for height, kbps in _FILM.items():
        if height <= size:
            width, high = _scaled(video.width, video.height, height / size)
            audio = "aac-256" if height >= 720 or not rungs else "aac-128"
            rungs.append(FilmRung(f"v{height}", width, high, _CRFS[len(rungs)], kbps, audio))
    if not rungs:
        width, high = _scaled(video.width, video.height, 1.0)
        rungs.append(FilmRung(f"v{size}", width, high, _CRFS[0], 900, "aac-256"))
    below = _SMALLER if size >= _SMALLER * 4 / 3 else size // 2
    if len(rungs) == 1 and below >= _SMALLEST:
        width, high = _scaled(video.width, video.height, below / size)
        rungs.append(FilmRung(f"v{below}", width, high, _CRFS[1], 450, "aac-128"))
    return tuple(rungs)


# What measures best by VMAF for the time it takes: without x264's psychovisual bias, bits shared out by variance, and
# of what slower presets have whatever costs the quick ones next to nothing, looking ahead as far as a GOP reaches.
_X264 = {"psy": 0, "aq-mode": 2}
_X264_QUICK = {"trellis": 1, "rc-lookahead": 48, "direct": "auto", "weightp": 2}
_QUICK_PRESETS = {"ultrafast", "superfast", "veryfast", "faster", "fast", "medium"}


def x264_params(preset: str) -> str:
    """x264's own options beside a preset, as FFmpeg's `-x264-params` takes them."""
    options = _X264 | (_X264_QUICK if preset in _QUICK_PRESETS else {})
    return ":".join(f"{name}={value}" for name, value in options.items())


def frame_rate(probe: Probe) -> tuple[int, int]:
    """The constant frame rate of every rung, as a fraction: the source's, or 60 where that is faster or senseless."""
    assert probe.video is not None
    numerator, denominator = probe.video.frame_rate
    if numerator <= 0 or denominator <= 0:
        return 25, 1
    if numerator / denominator > MAX_FRAME_RATE + 0.01:
        return 60, 1
    return numerator, denominator


def gop_frames(rate: tuple[int, int]) -> int:
    """Frames between IDR pictures: two seconds, rounded up, so that three GOPs never fall short of a segment."""
    return max(1, math.ceil(IDR_SECONDS * rate[0] / rate[1] - 1e-6))


def segment_frames(rate: tuple[int, int]) -> int:
    """Frames in each segment of a film: whole GOPs, six seconds or the first end of a GOP after them."""
    gop = gop_frames(rate)
    return gop * max(1, math.ceil(SEGMENT_SECONDS * rate[0] / rate[1] / gop - 1e-6))


def segment_seconds(probe: Probe) -> float:
    """How long each segment of a stream is; of a film's sounds as of its pictures."""
    if probe.kind != "film":
        return float(SEGMENT_SECONDS)
    rate = frame_rate(probe)
    return segment_frames(rate) * rate[1] / rate[0]


def on_air_rung(rungs: Sequence[FilmRung]) -> FilmRung:
    """The rung a film is first seen in while it is encoded: the largest that is quick to make."""
    return next((rung for rung in rungs if min(rung.width, rung.height) <= 480), rungs[-1])


def preview_window(duration: float) -> tuple[float, float]:
    """Start and length in seconds of the preview: from a quarter in, where a piece has found itself.

    Of what is shorter than a minute it is half: a preview never gives the whole away.
    """
    length = min(PREVIEW_SECONDS, duration / 2)
    return min(duration / 4, max(0.0, duration - length)), length


def film_preview(probe: Probe) -> tuple[float, float]:
    """A film's preview: `preview_window`, begun and ended where an IDR picture is, so that pictures can be copied."""
    start, length = preview_window(probe.duration)
    rate = frame_rate(probe)
    step = gop_frames(rate) * rate[1] / rate[0]
    return math.floor(start / step) * step, max(1, math.floor(length / step)) * step


def thumbnail_strip(probe: Probe) -> Strip:
    """The strip of a film: at most about a hundred pictures, no closer than two seconds."""
    assert probe.video is not None
    interval = max(2, math.ceil(probe.duration / 100))
    count = max(1, math.ceil(probe.duration / interval))
    columns = min(10, count)
    width, height = _scaled(probe.video.width, probe.video.height, 160 / max(probe.video.width, probe.video.height))
    return Strip(columns, math.ceil(count / columns), count, width, height, interval)


def _scaled(width: int, height: int, factor: float) -> tuple[int, int]:
    return _even(width * factor), _even(height * factor)


def _even(value: float) -> int:
    return max(2, round(value / 2) * 2)
