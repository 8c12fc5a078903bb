"""What a master is: opened, measured and decoded to its end before anybody pays for it.

This runs in the sandboxed child that `transcoder.probe` starts, never beside the shop's own memory. The master comes
as two open files, one for libav and one for everybody else, because either moves its own place in it.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO

import av
from av.error import FFmpegError
from av.sidedata.sidedata import Type as SideData
from av.stream import Disposition

from transcoder import accepted, colour, tag_reader, tracks
from transcoder.contract import AudioFacts, Probe, VideoFacts
from transcoder.errors import N_, NotMedia
from transcoder.sniff import Sniffed
from transcoder.structure import check_whole, repeats_vorbis_headers, xing_frames

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


def open_master(fd: int, sniffed: Sniffed) -> Any:
    """The open file `fd` as a libav container: of the format its content showed, and nothing else opened for it."""
    os.lseek(fd, 0, os.SEEK_SET)
    options = {"fd": str(fd)} | accepted.allow_list(sniffed.format)
    return av.open("fd:", format=sniffed.format.demuxer, options=options, metadata_errors="replace")


def measure(fd: int, file: BinaryIO, sniffed: Sniffed, suffix: str) -> Probe:
    """What the master is; raise NotMedia, whose text completes "the file …", unless it is whole and sound.

    `fd` and `file` are the same master, opened twice; `suffix` is that of its own name. Audio is decoded to its end;
    of a film every packet is read and a few frames are decoded. The bit depth of floating-point samples is given as
    24, the most that any lossless format made from them keeps; that of a lossy codec as 0.
    """
    try:
        check_whole(file, sniffed)
        with open_master(fd, sniffed) as container:
            video, audio = _streams(container)
            if video is not None:
                return _film(container, sniffed, video, audio)
            if audio is None:
                raise NotMedia(N_("holds neither sound nor film"))
            _check_suffix_of_audio(sniffed, audio, suffix)
            return _audio(container, sniffed, audio, file)
    except FFmpegError as error:
        if sniffed.container == "ogg" and repeats_vorbis_headers(file):
            raise NotMedia(
                N_("carries its Vorbis headers twice, as some tag editors leave it: encode or multiplex it anew")
            ) from None
        raise NotMedia(N_("cannot be opened as %(kind)s: %(why)s"), kind=sniffed.called, why=_plain(error)) from None
    except OSError as error:
        raise NotMedia(N_("cannot be read: %(why)s"), why=error.strerror or str(error)) from None


def _streams(container: Any) -> tuple[Any | None, Any | None]:
    """The film's picture, if it is a film, and the first sound. A cover in an audio file is no film."""
    moving = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    moving = [s for s in moving if not (_codec(s) in accepted.PICTURES and s.frames == 1)]
    return (moving or [None])[0], (list(container.streams.audio) or [None])[0]


def _audio(container: Any, sniffed: Sniffed, stream: Any, file: BinaryIO) -> Probe:
    codec = _codec(stream)
    _check_sound(sniffed, codec)
    _check_format(stream)
    declared = _declared_seconds(container, stream)
    if declared is not None and declared > accepted.MAX_SECONDS:
        raise _too_long(accepted.MAX_SECONDS)
    decoded = _decode_all(container, stream, codec)
    _check_length(sniffed, stream, decoded, file, declared)
    if decoded.broken:
        raise _damaged(decoded.seconds)
    if decoded.samples == 0:
        raise NotMedia(N_("holds no sound"))
    if decoded.seconds < accepted.MIN_SECONDS:
        raise NotMedia(N_("is shorter than a tenth of a second"))
    return Probe(
        sniffed.container,
        "audio",
        decoded.seconds,
        _audio_facts(sniffed, stream, codec, decoded, file),
        None,
        chapters=tracks.chapters(container, decoded.seconds),
    )


