"""Master files: integers and pictures put into the containers a label would send, without dates or random ids."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.demo.catalogue import Master
from app.demo.dsp import Signal, seeded
from app.demo.mastering import quantise

_CHUNK = 1 << 16
_EXACT = {"fflags": "+bitexact"}
_FORMATS = {".m4a": "ipod", ".mp4": "mp4", ".mkv": "matroska", ".aiff": "aiff"}


def write_audio(path: Path, sound: Signal, master: Master) -> None:
    """Write a stereo signal as the master's kind of file, dithered to its word length."""
    with av.open(str(path), "w", format=_FORMATS.get(path.suffix), options=_EXACT) as out:
        stream: Any = out.add_stream(master.codec, rate=master.rate, layout="stereo")
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        if not master.bits:
            stream.codec_context.bit_rate = 320_000
        stream.codec_context.format = {"libmp3lame": "fltp", "alac": "s16p"}.get(
            master.codec, "s32" if master.bits > 16 else "s16"
        )
        for frame in _frames(_samples(sound, master.bits), master.rate):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def write_film(
    path: Path,
    pictures: Iterator[Image.Image],
    size: tuple[int, int],
    frame_rate: int,
    sound: Signal,
    master: Master,
    metadata: dict[str, str],
) -> None:
    """Write pictures and a soundtrack; `metadata` goes into the container (Matroska is tagged nowhere else)."""
    with av.open(str(path), "w", format=_FORMATS[path.suffix], options=_EXACT) as out:
        out.metadata.update(metadata)
        options = {"preset": "ultrafast", "crf": "17", "threads": "2"}  # threads fixed: the output depends on it
        video: Any = out.add_stream(master.codec, rate=frame_rate, options=options)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.codec_context.flags |= av.codec.context.Flags.bitexact
        lossless = path.suffix == ".mkv"
        audio: Any = out.add_stream("flac" if lossless else "aac", rate=master.rate, layout="stereo")
        audio.codec_context.flags |= av.codec.context.Flags.bitexact
        if lossless:
            audio.codec_context.format = "s16"
        else:
            audio.codec_context.bit_rate = 256_000
        frames = _frames(_samples(sound, 16), master.rate)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = number, Fraction(1, frame_rate)
            out.mux(video.encode(frame))
            if number % frame_rate == 0 and (block := next(frames, None)) is not None:
                out.mux(audio.encode(block))
        for block in frames:
            out.mux(audio.encode(block))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))


def _samples(sound: Signal, bits: int) -> NDArray:
    """Interleaved samples: 16 bits as such, 24 in the upper part of 32, or floats for a codec that takes those."""
    if not bits:
        return np.ascontiguousarray(sound, np.float32)
    whole = quantise(sound, bits, seeded("dither", len(sound)))
    return whole.astype(np.int16) if bits == 16 else (whole << 8).astype(np.int32)


def _frames(interleaved: NDArray, rate: int) -> Iterator[av.AudioFrame]:
    kind = {"i2": "s16", "i4": "s32", "f4": "flt"}[interleaved.dtype.str[1:]]
    for start in range(0, len(interleaved), _CHUNK):
        block = np.ascontiguousarray(interleaved[start : start + _CHUNK]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(block, format=kind, layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        yield frame
