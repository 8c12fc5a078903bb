"""Sounds whose tempo and key are known, since they are written so: one channel at any rate, as floats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

C_MAJOR = ((60, 64, 67), (60, 65, 69), (59, 62, 67), (60, 64, 67))  # I, IV, V, I
A_MINOR = ((57, 60, 64), (57, 62, 65), (56, 59, 64), (57, 60, 64))  # i, iv, V, i


def clicks(tempo: float, seconds: float, rate: int, *, noise: float = 0.0) -> NDArray[np.float32]:
    """A click on every beat, over noise of that level."""
    count = int(seconds * rate)
    sound = noise * np.random.default_rng(1).standard_normal(count)
    length = int(0.03 * rate)
    t = np.arange(length) / rate
    click = 0.7 * np.exp(-t / 0.005) * np.sin(2 * np.pi * 1500 * t)
    for beat in np.arange(0.1, seconds - 0.1, 60 / tempo):
        start = int(beat * rate)
        sound[start : start + length] += click[: count - start]
    return sound.astype(np.float32)


def chords(
    progression: Sequence[Sequence[int]], seconds: float, rate: int, *, up: float = 0.0, each: float = 1.0
) -> NDArray[np.float32]:
    """Chords of MIDI numbers that come round, plucked, with five overtones; `up` in semitones."""
    sound = np.zeros(int(seconds * rate))
    t = np.arange(int(each * rate)) / rate
    for number in range(int(seconds / each)):
        start = number * len(t)
        for midi in progression[number % len(progression)]:
            hertz = 440 * 2 ** ((midi - 69 + up) / 12)
            tone = sum(np.sin(2 * np.pi * hertz * n * t) / n for n in range(1, 6))
            sound[start : start + len(t)] += 0.08 * np.exp(-1.5 * t) * tone
    return sound.astype(np.float32)
