"""The key of a recording: which of the 24 its tones fit best.

Tones are the peaks of long spectra, folded into one octave in tenths of a semitone; how far the recording is tuned off
440 Hz is found first, so that a quarter-tone flat is no neighbour's key. What is left is twelve weights, compared with
what the twelve tones weigh in music of a key (see `_MAJOR` and `_MINOR`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Mode = Literal["major", "minor"]

_LOWEST, _HIGHEST = 55.0, 2_000.0  # Hz; above, there are overtones rather than tones
_C4 = 261.625565
_FINE = 10  # steps of a semitone
_LEAST_SPECTRA = 8  # about two seconds
# What twelve tones weigh in a key, from the tonic up: Albrecht and Shanahan, "The use of large corpora to train a new
# type of key-finding algorithm", Music Perception 31 (2013).
_MAJOR = np.array([0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081])
_MINOR = np.array([0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052])
# How unequal the twelve are (standard deviation over mean) where there are no tones, and where they are plain.
_FLAT, _PLAIN = 0.10, 0.45
# By how much the best key's likeness is ahead of the next where it is beyond doubt.
_AHEAD = 0.15
_LEAST_CONFIDENCE = 0.02


@dataclass(slots=True)
class Tonality:
    """Collects long power spectra whose bins are `step` Hz apart."""

    step: float
    _first: int = field(init=False)
    _last: int = field(init=False)
    _fine: NDArray[np.float64] = field(init=False)
    _spectra: int = 0

    def __post_init__(self) -> None:
        self._first, self._last = int(_LOWEST / self.step), int(_HIGHEST / self.step) + 1
        self._fine = np.zeros(12 * _FINE)

    def add(self, power: NDArray[np.float32]) -> None:
        """The next spectra that are no silence, one a row."""
        level = np.log(np.maximum(power[:, self._first - 1 : self._last + 1], 1e-20))
        before, here, after = level[:, :-2], level[:, 1:-1], level[:, 2:]
        row, column = np.nonzero((here > before) & (here >= after))
        left, middle, right = before[row, column], here[row, column], after[row, column]
        bend = left - 2 * middle + right
        # A parabola through the logarithms is what the main lobe of the window looks like.
        shift = np.where(bend < 0, 0.5 * (left - right) / np.minimum(bend, -1e-9), 0.0)
        hertz = (column + self._first + np.clip(shift, -0.5, 0.5)) * self.step
        weight = np.exp(middle.astype(np.float64) / 2)
        # Every moment counts the same, however loud: a chorus is in no other key than its verse.
        total = np.bincount(row, weight, minlength=len(power))
        weight /= np.maximum(total[row], 1e-20)
        place = np.round(12 * _FINE * np.log2(hertz / _C4)).astype(np.int64) % (12 * _FINE)
        self._fine += np.bincount(place, weight, minlength=12 * _FINE)
        self._spectra += len(power)

    def tones(self) -> NDArray[np.float64]:
        """What the twelve tones weigh, C first, together 1; zeros where nothing was heard."""
        total = self._fine.sum()
        if total <= 0:
            return np.zeros(12)
        angle = 2 * np.pi * np.arange(12 * _FINE) / _FINE
        off = np.angle(np.sum(self._fine * np.exp(1j * angle))) / (2 * np.pi) * _FINE  # tenths of a semitone
        moved = np.roll(self._fine, _FINE // 2 - round(float(off)))
        return moved.reshape(12, _FINE).sum(axis=1) / total

    def key(self) -> tuple[int, Mode, float] | None:
        """The tonic (0 is C), the mode and how sure that is (0 to 1); None where there is too little, or no tones."""
        if self._spectra < _LEAST_SPECTRA:
            return None
        tones = self.tones()
        unequal = float(tones.std() / max(tones.mean(), 1e-12))
        likeness = key_likeness(tones)
        order = np.argsort(-likeness, kind="stable")
        best = int(order[0])
        plain = float(np.clip((unequal - _FLAT) / (_PLAIN - _FLAT), 0, 1))
        ahead = float(np.clip((likeness[best] - likeness[order[1]]) / _AHEAD, 0, 1))
        # Two keys that share all but one tone are close whatever is played: being ahead is half of being sure.
        confidence = plain * max(0.0, float(likeness[best])) * (0.5 + 0.5 * ahead)
        if confidence < _LEAST_CONFIDENCE:
            return None
        return best % 12, "major" if best < 12 else "minor", min(1.0, confidence)


def key_likeness(tones: NDArray[np.float64]) -> NDArray[np.float64]:
    """The correlation of twelve weights with each key's: C major to B major, then C minor to B minor."""
    if tones.std() == 0:
        return np.zeros(24)
    profiles = [np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)]
    return np.array([np.corrcoef(tones, profile)[0, 1] for profile in profiles])
