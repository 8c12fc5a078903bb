"""What the samples themselves give away: clipping, silence, a channel that is dead, doubled or upside down, idle bits.

`Levels` is fed windows in order and asked at the end. Levels are of full scale, 1.0; times in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

FULL_SCALE = 1 - 1.5 / 32768  # the highest two steps of 16 bits
CLIPPED_SAMPLES = 4  # so many in a row at full scale are no peak but a cut one
SILENCE = 10 ** (-60 / 20)
HOP_SECONDS = 0.01
_PLACES = 5


@dataclass(frozen=True, slots=True)
class Clipping:
    """How often the wave is cut off: runs, the longest in samples, where (the first of them, at least 1 s apart)."""

    runs: int = 0
    longest: int = 0
    places: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Hole:
    """Digital silence between sounds."""

    start: float
    seconds: float


@dataclass(slots=True)
class Levels:
    """Counts over a recording of `channels` at `rate` samples a second."""

    rate: int
    channels: int
    frames: int = 0
    peak: float = 0.0
    low_bits: int = 0  # every bit that any sample sets
    _sums: NDArray[np.float64] = field(init=False)
    _powers: NDArray[np.float64] = field(init=False)
    _product: float = 0.0
    _difference: float = 0.0
    _hops: list[NDArray[np.float32]] = field(default_factory=list)
    _rest: NDArray[np.float32] = field(init=False)
    _runs: int = 0
    _longest: int = 0
    _places: list[float] = field(default_factory=list)
    _open: int = 0  # samples at full scale at the end of the last window

    def __post_init__(self) -> None:
        self._sums = np.zeros(self.channels)
        self._powers = np.zeros(self.channels)
        self._rest = np.zeros(0, np.float32)

    def add(self, sound: NDArray[np.float32], integers: NDArray[np.int32] | None) -> None:
        """The next window as floats, and as the integers it was, where it was."""
        if integers is not None:
            self.low_bits |= int(np.bitwise_or.reduce(integers, axis=None)) & 0xFFFFFFFF
        reach = np.abs(sound).max(axis=1)
        loudest = float(reach.max(initial=0.0))
        self.peak = max(self.peak, loudest)
        self._sums += sound.sum(axis=0, dtype=np.float64)
        self._powers += np.einsum("ij,ij->j", sound, sound, dtype=np.float64)
        if self.channels == 2:
            left, right = sound[:, 0], sound[:, 1]
            self._product += float(np.dot(left, right))
            apart = left - right
            self._difference += float(np.dot(apart, apart))
        if loudest >= FULL_SCALE or self._open:
            self._clipping(reach)
        self._silence(reach)
        self.frames += len(sound)

    def _clipping(self, reach: NDArray[np.float32]) -> None:
        full = np.concatenate([[False], reach >= FULL_SCALE, [False]])
        runs = np.flatnonzero(full[1:] != full[:-1]).reshape(-1, 2)
        if not len(runs) or runs[0, 0] > 0:
            self._close(0)
        touching = (runs[:, 0] == 0) | (runs[:, 1] == len(reach))
        for first, last in runs[(runs[:, 1] - runs[:, 0] >= CLIPPED_SAMPLES) | touching]:
            self._open += int(last - first)
            if last < len(reach):
                self._close(int(last))

    def _close(self, at: int) -> None:
        length, self._open = self._open, 0
        if length < CLIPPED_SAMPLES:
            return
        self._runs += 1
        self._longest = max(self._longest, length)
        place = max(0.0, (self.frames + at - length) / self.rate)
        if len(self._places) < _PLACES and (not self._places or place - self._places[-1] >= 1):
            self._places.append(place)

    def _silence(self, reach: NDArray[np.float32]) -> None:
        hop = max(1, int(self.rate * HOP_SECONDS))
        reach = np.concatenate([self._rest, reach])
        whole = len(reach) // hop
        self._hops.append(reach[: whole * hop].reshape(whole, hop).max(axis=1))
        self._rest = reach[whole * hop :]

    def clipping(self) -> Clipping:
        """The cut-off waves so far."""
        self._close(0)
        return Clipping(self._runs, self._longest, tuple(round(place, 2) for place in self._places))

    def silent_ends(self) -> tuple[float, float] | None:
        """Seconds below -60 dBFS at the start and at the end; None where nothing rises above it."""
        heard = np.flatnonzero(self._reach() >= SILENCE)
        if not len(heard):
            return None
        hop = max(1, int(self.rate * HOP_SECONDS)) / self.rate
        return float(heard[0] * hop), float((len(self._reach()) - 1 - heard[-1]) * hop)

    def holes(self, least: float) -> list[Hole]:
        """Where, between sounds, every sample is 0 for `least` seconds or more."""
        hops = self._reach()
        sounding = np.flatnonzero(hops > 0)
        hop = max(1, int(self.rate * HOP_SECONDS)) / self.rate
        return [
            Hole(round(float((one + 1) * hop), 2), round(float((other - one - 1) * hop), 2))
            for one, other in pairwise(sounding)
            if (other - one - 1) * hop >= least
        ]

    def _reach(self) -> NDArray[np.float32]:
        if len(self._hops) != 1:
            self._hops = [np.concatenate(self._hops)] if self._hops else [np.zeros(0, np.float32)]
        return self._hops[0]

    def offsets(self) -> list[float]:
        """How far each channel's middle lies from zero."""
        return [float(value) for value in self._sums / max(1, self.frames)]

    def loudness(self) -> list[float]:
        """Each channel's root mean square."""
        return [float(value) for value in np.sqrt(self._powers / max(1, self.frames))]

    def difference(self) -> float:
        """Root mean square of left minus right."""
        return float(np.sqrt(self._difference / max(1, self.frames)))

    def correlation(self) -> float:
        """Of left and right: 1 for the same wave, -1 for its mirror image, 0 where a channel is silent."""
        scale = float(np.sqrt(self._powers[0] * self._powers[1])) if self.channels == 2 else 0.0
        return self._product / scale if scale > 0 else 0.0

    def used_bits(self) -> int:
        """How many of the upper bits of 32 are ever used."""
        return 32 - ((self.low_bits & -self.low_bits).bit_length() - 1) if self.low_bits else 0
