"""What a master is: opened, measured and decoded to its end before anybody pays for it.

`probe_file` takes a path and returns a message, reads nothing else and keeps nothing, so it can run in a child
process as it stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import mutagen
from av.error import FFmpegError
from av.stream import Disposition

from transcoder.contract import AudioFacts, Probe, VideoFacts
from transcoder.errors import N_, NotMedia
from transcoder.sniff import Sniffed, sniff
from transcoder.structure import check_whole, repeats_vorbis_headers, xing_frames

MAX_AUDIO_SECONDS = 12 * 3600
MAX_FILM_SECONDS = 12 * 3600
MIN_SECONDS = 0.1
MAX_SIDE = 8192
MIN_SIDE = 16
MAX_FRAME_RATE = 120
SAMPLE_RATES = (8_000, 384_000)
MAX_CHANNELS = 8

_LOSSY = {"aac", "mp3", "vorbis", "opus", "ac3", "eac3", "dts", "mp2"}
_AUDIO_CODECS = _LOSSY | {"flac", "alac"}  # and any pcm_*
_FILM_CODECS = {
    "h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "prores", "dnxhd", "ffv1", "mjpeg",
    "rawvideo", "v210", "qtrle", "png", "utvideo", "cfhd",
}  # fmt: skip
_PICTURES = {"mjpeg", "png", "gif", "bmp", "webp"}
# What a format may hold; a WAV with MP3 inside is not what its name says.
_HOLDS = {
    "wav": {"pcm"},
    "aiff": {"pcm"},
    "flac": {"flac"},
    "mp3": {"mp3"},
    "ogg": {"vorbis", "opus", "flac"},
}
_FRAMES_TO_SHOW = 3


@dataclass(frozen=True, slots=True)
class _Decoded:
    seconds: float
    samples: int
    rate: int
    packets: int
    sample_format: str
    end: float  # where the last packet that could be decoded says it ends, in seconds
    broken: bool  # whether the last packet could not be decoded


def probe_file(path: Path, name: str | None = None) -> Probe:
    """What the file at `path` is; raise NotMedia, whose text completes "the file …", unless it is whole and sound.

    `name` is the file's own name where `path` is a copy under another. Audio is decoded to its end; of a film every
    packet is read and a few frames are decoded. The bit depth of floating-point samples is given as 24, the most that
    any lossless format made from them keeps; that of a lossy codec as 0.
    """
    sniffed = sniff(path, name)
    try:
        check_whole(path, sniffed)
        # "file:" keeps a name such as "concat:a|b" a name; the format is the one the content showed.
        with av.open(
            f"file:{path.resolve()}",
            format=sniffed.demuxer,
            options={"protocol_whitelist": "file"},
            metadata_errors="replace",
        ) as container:
            video, audio = _streams(container)
            if video is not None:
                return _film(container, sniffed, video, audio)
            if audio is None:
                raise NotMedia(N_("holds neither sound nor film"))
            _check_suffix_of_audio(sniffed, audio, Path(name or path.name).suffix.lower())
            return _audio(container, sniffed, audio, path)
    except FFmpegError as error:
        if sniffed.demuxer == "ogg" and repeats_vorbis_headers(path):
            raise NotMedia(
                N_("carries its Vorbis headers twice, as some tag editors leave it: encode or multiplex it anew")
            ) from None
        raise NotMedia(N_("cannot be opened as %(kind)s: %(why)s"), kind=sniffed.called, why=_plain(error)) from None
    except OSError as error:
        raise NotMedia(N_("cannot be read: %(why)s"), why=error.strerror or str(error)) from None


def _streams(container: Any) -> tuple[Any | None, Any | None]:
    """The film's picture, if it is a film, and the first sound. A cover in an audio file is no film."""
    moving = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    moving = [s for s in moving if not (_codec(s) in _PICTURES and s.frames == 1)]
    return (moving or [None])[0], (list(container.streams.audio) or [None])[0]


def _audio(container: Any, sniffed: Sniffed, stream: Any, path: Path) -> Probe:
    codec = _codec(stream)
    allowed = _HOLDS.get(sniffed.container)
    if allowed is not None and codec not in allowed and codec.split("_")[0] not in allowed:
        raise NotMedia(N_("is a %(kind)s file with %(codec)s inside"), kind=sniffed.called, codec=codec or "?")
    if codec not in _AUDIO_CODECS and not codec.startswith("pcm_"):
        raise NotMedia(N_("holds sound that cannot be decoded (%(codec)s)"), codec=codec or "?")
    _check_format(stream)
    declared = _declared_seconds(container, stream)
    if declared is not None and declared > MAX_AUDIO_SECONDS:
        raise _too_long(MAX_AUDIO_SECONDS)
    decoded = _decode_all(container, stream, codec)
    _check_length(sniffed, stream, decoded, path, declared)
    if decoded.broken:
        raise _damaged(decoded.seconds)
    if decoded.samples == 0:
        raise NotMedia(N_("holds no sound"))
    if decoded.seconds < MIN_SECONDS:
        raise NotMedia(N_("is shorter than a tenth of a second"))
    return Probe(sniffed.container, "audio", decoded.seconds, _audio_facts(stream, codec, decoded, path), None)


