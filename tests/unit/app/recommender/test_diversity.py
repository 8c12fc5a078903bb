"""Maximal marginal relevance: what it takes, in which order, and what it never does."""

from __future__ import annotations

import numpy as np
import pytest

from app.recommender import diversity

EAST, NORTH, NONE = (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)


def order(relevance: list[float], vectors: list[tuple[float, float]], length: int = 9, **more: object) -> list[int]:
    return diversity.order(relevance, np.array(vectors, np.float32).reshape(-1, 2), length, **more)


def test_what_is_like_what_was_taken_waits_for_what_is_not() -> None:
    relevance, vectors = [1.0, 0.95, 0.8, 0.0], [EAST, EAST, NORTH, EAST]
    assert order(relevance, vectors) == [0, 2, 1, 3]
    assert order(relevance, vectors, trade=1.0) == [0, 1, 2, 3]
    assert order(relevance, vectors, 2) == [0, 2]


def test_by_hand_it_is_the_formula_of_the_paper() -> None:
    halfway = (float(np.sqrt(0.5)), float(np.sqrt(0.5)))
    # After the first: 0.7·0.5 − 0.3·cos 45° = 0.138, and 0.7·0.4 − 0.3·0 = 0.28.
    assert order([1.0, 0.5, 0.4, 0.0], [EAST, halfway, NORTH, EAST], 2, trade=0.7) == [0, 2]
    # With λ = 0.9: 0.45 − 0.07 = 0.379, and 0.36.
    assert order([1.0, 0.5, 0.4, 0.0], [EAST, halfway, NORTH, EAST], 2, trade=0.9) == [0, 1]


def test_of_a_group_no_more_than_its_share() -> None:
    relevance = [0.9, 0.8, 0.7, 0.6, 0.5]
    found = order(relevance, [NONE] * 5, groups=["a", "a", "a", "b", "b"], most=1)
    assert found == [0, 3]
    assert order(relevance, [NONE] * 5, groups=["a", "a", "a", "b", "b"], most=2) == [0, 1, 3, 4]
    assert order(relevance, [NONE] * 5, groups=["a"] * 5) == [0, 1, 2, 3, 4]


def test_the_scale_of_relevance_and_of_vectors_does_not_matter() -> None:
    random = np.random.default_rng(3)
    relevance, vectors = random.random(40), random.normal(size=(40, 8)).astype(np.float32)
    found = diversity.order(relevance, vectors, 12)
    assert diversity.order(relevance * 1000 - 5, vectors * 7, 12) == found
    assert len(set(found)) == 12
    assert found[0] == int(np.argmax(relevance))


def test_equal_ones_keep_their_order_and_nothing_is_nothing() -> None:
    assert order([2.0, 2.0, 2.0], [NONE] * 3) == [0, 1, 2]
    assert order([], []) == []
    assert order([1.0], [EAST], 0) == []
    with pytest.raises(ValueError, match="2 relevances, 1 vectors"):
        order([1.0, 2.0], [EAST])
