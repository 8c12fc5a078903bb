"""Waveform peaks: what a player draws behind its progress bar, measured while loudness is."""

from __future__ import annotations

import math
import re
from itertools import pairwise

VALUES = 400
# Finer than what is shown, so that a duration the container got wrong by a little costs no window.
_WINDOWS = 4 * VALUES

_LEVEL = re.compile(r"lavfi\.astats\.Overall\.Peak_level=(\S+)")


def window_samples(duration: float, sample_rate: int) -> int:
    """Samples per measured window."""
    return max(16, math.ceil(duration * sample_rate / _WINDOWS))


def parse(text: str, values: int = VALUES) -> list[int]:
    """Peaks from what `astats` and `ametadata` wrote (dBFS per window): `values` integers of 0 (silence) to 255."""
    peaks = [_amplitude(level) for level in _LEVEL.findall(text)]
    if not peaks:
        return []
    edges = [index * len(peaks) / values for index in range(values + 1)]
    return [
        round(255 * max(peaks[int(first) : max(int(first) + 1, math.ceil(last))])) for first, last in pairwise(edges)
    ]


def _amplitude(level: str) -> float:
    decibels = float(level)
    return min(1.0, 10 ** (decibels / 20)) if math.isfinite(decibels) else 0.0