def _film(container: Any, sniffed: Sniffed, stream: Any, sound: Any | None) -> Probe:
    codec = _codec(stream)
    if sniffed.container not in ("mp4", "mov", "matroska"):
        raise NotMedia(N_("is a %(kind)s file with %(codec)s inside"), kind=sniffed.called, codec=codec or "?")
    if codec not in _FILM_CODECS:
        raise NotMedia(N_("holds a picture that cannot be decoded (%(codec)s)"), codec=codec or "?")
    facts = None
    if sound is not None:
        sound_codec = _codec(sound)
        if sound_codec not in _AUDIO_CODECS and not sound_codec.startswith("pcm_"):
            raise NotMedia(N_("holds sound that cannot be decoded (%(codec)s)"), codec=sound_codec or "?")
        _check_format(sound)
        facts = _audio_facts(sound, sound_codec, None, None)
    declared = _declared_seconds(container, stream)
    if declared is not None and declared > MAX_FILM_SECONDS:
        raise _too_long(MAX_FILM_SECONDS)
    # The size that the header declares is checked before a frame of that size is asked for.
    _check_picture(stream.codec_context.width, stream.codec_context.height)
    rotation = _decode_some(container, stream)
    seconds = _read_all(container, stream)
    if declared is not None and seconds < declared - max(1.0, declared * 0.02):
        raise NotMedia(
            N_("is truncated: %(has)s of %(wants)s seconds are there"), has=round(seconds), wants=round(declared)
        )
    if seconds < MIN_SECONDS:
        raise NotMedia(N_("holds no moving picture"))
    if seconds > MAX_FILM_SECONDS:
        raise _too_long(MAX_FILM_SECONDS)
    width, height = _as_shown(stream, rotation)
    _check_picture(width, height)
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    if rate > MAX_FRAME_RATE or rate <= 0:
        raise NotMedia(N_("has %(rate)s frames a second; the shop takes up to %(most)s"), rate=int(rate), most=120)
    picture = VideoFacts(codec, width, height, (rate.numerator, rate.denominator))
    return Probe(sniffed.container, "film", seconds, facts, picture)


def _decode_all(container: Any, stream: Any, codec: str) -> _Decoded:
    """Decode the sound to its end; one frame that fails makes the file damaged."""
    decoder = stream.codec_context
    if codec == "flac":
        # A frame whose checksum fails is otherwise passed on as if it were sound. The stream's own decoder is
        # open already, too late for options.
        decoder = av.CodecContext.create("flac", "r")
        decoder.extradata = stream.codec_context.extradata
        decoder.options = {"err_detect": "crccheck+explode"}
    end, broken = 0.0, False
    samples, packets, rate, sample_format = 0, 0, 0, ""
    forgiven = 0
    packets_left = container.demux(stream)
    for packet in packets_left:
        if packet.size:
            packets += 1
        try:
            frames = decoder.decode(packet if packet.size else None)
        except FFmpegError:
            # An MP3 cut out of a longer one starts with frames whose bits lie before the cut.
            if codec == "mp3" and forgiven < 2 and packets <= 3:
                forgiven += 1
                continue
            if not any(later.size for later in packets_left):
                broken = True  # the very last one: most likely the file was cut there
                break
            raise _damaged(samples / rate if rate else 0) from None
        for frame in frames:
            samples += frame.samples
            rate, sample_format = frame.sample_rate, frame.format.name
        if packet.size and packet.pts is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
        if rate and samples > MAX_AUDIO_SECONDS * rate:
            raise _too_long(MAX_AUDIO_SECONDS)
    return _Decoded(samples / rate if rate else 0.0, samples, rate, packets, sample_format, end, broken)


def _check_length(sniffed: Sniffed, stream: Any, decoded: _Decoded, path: Path, declared: float | None) -> None:
    """What the file says of its length against what came out."""
    if sniffed.container == "flac":
        # mutagen reads STREAMINFO; libav would estimate where the count is missing.
        wants = int(getattr(mutagen.File(path).info, "total_samples", 0))
        if wants and decoded.samples < wants:
            if decoded.end * stream.rate > wants - 1:
                raise NotMedia(N_("is damaged: parts in the middle cannot be decoded"))
            raise _short(decoded.samples / decoded.rate if decoded.rate else 0, wants / stream.rate)
    elif sniffed.container == "mp3":
        frames = xing_frames(path, sniffed.start)
        if frames is not None and decoded.packets < frames - 1:
            raise _short(decoded.seconds, decoded.seconds * frames / max(1, decoded.packets))
    elif declared is not None and decoded.seconds < declared - max(0.25, declared * 0.005):
        raise _short(decoded.seconds, declared)


