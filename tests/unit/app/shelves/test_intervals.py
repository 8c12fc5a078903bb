"""Intervals cover the truth as often as they say; dealing is even; counts give nobody away."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy import stats

from app.shelves import intervals, standing
from app.shelves.experiments import BUCKETS, bucket, variant_of
from app.shelves.models import Trial

RUNS = 2_000


def _clicks(rng: np.random.Generator, mean: float, people: int) -> np.ndarray:
    """Counts as people make them: most do nothing, some a lot (a Poisson whose rate is itself drawn)."""
    return rng.poisson(rng.gamma(0.5, mean / 0.5, people)).astype(float)


@pytest.mark.parametrize(("base", "other"), [(0.4, 0.4), (0.4, 0.55)])
def test_ninety_five_in_a_hundred_intervals_hold_the_truth(base: float, other: float) -> None:
    rng = np.random.default_rng(20260101)
    absolute = relative = 0
    for _run in range(RUNS):
        held_against, tried = _clicks(rng, base, 400), _clicks(rng, other, 600)
        found = intervals.difference(held_against, tried)
        absolute += found.low <= other - base <= found.high
        share = intervals.relative(held_against, tried)
        assert share is not None
        relative += share.low <= other / base - 1 <= share.high
    # 2,000 runs know a share of 0.95 to 0.01 (two standard errors); the delta method is not exact besides.
    assert absolute / RUNS == pytest.approx(0.95, abs=0.015)
    assert relative / RUNS == pytest.approx(0.95, abs=0.02)


def test_a_true_difference_is_found_and_none_is_rarely_made_up() -> None:
    rng = np.random.default_rng(5)
    real = [intervals.difference(_clicks(rng, 0.4, 2000), _clicks(rng, 0.6, 2000)) for _ in range(200)]
    none = [intervals.difference(_clicks(rng, 0.4, 2000), _clicks(rng, 0.4, 2000)) for _ in range(1000)]
    assert sum(each.beyond_chance and each.estimate > 0 for each in real) == 200
    assert sum(each.beyond_chance for each in none) / 1000 == pytest.approx(0.05, abs=0.02)


def test_nothing_is_said_of_too_little() -> None:
    few, many, silent = np.ones(99), np.ones(100), np.zeros(1000)
    assert not intervals.enough(few, many)
    assert not intervals.enough(silent, many)
    assert intervals.enough(many, many)
    assert intervals.relative(silent, many) is None
    assert intervals.difference(many, many) == intervals.Interval(0.0, 0.0, 0.0)


def test_the_same_unit_falls_into_the_same_bucket_and_all_of_them_evenly() -> None:
    units = [f"unit {number}" for number in range(100_000)]
    buckets = np.array([bucket("salt", unit) for unit in units])
    assert all(bucket("salt", unit) == buckets[n] for n, unit in enumerate(units[:100]))
    assert buckets.min() >= 0
    assert buckets.max() < BUCKETS
    counts = np.bincount(buckets // 100, minlength=100)
    assert stats.chisquare(counts).pvalue > 0.001
    # With another salt, what a unit got before says nothing of what it gets.
    again = np.array([bucket("pepper", unit) for unit in units])
    table = np.histogram2d(buckets, again, bins=10)[0]
    assert stats.chi2_contingency(table).pvalue > 0.001


def test_shares_are_kept() -> None:
    trial = Trial(salt="x", variants=[{"way": way, "share": share} for way, share in (("a", 10), ("b", 60), ("c", 30))])
    dealt = Counter(variant_of(trial, str(number)) for number in range(50_000))
    assert intervals.mismatch([dealt["a"], dealt["b"], dealt["c"]], [10, 60, 30]) > 0.001


def test_sides_that_are_not_what_was_dealt_are_noticed() -> None:
    assert intervals.mismatch([5000, 5000], [50, 50]) == 1.0
    assert intervals.mismatch([5100, 4900], [50, 50]) > intervals.MISMATCH
    assert intervals.mismatch([5300, 4700], [50, 50]) < intervals.MISMATCH
    assert intervals.mismatch([1020, 8980], [10, 90]) > intervals.MISMATCH
    assert intervals.mismatch([0, 0], [50, 50]) == 1.0


@pytest.mark.parametrize(
    ("counts", "whole", "told"),
    [
        ({"a": 5, "b": 7}, 12, {"a": 5, "b": 7}),
        ({"a": 4, "b": 7}, 11, {}),  # 4 could be reckoned from 11 - 7, and so 7 goes as well
        ({"a": 4, "b": 6, "c": 9}, 19, {"c": 9}),
        ({"a": 3, "b": 3, "c": 9}, 15, {"c": 9}),
        ({"a": 4}, 4, {}),
        ({}, 0, {}),
    ],
)
def test_what_is_told_of_parts_gives_no_part_of_fewer_than_five_away(
    counts: dict[str, int], whole: int, told: dict[str, int]
) -> None:
    assert standing.partition(counts, whole) == told
