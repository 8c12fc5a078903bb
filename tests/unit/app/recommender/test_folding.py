"""Folding in and the search for the best are quick, and still the plain formula's answer to the last place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recommender.folding import Equation, Folding

Vectors = np.ndarray


def _items(count: int, factors: int, seed: int = 1) -> Vectors:
    """Vectors as skewed as a shop's: a few long, many short."""
    random = np.random.default_rng(seed)
    lengths = 1.0 / (random.permutation(count) + 3.0)
    return (random.standard_normal((count, factors)) * lengths[:, None]).astype(np.float32)


def _plain(items: Vectors, touched: Vectors, confidence: Vectors, regularisation: float, untouched: float) -> Vectors:
    exact = items.astype(np.float64)
    left = untouched * exact.T @ exact + regularisation * np.eye(items.shape[1])
    left += exact[touched].T @ ((confidence - untouched)[:, None] * exact[touched])
    return np.linalg.solve(left, exact[touched].T @ confidence)


@given(
    touched=st.integers(1, 40),
    untouched=st.sampled_from([1.0, 0.1, 0.003]),
    regularisation=st.sampled_from([0.01, 5.0, 80.0]),
    seed=st.integers(0, 10_000),
)
def test_folding_in_is_the_papers_formula(touched: int, untouched: float, regularisation: float, seed: int) -> None:
    """With fewer items than factors (Woodbury) and with more."""
    items = _items(300, 16, seed)
    random = np.random.default_rng(seed)
    which = random.choice(len(items), touched, replace=False)
    sure = untouched + random.gamma(1.0, 10.0, touched)
    found = Folding(items).fold(which, sure, regularisation=regularisation, untouched=untouched)
    np.testing.assert_allclose(found, _plain(items, which, sure, regularisation, untouched), rtol=2e-3, atol=2e-4)


@given(
    count=st.integers(1, 30), barred=st.integers(0, 200), size=st.sampled_from([1, 25, 9000]), seed=st.integers(0, 99)
)
def test_the_best_are_the_best_of_all(count: int, barred: int, size: int, seed: int) -> None:
    """The search that ends early names what comparing every item would, and nothing that is barred."""
    items = _items(size, 8, seed)
    random = np.random.default_rng(seed)
    vector = random.standard_normal(8).astype(np.float32)
    without = random.choice(size, min(barred, size), replace=False)
    found, scores = Folding(items).best(vector, count, without=without)

    all_scores = items.astype(np.float64) @ vector
    all_scores[without] = -np.inf
    wanted = np.argsort(-all_scores, kind="stable")[: min(count, size - len(without))]
    assert len(found) == len(set(found.tolist())) == len(wanted)
    assert not set(found.tolist()) & set(without.tolist())
    np.testing.assert_allclose(all_scores[found], all_scores[wanted], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(scores, all_scores[found], rtol=1e-4, atol=1e-6)
    assert (np.diff(scores) <= 0).all()


def test_a_shelf_is_folded_in_and_leaves_out_what_was_touched() -> None:
    items = _items(500, 16)
    folding = Folding(items)
    touched, sure = np.array([3, 77, 200]), np.array([10.0, 30.0, 5.0])
    found, _scores = folding.shelf(touched, sure, 20, regularisation=0.1)
    vector = folding.fold(touched, sure, regularisation=0.1)
    wanted, _same = folding.best(vector, 20, without=touched)
    assert found.tolist() == wanted.tolist()
    assert not set(found.tolist()) & set(touched.tolist())


def test_nothing_done_gives_nothing_to_go_by() -> None:
    vector = Folding(_items(50, 8)).fold(np.array([], dtype=np.intp), np.array([]), regularisation=1.0)
    assert not vector.any()


def test_a_model_that_is_no_number_is_refused() -> None:
    items = _items(20, 4)
    items[7, 2] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        Folding(items)


@given(touched=st.integers(1, 30), untouched=st.sampled_from([1.0, 0.1]), seed=st.integers(0, 10_000))
def test_an_equation_is_the_same_formula_and_its_parts_add_up_to_the_score(
    touched: int, untouched: float, seed: int
) -> None:
    items = _items(200, 12, seed)
    random = np.random.default_rng(seed)
    which = random.choice(len(items), touched, replace=False)
    sure = untouched + random.gamma(1.0, 10.0, touched)
    exact = items.astype(np.float64)
    equation = Equation(exact.T @ exact, items[which], sure, 2.0, untouched)
    wanted = _plain(items, which, sure, 2.0, untouched)
    np.testing.assert_allclose(equation.solve(), wanted, rtol=1e-4, atol=1e-6)
    parts = equation.contributions(items[:50])
    assert parts.shape == (50, touched)
    np.testing.assert_allclose(parts.sum(axis=1), exact[:50] @ wanted, rtol=1e-6, atol=1e-9)
