"""The measuring stick: who is held out, and what a hit is worth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from support.tastes_planted import communities

from app.recommender import protocol


class Fixed:
    """Scores that were decided beforehand."""

    def __init__(self, scores: list[list[float]]) -> None:
        self._scores = np.array(scores, np.float32)

    def score(self, counts: csr_matrix) -> np.ndarray:
        return self._scores.copy()


def held(given: list[list[int]], wanted: list[list[int]]) -> protocol.HeldOut:
    return protocol.HeldOut(csr_matrix(np.array(given, np.float32)), [np.array(each, int) for each in wanted])


def test_nobody_is_in_two_groups_and_nothing_is_lost() -> None:
    counts = communities()
    made = protocol.split(counts, 3)
    parts = (made.validation, made.test)
    assert [each.given.shape[0] for each in parts] == [24, 24]
    assert made.train.shape[0] == 160 - 48
    total = made.train.nnz + sum(each.given.nnz + sum(map(len, each.wanted)) for each in parts)
    assert total == counts.nnz
    for each in parts:
        for row, wanted in enumerate(each.wanted):
            assert not set(wanted) & set(each.given[row].indices)
            many = len(wanted) + each.given[row].nnz
            assert len(wanted) == max(1, int(0.2 * many))


def test_of_many_people_no_more_are_held_out_than_the_paper_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_MOST_HELD", 5)
    made = protocol.split(communities(), 3)
    assert [len(each.wanted) for each in (made.validation, made.test)] == [5, 5]
    assert made.train.shape[0] == 160 - 10


def test_a_seed_is_a_split() -> None:
    counts = communities()
    first, again, other = (protocol.split(counts, seed) for seed in (1, 1, 2))
    assert (first.test.given != again.test.given).nnz == 0
    assert (first.train != other.train).nnz > 0


def test_metrics_by_hand() -> None:
    found = protocol.measure(Fixed([[5, 4, 3, 2, 1]]), held([[1, 0, 0, 0, 0]], [[1, 4]]))
    # What was told (item 0) is not named; item 1 comes first and item 4 last of four.
    ideal = 1 + 1 / math.log2(3)
    assert found.tolist() == [[1.0, 1.0, pytest.approx((1 + 1 / math.log2(5)) / ideal)]]


def test_recall_counts_against_what_could_be_found() -> None:
    wanted = list(range(30))
    scores = [[float(30 - number) if number < 15 else -float(number) for number in range(200)]]
    found = protocol.measure(Fixed(scores), held([[0] * 200], [wanted]))
    assert found[0, 0] == 1.0, "20 of the first 20 are wanted"
    worse = protocol.measure(Fixed([[-float(number) for number in reversed(range(200))]]), held([[0] * 200], [wanted]))
    assert worse[0].tolist() == [0, 0, 0]


def test_people_with_nothing_to_predict_do_not_count() -> None:
    found = protocol.measure(Fixed([[1, 2], [2, 1]]), held([[0, 0], [0, 0]], [[], [0]]))
    assert found.shape == (1, 3)


def test_an_interval_holds_the_mean_and_tells_a_difference_from_none() -> None:
    random = np.random.default_rng(0)
    low, high = protocol.interval(random.normal(0.1, 0.5, 2000), draws=500)
    assert 0 < low < 0.1 < high < 0.2
    low, high = protocol.interval(random.normal(0, 0.5, 2000), draws=500)
    assert low < 0 < high
    under = random.uniform(0.2, 0.6, 1000)
    low, high = protocol.ratio_interval(under * 1.1, under, draws=500)
    assert low == pytest.approx(1.1) == high
