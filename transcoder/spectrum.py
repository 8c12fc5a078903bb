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
_RESOLUTION_HZ = 3.0  # fine enough to tell the lines of a held tone from what fills a band
_FRAMES = 600  # looked at, spread over the whole recording
_FEWEST = 8
_QUIET = 10 ** (-60 / 20)
_REACHED_BY = 90  # per cent of the frames stay below what is called the spectrum
_BENT = 12.0  # decibels that the spectrum may have lost just before the edge
_DEEP = 40.0  # decibels of a fall that count
_FLOOR = 6.0  # above the floor's higher parts is no longer floor
_FLAT = 8.0  # decibels between the floor's middle and its highest parts


@dataclass(frozen=True, slots=True)
class Cliff:
    """The spectrum falls `drop` decibels from `hertz` on, and has nothing but its floor above `bottom`."""

    hertz: float
    drop: float
    bottom: float


@dataclass(slots=True)
class Spectrum:
    """Collects frames of a recording of `seconds` at `rate` samples a second, fed in windows in order."""

    rate: int
    seconds: float
    _size: int = field(init=False)
    _stride: int = field(init=False)
    _next: int = 0  # frames of samples until the next look
    _taper: NDArray[np.float32] = field(init=False)
    _rows: list[NDArray[np.float16]] = field(default_factory=list)
    _cut: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._size = 1 << round(np.log2(self.rate / _RESOLUTION_HZ))
        self._stride = max(self._size // 2, int(self.seconds * self.rate / _FRAMES))
        self._taper = np.hanning(self._size).astype(np.float32) / (self._size / 4)

    def add(self, sound: NDArray[np.float32]) -> None:
        """The next window, (frames, channels); the first two channels are looked at."""
        at = self._next
        while at + self._size <= len(sound):
            part = sound[at : at + self._size, :2]
            if len(self._rows) < 2 * _FRAMES and float(np.sqrt(np.mean(part * part))) > _QUIET:
                power = np.abs(np.fft.rfft(part * self._taper[:, None], axis=0)) ** 2
                self._rows.append((10 * np.log10(np.maximum(power.mean(axis=1)[:-1], 1e-20))).astype(np.float16))
                # A wave cut off at full scale splatters over the whole spectrum, whatever it came from.
                self._cut.append(bool(np.abs(part).max() >= FULL_SCALE))
            at += self._stride
        self._next = max(0, at - len(sound))

    def levels(self) -> NDArray[np.float64] | None:
        """Decibels from 0 to half the rate, which nine frames in ten stay below; None where too little was heard."""
        rows = [row for row, cut in zip(self._rows, self._cut, strict=True) if not cut]
        if len(rows) < _FEWEST:
            rows = self._rows
        if len(rows) < _FEWEST:
            return None
        return np.percentile(np.stack(rows), _REACHED_BY, axis=0).astype(np.float64)

    def cliff(self, lowest: float, highest: float, *, within: float, least: float) -> Cliff | None:
        """The deepest fall of `least` decibels or more that begins between two frequencies and ends `within` hertz."""
        levels = self.levels()
        if levels is None:
            return None
        return find_cliff(levels, self.rate / 2 / len(levels), lowest, highest, within=within, least=least)


def find_cliff(
    levels: NDArray[np.float64], step: float, lowest: float, highest: float, *, within: float, least: float
) -> Cliff | None:
    """See `Spectrum.cliff`; `levels` are decibels for each `step` hertz from 0."""
    top = len(levels) - round(200 / step)  # the last 200 Hz hold what filters leave of the other side
    best: Cliff | None = None
    for hertz in np.arange(lowest, min(highest, top * step - within - 600) + 1, _STEP_HZ):
        # A synthesiser's lines stand out of nothing: what counts before the edge is what is there all over.
        shelf = _percentile(levels, step, hertz - 1000, hertz, 25)
        behind = levels[round((hertz + within) / step) : min(top, round((hertz + within + 3000) / step))]
        # Deeper than that it may go on falling: filters of encoders do, where the file's own noise does not hide it.
        behind = np.maximum(behind, shelf - _DEEP)
        floor, middle = float(np.percentile(behind, 95)), float(np.median(behind))
        drop = shelf - floor
        if drop < least or floor - middle > _FLAT or (best is not None and drop <= best.drop):
            continue
        earlier = _percentile(levels, step, hertz - 2000 - within, hertz - 1000 - within, 25)
        if earlier - shelf < min(_BENT, drop / 2):
            low = np.flatnonzero(levels[round(hertz / step) :] <= floor + _FLOOR)
            best = Cliff(float(hertz), drop, float(hertz + low[0] * step))
    return best


def _percentile(levels: NDArray[np.float64], step: float, first: float, last: float, share: int) -> float:
    return float(np.percentile(levels[max(0, round(first / step)) : round(last / step)], share))
