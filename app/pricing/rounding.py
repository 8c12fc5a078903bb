"""Exact sums: half up, and shares that add up. No float, and no rounding but here."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction


def half_up(amount: Fraction) -> int:
    """The nearest whole number, a half away from zero; for amounts of zero or more."""
    if amount < 0:
        raise ValueError(f"{amount} is less than nothing")
    return int((2 * amount.numerator + amount.denominator) // (2 * amount.denominator))


def apportion(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Split `total` over the keys by weight, by the largest remainder: the shares add up to it exactly.

    No share is more than its weight as long as the total isn't more than all weights. Ties go by key, so that the order
    of the keys changes nothing.
    """
    if total < 0 or any(weight < 0 for weight in weights.values()):
        raise ValueError("a share of less than nothing")
    whole = sum(weights.values())
    if whole == 0:
        if total:
            raise ValueError(f"nothing to split {total} over")
        return dict.fromkeys(weights, 0)
    shares, remainders = {}, {}
    for key, weight in weights.items():
        shares[key], remainders[key] = divmod(total * weight, whole)
    left = total - sum(shares.values())
    for key in sorted(weights, key=lambda key: (-remainders[key], key))[:left]:
        shares[key] += 1
    return shares
