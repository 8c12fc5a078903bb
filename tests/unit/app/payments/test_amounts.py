"""Stripe's minor units against the shop's, currency by currency."""

from __future__ import annotations

import pytest
from babel.numbers import list_currencies

from app.core.money import BadAmount, Money
from app.payments.amounts import from_stripe, stripe_exponent, to_stripe

# https://docs.stripe.com/currencies, copied out apart from the module
NONE = {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
THREE = {"BHD", "JOD", "KWD", "OMR", "TND"}


def test_stripe_s_decimals() -> None:
    found = {code: stripe_exponent(code) for code in list_currencies()}
    assert {code for code, decimals in found.items() if decimals == 0} == NONE
    assert {code for code, decimals in found.items() if decimals == 3} == THREE
    assert set(found.values()) == {0, 2, 3}


@pytest.mark.parametrize(
    ("money", "amount"),
    [
        (Money(990, "EUR"), 990),
        (Money(0, "EUR"), 0),
        (Money(-990, "EUR"), -990),
        (Money(990, "JPY"), 990),
        (Money(1, "KRW"), 1),
        (Money(9900, "KWD"), 9900),
        (Money(10, "BHD"), 10),
        (Money(990, "ISK"), 99_000),  # none in ISO 4217, two at Stripe
        (Money(1, "UGX"), 100),
        (Money(7, "RSD"), 700),
        (Money(10, "LYD"), 1),  # three in CLDR, two at Stripe
        (Money(120, "LYD"), 12),
    ],
    ids=str,
)
def test_an_amount_goes_to_stripe_and_comes_back(money: Money, amount: int) -> None:
    assert to_stripe(money) == amount
    assert from_stripe(amount, money.currency) == money
    assert from_stripe(amount, money.currency.lower()) == money


@pytest.mark.parametrize("money", [Money(9901, "KWD"), Money(5, "TND"), Money(11, "LYD"), Money(19, "LYD")], ids=str)
def test_what_stripe_cannot_charge_exactly_is_refused(money: Money) -> None:
    with pytest.raises(BadAmount, match=f"^{money.minor} minor units of {money.currency} cannot be charged exactly.$"):
        to_stripe(money)


@pytest.mark.parametrize(("amount", "currency"), [(99_050, "isk"), (1, "UGX"), (199, "rsd")])
def test_what_is_finer_than_the_currency_is_refused(amount: int, currency: str) -> None:
    with pytest.raises(BadAmount, match=f"^{amount} is no whole number of minor units of {currency.upper()}.$"):
        from_stripe(amount, currency)


def test_a_tenth_of_a_three_decimal_unit_that_stripe_told_is_read_all_the_same() -> None:
    assert from_stripe(9901, "kwd") == Money(9901, "KWD")
