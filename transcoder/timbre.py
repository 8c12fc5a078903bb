"""What a recording is like to the ear, in a few figures: bright or dark, tones or noise, even or full of change.

Each figure is a mean, and how much it varies, over the frames that are no silence. None depends on how loud the
whole was mastered; loudness is measured after EBU R 128 and told beside.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from transcoder.contract import SOUND_CEPSTRA

BANDS = 40
_LOWEST_HZ = 40.0
_FLOOR = 1e-8  # of full scale's power: 80 dB down nothing is told apart
_ROLL_OFF = 0.85


@dataclass(slots=True)
class Timbre:
    """Collects power spectra of frames of `size` samples at `rate` samples a second, and the frames themselves."""

    rate: int
    size: int
    _hertz: NDArray[np.float32] = field(init=False)
    _mel: NDArray[np.float32] = field(init=False)
    _cosines: NDArray[np.float32] = field(init=False)
    _sums: NDArray[np.float64] = field(init=False)
    _squares: NDArray[np.float64] = field(init=False)
    frames: int = 0

    def __post_init__(self) -> None:
        self._hertz = np.linspace(0, self.rate / 2, self.size // 2 + 1, dtype=np.float32)
        self._mel = mel_bands(self.rate, self.size)
        number = np.arange(1, SOUND_CEPSTRA + 1)[None, :]
        place = (np.arange(BANDS)[:, None] + 0.5) * np.pi / BANDS
        self._cosines = (np.sqrt(2 / BANDS) * np.cos(place * number)).astype(np.float32)  # an orthonormal DCT-II
        self._sums = np.zeros(7 + SOUND_CEPSTRA)
        self._squares = np.zeros(7 + SOUND_CEPSTRA)

    def bands(self, power: NDArray[np.float32]) -> NDArray[np.float32]:
        """The decibels of each frame's bands, on the mel scale."""
        levels: NDArray[np.float32] = 10 * np.log10(np.maximum(power @ self._mel, np.float32(_FLOOR)))
        return levels

    def add(
        self,
        samples: NDArray[np.float32],
        power: NDArray[np.float32],
        bands: NDArray[np.float32],
        onsets: NDArray[np.float64],
        level: NDArray[np.float32],
    ) -> None:
        """The next frames that are no silence, one a row: samples, power, `bands` of it, onset strength, RMS."""
        if not len(samples):
            return
        size = np.sqrt(power)
        whole = np.maximum(size.sum(axis=1), np.float32(1e-12))
        centroid = size @ self._hertz / whole
        width = np.sqrt(np.maximum(size @ self._hertz**2 / whole - centroid**2, 0))
        summed = np.cumsum(size, axis=1)
        edge = self._hertz[np.argmax(summed >= _ROLL_OFF * summed[:, -1:], axis=1)]
        audible = np.maximum(power[:, 1:], np.float32(1e-14))
        flat = 10 * (np.log10(audible).mean(axis=1) - np.log10(audible.mean(axis=1)))
        crossings = np.mean(np.signbit(samples[:, 1:]) != np.signbit(samples[:, :-1]), axis=1)
        loud = 20 * np.log10(level)
        told = np.column_stack([centroid, width, edge, flat, crossings, onsets, loud, bands @ self._cosines]).astype(
            np.float64
        )
        self._sums += told.sum(axis=0)
        self._squares += (told * told).sum(axis=0)
        self.frames += len(told)

    def figures(self) -> list[float]:
        """Means and deviations in the order of `contract.SOUND_NAMES`, without the tones; none without a frame."""
        if not self.frames:
            return []
        means = self._sums / self.frames
        deviations = np.sqrt(np.maximum(self._squares / self.frames - means**2, 0))
        pairs = [value for n in range(6) for value in (means[n], deviations[n])]
        cepstra = [value for n in range(7, 7 + SOUND_CEPSTRA) for value in (means[n], deviations[n])]
        return [float(value) for value in [*pairs, deviations[6], *cepstra]]


def mel_bands(rate: int, size: int) -> NDArray[np.float32]:
    """Overlapping triangles, even on the mel scale (O'Shaughnessy's), as columns over the bins of a spectrum."""
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(2595 * np.log10(1 + _LOWEST_HZ / 700), top, BANDS + 2) / 2595) - 1)
    hertz = np.linspace(0, rate / 2, size // 2 + 1)
    rising = (hertz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz[:, None]) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0, np.minimum(rising, falling))
    return (triangles / np.maximum(triangles.sum(axis=0), 1e-9)).astype(np.float32)
