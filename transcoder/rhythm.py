"""How fast a recording goes: the beat that its onsets keep, in beats per minute.

Onsets are where the bands of the spectrum grow louder; a beat is a period at which they come again, which the
autocorrelation of the onsets shows. Windows are taken as they come and their autocorrelations added up, so a set of
two hours needs no more memory than a song, and has the tempo it has most.

A period and its double explain the same onsets. What is taken is the one people tap (McKinney and Moelants 2006: most
often near 120), unless its half or its third is nearly as strong. So a tempo may be off by an octave, and is then one
that can be tapped all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SLOWEST, FASTEST = 40.0, 220.0
_USUAL, _OCTAVES = 120.0, 0.9
_WINDOW_SECONDS = 16.0
_BEATS = 4
_TRIED = 600  # tempi between the slowest and the fastest, each 0.3 % above the one before
_LEAST_SECONDS = 4.0
_AS_STRONG = 0.95  # where the halves or thirds of a beat are that strong, they are the beats
_LEAST_ONSET = 0.5  # decibels, of all bands together: less is how a held tone trembles
# How far the beats stand out of the rest where nothing keeps time, and where everything does.
_CHANCE, _CLEAR = 0.05, 0.45
_LEAST_CONFIDENCE = 0.02


@dataclass(slots=True)
class Rhythm:
    """Collects the strength of onsets, `rate` values a second, in order."""

    rate: float
    _window: int = field(init=False)
    _lags: int = field(init=False)
    _waiting: NDArray[np.float64] = field(init=False)
    _sum: NDArray[np.float64] = field(init=False)
    _taken: int = 0
    _heard: int = 0

    def __post_init__(self) -> None:
        self._window = round(_WINDOW_SECONDS * self.rate)
        self._lags = int(_BEATS * 60 * self.rate / SLOWEST) + 3
        self._waiting = np.zeros(0)
        self._sum = np.zeros(self._lags)

    def add(self, onsets: NDArray[np.float64]) -> None:
        """The next onsets."""
        self._heard += len(onsets)
        self._waiting = np.concatenate([self._waiting, onsets])
        while len(self._waiting) >= self._window:
            self._take(self._waiting[: self._window])
            self._waiting = self._waiting[self._window // 2 :]

    def tempo(self) -> tuple[float, float] | None:
        """Beats per minute and how sure that is (0 to 1), once all is heard; None where nothing keeps time."""
        if not self._taken and self._heard >= _LEAST_SECONDS * self.rate:
            self._take(self._waiting)
        if not self._taken or self._sum[0] <= 0:
            return None
        likeness = self._sum / self._sum[0]
        likeness[1:-1] = (likeness[:-2] + 2 * likeness[1:-1] + likeness[2:]) / 4
        tried = np.geomspace(SLOWEST, FASTEST, _TRIED)
        beats = 60 * self.rate / tried
        on = np.mean([_at(likeness, beats * n) for n in range(1, _BEATS + 1)], axis=0)
        usual = np.exp(-0.5 * (np.log2(tried / _USUAL) / _OCTAVES) ** 2)
        best = int(np.argmax(on * usual))
        # No likeness is no evidence: what stands out is measured from the middle of all lags a beat may have.
        on -= np.median(likeness[round(60 * self.rate / FASTEST) :])
        for times in (2, 3):
            faster = int(np.argmin(np.abs(tried - times * tried[best])))
            if times * tried[best] <= FASTEST and on[faster] >= _AS_STRONG * on[best]:
                best = faster
                break
        stands_out = float(on[best])
        confidence = float(np.clip((stands_out - _CHANCE) / (_CLEAR - _CHANCE), 0, 1))
        if confidence < _LEAST_CONFIDENCE:
            return None
        return self._refined(likeness, float(tried[best])), confidence

    def _refined(self, likeness: NDArray[np.float64], tempo: float) -> float:
        """The tempo near this one that fits the most beats: an error of a frame counts less the further they are."""
        near = tempo * np.geomspace(0.975, 1.025, 201)
        most = max(1, int((len(likeness) - 2) // (60 * self.rate / near[0])))
        fits = np.mean([_at(likeness, 60 * self.rate / near * n) for n in range(1, min(most, 16) + 1)], axis=0)
        return float(near[int(np.argmax(fits))])

    def _take(self, window: NDArray[np.float64]) -> None:
        """Add a window's autocorrelation, each lag as if it had as many pairs as the others."""
        count, wide = len(window), max(3, round(self.rate))
        around = np.convolve(np.pad(window, wide // 2, mode="edge"), np.ones(wide) / wide, mode="valid")[:count]
        # What does not stand out of the second around it is no onset.
        onsets = np.maximum(window - around - _LEAST_ONSET, 0)
        onsets -= onsets.mean()
        size = 1 << (2 * count - 1).bit_length()
        spectrum = np.fft.rfft(onsets, size)
        pairs = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size)[: min(self._lags, count // 2)]
        self._sum[: len(pairs)] += pairs * count / (count - np.arange(len(pairs)))
        self._taken += 1


def _at(values: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.interp(places, np.arange(len(values)), values, right=0.0)
