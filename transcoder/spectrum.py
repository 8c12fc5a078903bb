"""Where a recording's spectrum ends, and whether it ends like music or like a file format.

Music thins out towards the top: microphones, tape, air and filters take some decibels per thousand hertz. A lossy
encoder leaves out what lies above its limit, frame after frame, so the spectrum falls off a cliff within a few hundred
hertz and there is nothing but a flat floor behind. A resampler leaves a cliff too, a wider one, just below half the
rate it came from. A cliff counts only where there is enough before it, where the fall is steeper than anything right
before, and where nearly no frame has anything behind it: old, quiet or narrow recordings have no such cliff.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from transcoder.levels import FULL_SCALE

_STEP_HZ = 50.0
_FRAMES = 1500  # looked at, spread over the whole recording
_FEWEST = 12
_QUIET = 10 ** (-60 / 20)
_REACHED_BY = 90  # per cent of the frames stay below what is called the spectrum


@dataclass(frozen=True, slots=True)
class Cliff:
    """The spectrum ends at `hertz`, `drop` decibels deep."""

    hertz: float
    drop: float


@dataclass(slots=True)
class Spectrum:
    """Collects frames of a recording of `seconds` at `rate` samples a second, fed in windows in order."""

    rate: int
    seconds: float
    _size: int = field(init=False)
    _stride: int = field(init=False)
    _next: int = 0  # frames of samples until the next look
    _taper: NDArray[np.float32] = field(init=False)
    _edges: NDArray[np.int64] = field(init=False)
    _rows: list[NDArray[np.float32]] = field(default_factory=list)
    _cut: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._size = 8192 if self.rate > 64_000 else 4096
        self._stride = max(self._size // 2, int(self.seconds * self.rate / _FRAMES))
        self._taper = np.hanning(self._size).astype(np.float32) / (self._size / 4)
        bins = _STEP_HZ * self._size / self.rate
        self._edges = np.round(np.arange(int(self.rate / 2 / _STEP_HZ)) * bins).astype(np.int64)

    def add(self, sound: NDArray[np.float32]) -> None:
        """The next window, (frames, channels); the first two channels are looked at."""
        at = self._next
        while at + self._size <= len(sound):
            part = sound[at : at + self._size, :2]
            if len(self._rows) < 2 * _FRAMES and float(np.sqrt(np.mean(part * part))) > _QUIET:
                power = np.abs(np.fft.rfft(part * self._taper[:, None], axis=0)) ** 2
                whole = power.mean(axis=1)[:-1]
                widths = np.diff(np.append(self._edges, len(whole)))
                self._rows.append((np.add.reduceat(whole, self._edges) / np.maximum(1, widths)).astype(np.float32))
                # A wave cut off at full scale splatters over the whole spectrum, whatever it came from.
                self._cut.append(bool(np.abs(part).max() >= FULL_SCALE))
            at += self._stride
        self._next = max(0, at - len(sound))

    def levels(self) -> NDArray[np.float64] | None:
        """Decibels per 50 Hz, which nine frames in ten stay below; None where too little was heard."""
        rows = [row for row, cut in zip(self._rows, self._cut, strict=True) if not cut]
        if len(rows) < _FEWEST:
            rows = self._rows
        if len(rows) < _FEWEST:
            return None
        reached = np.percentile(np.stack(rows), _REACHED_BY, axis=0)
        return np.asarray(10 * np.log10(np.maximum(reached, 1e-20)))

    def cliff(self, lowest: float, highest: float, *, within: float, least: float) -> Cliff | None:
        """The deepest fall of `least` decibels or more that begins between two frequencies and ends `within` hertz."""
        levels = self.levels()
        return None if levels is None else find_cliff(levels, lowest, highest, within=within, least=least)


def find_cliff(
    levels: NDArray[np.float64], lowest: float, highest: float, *, within: float, least: float
) -> Cliff | None:
    """See `Spectrum.cliff`; `levels` are decibels per 50 Hz from 0."""
    top = len(levels) - 4  # the last 200 Hz hold what filters leave of the other side
    best: Cliff | None = None
    width, before, behind = _steps(within), _steps(1000), _steps(600)
    for at in range(_steps(lowest), min(_steps(highest), top - width - behind) + 1):
        # Lines of a synthesiser stand out of nothing: what counts before the edge is what is there all over.
        shelf = float(np.percentile(levels[at - before : at], 25))
        floor = float(np.percentile(levels[at + width : min(top, at + width + _steps(3000))], 95))
        drop = shelf - floor
        if drop < least or (best is not None and drop <= best.drop):
            continue
        earlier = float(np.percentile(levels[at - 2 * before - width : at - before - width], 25))
        if earlier - shelf < drop / 2:
            best = Cliff(at * _STEP_HZ, drop)
    return best


def _steps(hertz: float) -> int:
    return round(hertz / _STEP_HZ)