def _film(container: Any, sniffed: Sniffed, stream: Any, sound: Any | None) -> Probe:
    codec = _codec(stream)
    if not sniffed.format.picture:
        raise NotMedia(N_("is a %(kind)s file with %(codec)s inside"), kind=sniffed.called, codec=codec or "?")
    if codec not in sniffed.format.picture:
        raise NotMedia(N_("holds a picture that cannot be decoded (%(codec)s)"), codec=codec or "?")
    facts = None
    if sound is not None:
        sound_codec = _codec(sound)
        _check_sound(sniffed, sound_codec)
        _check_format(sound)
        facts = _audio_facts(sniffed, sound, sound_codec)
    declared = _declared_seconds(container, stream)
    if declared is not None and declared > accepted.MAX_SECONDS:
        raise _too_long(accepted.MAX_SECONDS)
    # The size that the header declares is checked before a frame of that size is asked for.
    _check_picture(stream.codec_context.width, stream.codec_context.height)
    rotation, colours = _decode_some(container, stream)
    seconds, last = _read_all(container, stream)
    # Where the picture's own length is not told, the container's is: of sound or subtitles, it may be, that run on.
    there = seconds if stream.duration is not None else max(seconds, last)
    if declared is not None and there < declared - max(1.0, declared * 0.02):
        raise NotMedia(
            N_("is truncated: %(has)s of %(wants)s seconds are there"), has=round(there), wants=round(declared)
        )
    if seconds < accepted.MIN_SECONDS:
        raise NotMedia(N_("holds no moving picture"))
    if seconds > accepted.MAX_SECONDS:
        raise _too_long(accepted.MAX_SECONDS)
    width, height = _as_shown(stream, rotation)
    _check_picture(width, height)
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    if rate > accepted.MAX_FRAME_RATE or rate <= 0:
        raise NotMedia(
            N_("has %(rate)s frames a second; the shop takes up to %(most)s"),
            rate=int(rate),
            most=accepted.MAX_FRAME_RATE,
        )
    picture = VideoFacts(codec, width, height, (rate.numerator, rate.denominator), **colours)
    return Probe(
        sniffed.container,
        "film",
        seconds,
        facts,
        picture,
        sounds=tracks.sounds(container, sniffed.format.holds),
        texts=tracks.texts(container),
        chapters=tracks.chapters(container, seconds),
    )


def _check_sound(sniffed: Sniffed, codec: str) -> None:
    if sniffed.format.holds(codec):
        return
    if not sniffed.format.picture:  # a WAV with MP3 inside is not what its name says
        raise NotMedia(N_("is a %(kind)s file with %(codec)s inside"), kind=sniffed.called, codec=codec or "?")
    raise NotMedia(N_("holds sound that cannot be decoded (%(codec)s)"), codec=codec or "?")


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
        if rate and samples > accepted.MAX_SECONDS * rate:
            raise _too_long(accepted.MAX_SECONDS)
    return _Decoded(samples / rate if rate else 0.0, samples, rate, packets, sample_format, end, broken)


def _check_length(sniffed: Sniffed, stream: Any, decoded: _Decoded, file: BinaryIO, declared: float | None) -> None:
    """What the file says of its length against what came out."""
    if sniffed.container == "flac":
        # mutagen reads STREAMINFO; libav would estimate where the count is missing.
        wants = int(getattr(tag_reader.info(file, sniffed), "total_samples", 0))
        if wants and decoded.samples < wants:
            if decoded.end * stream.rate > wants - 1:
                raise NotMedia(N_("is damaged: parts in the middle cannot be decoded"))
            raise _short(decoded.samples / decoded.rate if decoded.rate else 0, wants / stream.rate)
    elif sniffed.container == "mp3":
        frames = xing_frames(file, sniffed.start)
        if frames is not None and decoded.packets < frames - 1:
            raise _short(decoded.seconds, decoded.seconds * frames / max(1, decoded.packets))
    elif declared is not None and decoded.seconds < declared - max(0.25, declared * 0.005):
        raise _short(decoded.seconds, declared)


def _damaged(seconds: float) -> NotMedia:
    return NotMedia(N_("is damaged: it cannot be decoded beyond %(seconds)s seconds"), seconds=f"{seconds:.1f}")


def _short(has: float, wants: float) -> NotMedia:
    return NotMedia(N_("is truncated: %(has)s of %(wants)s seconds are there"), has=f"{has:.1f}", wants=f"{wants:.1f}")


def _decode_some(container: Any, stream: Any) -> tuple[int, dict[str, Any]]:
    """Decode the first frames; return the first one's rotation in degrees and what it tells of its colours."""
    stream.codec_context.thread_count = 1  # each thread would hold frames of its own, for three of them
    rotation, colours, seen = 0, {}, 0
    for frame in container.decode(stream):
        if seen == 0:
            rotation, colours = int(frame.rotation), _colours(frame)
        seen += 1
        if seen >= _FRAMES_TO_SHOW:
            break
    if seen == 0:
        raise NotMedia(N_("holds no moving picture"))
    container.seek(0)
    return rotation, colours