def _damaged(seconds: float) -> NotMedia:
    return NotMedia(N_("is damaged: it cannot be decoded beyond %(seconds)s seconds"), seconds=f"{seconds:.1f}")


def _short(has: float, wants: float) -> NotMedia:
    return NotMedia(N_("is truncated: %(has)s of %(wants)s seconds are there"), has=f"{has:.1f}", wants=f"{wants:.1f}")


def _decode_some(container: Any, stream: Any) -> int:
    """Decode the first frames; return the first one's rotation in degrees."""
    stream.thread_type = "AUTO"
    rotation, seen = 0, 0
    for frame in container.decode(stream):
        if seen == 0:
            rotation = int(frame.rotation)
        seen += 1
        if seen >= _FRAMES_TO_SHOW:
            break
    if seen == 0:
        raise NotMedia(N_("holds no moving picture"))
    container.seek(0)
    return rotation


def _read_all(container: Any, stream: Any) -> float:
    """Read every packet of the picture; return where the last one ends, in seconds."""
    start, end = None, 0.0
    for packet in container.demux(stream):
        if packet.pts is None:
            continue
        at = float(packet.pts * packet.time_base)
        start = at if start is None else min(start, at)
        end = max(end, at + float((packet.duration or 0) * packet.time_base))
    return end - (start or 0.0) if start is not None else 0.0


def _as_shown(stream: Any, rotation: int) -> tuple[int, int]:
    """The picture's size as a viewer sees it: pixels made square, rotation applied."""
    width, height = stream.codec_context.width, stream.codec_context.height
    aspect = stream.sample_aspect_ratio
    if aspect and Fraction(1, 4) <= aspect <= 4:
        width = round(width * aspect)
    return (height, width) if rotation % 180 else (width, height)


def _check_picture(width: int, height: int) -> None:
    if not (MIN_SIDE <= width <= MAX_SIDE and MIN_SIDE <= height <= MAX_SIDE):
        raise NotMedia(
            N_("has a picture of %(width)s × %(height)s; the shop takes %(least)s to %(most)s a side"),
            width=width,
            height=height,
            least=MIN_SIDE,
            most=MAX_SIDE,
        )


def _check_format(stream: Any) -> None:
    least, most = SAMPLE_RATES
    if not least <= stream.rate <= most:
        raise NotMedia(
            N_("has %(rate)s samples a second; the shop takes %(least)s to %(most)s"),
            rate=stream.rate,
            least=least,
            most=most,
        )
    if not 1 <= stream.channels <= MAX_CHANNELS:
        raise NotMedia(
            N_("has %(channels)s channels; the shop takes up to %(most)s"), channels=stream.channels, most=MAX_CHANNELS
        )


def _check_suffix_of_audio(sniffed: Sniffed, stream: Any, suffix: str) -> None:
    if suffix == ".opus" and _codec(stream) != "opus":
        raise NotMedia(N_("is named %(suffix)s but holds %(kind)s"), suffix=suffix, kind=_codec(stream))


def _audio_facts(stream: Any, codec: str, decoded: _Decoded | None, path: Path | None) -> AudioFacts:
    lossless = codec not in _LOSSY
    rate = decoded.rate if decoded else stream.rate
    depth = _bit_depth(stream, codec, decoded, path) if lossless else 0
    return AudioFacts(codec, rate, stream.channels, depth, lossless)


def _bit_depth(stream: Any, codec: str, decoded: _Decoded | None, path: Path | None) -> int:
    if codec.startswith("pcm_"):
        digits = "".join(c for c in codec.split("_")[1] if c.isdigit())
        if codec.startswith(("pcm_f", "pcm_alaw", "pcm_mulaw")):
            return 24 if codec.startswith("pcm_f") else 16
        return min(32, int(digits or 16))
    # libav widens 24 bits to 32 on decoding; the file's own header tells them apart.
    info = getattr(mutagen.File(path), "info", None) if path is not None else None
    told = getattr(info, "bits_per_sample", 0)
    if told:
        return int(told)
    sample_format = decoded.sample_format if decoded else stream.format.name
    return 16 if sample_format.startswith("s16") else 24


def _codec(stream: Any) -> str:
    context = stream.codec_context
    return str(context.codec.canonical_name) if context is not None else ""


def _declared_seconds(container: Any, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration is not None else None


def _too_long(most: int) -> NotMedia:
    return NotMedia(N_("is longer than the %(hours)s hours the shop takes"), hours=most // 3600)


def _plain(error: FFmpegError) -> str:
    """FFmpeg's reason without the path and the error number."""
    return (error.strerror or "unknown").lower()


def container_metadata(path: Path) -> dict[str, str]:
    """What libav finds written in a Matroska or QuickTime file, by its own names; empty for other formats."""
    sniffed = sniff(path)
    if sniffed.demuxer not in ("matroska", "mov"):
        return {}
    with av.open(
        f"file:{path.resolve()}",
        format=sniffed.demuxer,
        options={"protocol_whitelist": "file"},
        metadata_errors="replace",
    ) as container:
        return dict(container.metadata)
