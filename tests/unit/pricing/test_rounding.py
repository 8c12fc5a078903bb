"""Half up, and shares that add up."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pricing.rounding import apportion, half_up


@pytest.mark.parametrize(
    ("amount", "rounded"), [("0", 0), ("1/2", 1), ("3/2", 2), ("5/2", 3), ("49/100", 0), ("7/3", 2), ("8/3", 3)]
)
def test_a_half_goes_up(amount: str, rounded: int) -> None:
    assert half_up(Fraction(amount)) == rounded


def test_nothing_below_zero_is_rounded() -> None:
    with pytest.raises(ValueError, match="less than nothing"):
        half_up(Fraction(-1, 2))


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (10, {"a": 1, "b": 1, "c": 1}, {"a": 4, "b": 3, "c": 3}),
        (100, {"a": 990, "b": 129, "c": 129}, {"a": 79, "b": 11, "c": 10}),
        (1, {"b": 5, "a": 5}, {"a": 1, "b": 0}),
        (7, {"a": 7, "b": 0}, {"a": 7, "b": 0}),
        (0, {"a": 0, "b": 0}, {"a": 0, "b": 0}),
    ],
)
def test_the_largest_remainder_gets_what_is_left(total: int, weights: dict[str, int], shares: dict[str, int]) -> None:
    assert apportion(total, weights) == shares


def test_what_cannot_be_split_is_refused() -> None:
    for total, weights in ((1, {"a": 0}), (1, {}), (-1, {"a": 1}), (1, {"a": -1, "b": 2})):
        with pytest.raises(ValueError, match="nothing"):
            apportion(total, weights)


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 10**8), min_size=1), st.data())
def test_shares_add_up_and_none_is_more_than_its_weight(weights: dict[str, int], data: st.DataObject) -> None:
    total = data.draw(st.integers(0, sum(weights.values())))
    shares = apportion(total, weights)
    assert sum(shares.values()) == total
    assert all(0 <= shares[key] <= weights[key] for key in weights)
    assert apportion(total, dict(reversed(weights.items()))) == shares
