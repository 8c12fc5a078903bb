"""Sounds with something in every part of the spectrum, and files of them: what the ingest report is tried on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from media_samples import ffmpeg
from numpy.typing import NDArray


def song(seconds: float, rate: int, *, seed: int = 7) -> NDArray[np.float64]:
    """Stereo: chords that change, and hits of noise up to half the rate. Another seed is another song."""
    rng = np.random.default_rng(seed)
    count = int(seconds * rate)
    t = np.arange(count) / rate
    sound = 0.004 * rng.standard_normal((count, 2))
    beat = 0.25 + 0.02 * (seed % 5)
    for number in range(int(seconds / beat)):
        start = int(number * beat * rate)
        stop = min(count, start + int(2 * beat * rate))
        local = t[: stop - start]
        decay = np.exp(-local / 0.2)[:, None]
        for _note in range(3):
            pitch = 110 * 2 ** (int(rng.integers(0, 36)) / 12)
            wave = sum(np.sin(2 * np.pi * pitch * h * local + h) / h for h in range(1, 9))
            sound[start:stop] += 0.05 * wave[:, None] * decay * (0.3 + rng.random(2))
        sound[start:stop] += 0.05 * rng.standard_normal((stop - start, 2)) * np.exp(-local / 0.06)[:, None]
    return sound * (0.7 / np.abs(sound).max())


def write_wav(path: Path, sound: NDArray, rate: int, *, bits: int = 16, codec: str | None = None) -> Path:
    """The samples, 1.0 being full scale, dithered to `bits`, or as they are in another `codec`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = path.with_suffix(".raw")
    sound = np.atleast_2d(sound.T).T
    if codec is None:
        top = 2 ** (bits - 1) - 1
        dither = np.random.default_rng(3).triangular(-1, 0, 1, sound.shape) * (np.abs(sound) > 0)
        whole = np.clip(np.round(sound * top + dither * (np.abs(sound) < 1)), -top - 1, top).astype(np.int64)
        (whole << (32 - bits)).astype("<i4").tofile(raw)
        codec = f"pcm_s{bits}le"
        kind = "s32le"
    else:
        sound.astype("<f4").tofile(raw)
        kind = "f32le"
    ffmpeg("-f", kind, "-ar", str(rate), "-ac", str(sound.shape[1]), "-i", str(raw), "-c:a", codec, str(path))
    raw.unlink()
    return path


def lossy_copy(path: Path, suffix: str, bit_rate: str, *, bits: int = 16) -> Path:
    """The file after a round trip through a lossy encoder, as a WAV that claims to be lossless."""
    between = path.with_name(f"{path.stem}-{suffix}-{bit_rate}.{suffix}")
    ffmpeg("-i", str(path), "-b:a", bit_rate, str(between))
    made = between.with_suffix(".wav")
    ffmpeg("-i", str(between), "-c:a", f"pcm_s{bits}le", str(made))
    between.unlink()
    return made