def _colours(frame: Any) -> dict[str, Any]:
    primaries, transfer, matrix = colour.names(*map(int, (frame.color_primaries, frame.color_trc, frame.colorspace)))
    peak = 0
    if mastering := frame.side_data.get(SideData.MASTERING_DISPLAY_METADATA):
        # AVMasteringDisplayMetadata ends with the most light as a fraction and two flags: colours told, light told.
        *_, light, per, _, told = struct.unpack("=22i", bytes(mastering)[:88])
        peak = round(light / per) if told and per > 0 and light > 0 else 0
    if level := frame.side_data.get(SideData.CONTENT_LIGHT_LEVEL):
        peak = struct.unpack("=2I", bytes(level)[:8])[0] or peak
    return {
        "transfer": transfer,
        "primaries": primaries,
        "matrix": "gbr" if frame.format.is_rgb else matrix,
        "peak_nits": min(10_000, peak),
    }


def _read_all(container: Any, stream: Any) -> tuple[float, float]:
    """Read every packet; return the picture's length and where the last packet of any stream ends, in seconds."""
    start, end, last = None, 0.0, 0.0
    frame = float(1 / stream.average_rate) if stream.average_rate else 0.0
    for packet in container.demux():
        if packet.pts is None:
            continue
        at, unit = float(packet.pts * packet.time_base), float(packet.time_base)
        length = (packet.duration or 0) * unit
        last = max(last, at + length)
        if packet.stream.index != stream.index:
            continue
        if abs(frame - length) < unit:
            length = frame  # Matroska rounds to milliseconds
        start = at if start is None else min(start, at)
        end = max(end, at + length)
    return (end - start if start is not None else 0.0), last


def _as_shown(stream: Any, rotation: int) -> tuple[int, int]:
    """The picture's size as a viewer sees it: pixels made square, rotation applied."""
    width, height = stream.codec_context.width, stream.codec_context.height
    aspect = stream.sample_aspect_ratio
    if aspect and Fraction(1, 4) <= aspect <= 4:
        width = round(width * aspect)
    return (height, width) if rotation % 180 else (width, height)


def _check_picture(width: int, height: int) -> None:
    least, most = accepted.MIN_SIDE, accepted.MAX_SIDE
    if not (least <= width <= most and least <= height <= most):
        raise NotMedia(
            N_("has a picture of %(width)s × %(height)s; the shop takes %(least)s to %(most)s a side"),
            width=width,
            height=height,
            least=least,
            most=most,
        )
    if width * height > accepted.MAX_PIXELS:
        raise NotMedia(
            N_("has a picture of %(width)s × %(height)s; the shop takes up to %(most)s pixels"),
            width=width,
            height=height,
            most=accepted.MAX_PIXELS,
        )


def _check_format(stream: Any) -> None:
    least, most = accepted.SAMPLE_RATES
    if not least <= stream.rate <= most:
        raise NotMedia(
            N_("has %(rate)s samples a second; the shop takes %(least)s to %(most)s"),
            rate=stream.rate,
            least=least,
            most=most,
        )
    if not 1 <= stream.channels <= accepted.MAX_CHANNELS:
        raise NotMedia(
            N_("has %(channels)s channels; the shop takes up to %(most)s"),
            channels=stream.channels,
            most=accepted.MAX_CHANNELS,
        )


def _check_suffix_of_audio(sniffed: Sniffed, stream: Any, suffix: str) -> None:
    if suffix == ".opus" and _codec(stream) != "opus":
        raise NotMedia(N_("is named %(suffix)s but holds %(kind)s"), suffix=suffix, kind=_codec(stream))


def _audio_facts(
    sniffed: Sniffed, stream: Any, codec: str, decoded: _Decoded | None = None, file: BinaryIO | None = None
) -> AudioFacts:
    lossless = codec not in accepted.LOSSY
    rate = decoded.rate if decoded else stream.rate
    depth = 0
    if lossless:
        # libav widens 24 bits to 32 on decoding; the file's own header tells them apart.
        told = getattr(tag_reader.info(file, sniffed), "bits_per_sample", 0) if file is not None else 0
        depth = _bit_depth(stream, codec, decoded, int(told or 0))
    return AudioFacts(codec, rate, stream.channels, depth, lossless)


def _bit_depth(stream: Any, codec: str, decoded: _Decoded | None, told: int) -> int:
    if codec.startswith("pcm_"):
        digits = "".join(c for c in codec.split("_")[1] if c.isdigit())
        if codec.startswith(("pcm_f", "pcm_alaw", "pcm_mulaw")):
            return 24 if codec.startswith("pcm_f") else 16
        return min(32, int(digits or 16))
    if told:
        return told
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


def container_metadata(fd: int, sniffed: Sniffed) -> dict[str, str]:
    """What libav finds written in a Matroska or QuickTime file, by its own names; empty for other formats."""
    if sniffed.format.demuxer not in ("matroska", "mov"):
        return {}
    with open_master(fd, sniffed) as container:
        return dict(container.metadata)
