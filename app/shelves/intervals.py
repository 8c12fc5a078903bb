"""How sure a difference is: arrays of one number per unit in, intervals out. No rows, no requests.

The unit of a trial is the person, and so is the unit of every mean here: what one person does twice is no second
sample (Deng, Knoblich, Lu 2018, "Applying the Delta Method in Metric Analytics").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special  # scipy.stats has the same under plainer names, and takes every worker 1.5 s to import

Numbers = NDArray[np.float64]

LEAST_UNITS = 100
"""With fewer people on a side, nothing is said of a difference: counts are skewed, and their mean is not yet normal."""

LEAST_EVENTS = 10
"""So many things must have happened on each side before anything is said."""

MISMATCH = 0.001
"""Below this probability, sides of such sizes were not dealt by the shares of the trial."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate, and from where to where it is likely to be."""

    estimate: float
    low: float
    high: float

    @property
    def beyond_chance(self) -> bool:
        """Whether it excludes that there is no difference."""
        return self.low > 0 or self.high < 0


def enough(*sides: Numbers) -> bool:
    """Whether there is enough on each side to say anything of a difference."""
    return all(len(side) >= LEAST_UNITS and side.sum() >= LEAST_EVENTS for side in sides)


def difference(held_against: Numbers, other: Numbers, confidence: float = 0.95) -> Interval:
    """By how much the mean per unit of `other` is more, by Welch's t; each side has two units at least."""
    parts = [side.var(ddof=1) / len(side) for side in (held_against, other)]
    spread = float(sum(parts))
    estimate = float(other.mean() - held_against.mean())
    if spread == 0:
        return Interval(estimate, estimate, estimate)
    freedom = spread**2 / sum(
        part**2 / (len(side) - 1) for part, side in zip(parts, (held_against, other), strict=True)
    )
    reach = float(special.stdtrit(freedom, (1 + confidence) / 2)) * spread**0.5
    return Interval(estimate, estimate - reach, estimate + reach)


def relative(held_against: Numbers, other: Numbers, confidence: float = 0.95) -> Interval | None:
    """The same as a share of the mean it is held against, by the delta method; None where that mean is 0."""
    base, mean = float(held_against.mean()), float(other.mean())
    if base == 0:
        return None
    variance = other.var(ddof=1) / len(other) / base**2
    variance += mean**2 * held_against.var(ddof=1) / len(held_against) / base**4
    reach = float(special.ndtri((1 + confidence) / 2)) * float(variance) ** 0.5
    estimate = mean / base - 1
    return Interval(estimate, estimate - reach, estimate + reach)


def mismatch(units: Sequence[int], shares: Sequence[int]) -> float:
    """How likely sides at least as far from the shares are by chance: the p of a chi-square test; 1 with no units."""
    total = sum(units)
    if total == 0 or len(units) < 2:
        return 1.0
    expected = np.array(shares, dtype=np.float64) / sum(shares) * total
    apart = ((np.array(units, dtype=np.float64) - expected) ** 2 / expected).sum()
    return float(special.chdtrc(len(units) - 1, apart))
