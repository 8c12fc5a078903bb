"""Money counts in minor units, and Stripe's minor units are not always those."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.money import BadAmount, Money, parse_money
from app.payments.amounts import from_stripe, to_stripe


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [("9.90", "EUR", 990), (" 9.9 ", "eur", 990), ("10", "USD", 1000), ("0.01", "CNY", 1), ("990", "JPY", 990)],
)
def test_an_amount_is_read_exactly(text: str, currency: str, minor: int) -> None:
    assert parse_money(text, currency) == Money(minor, currency.upper())


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("9,90", "EUR"),
        ("9.905", "EUR"),
        ("9.90", "JPY"),
        ("-1", "EUR"),
        ("NaN", "EUR"),
        ("Infinity", "EUR"),
        ("", "EUR"),
        ("9.90", "ZZZ"),
        ("1000000", "EUR"),
        ("9" * 29, "EUR"),  # more digits than a Decimal reckons with
        ("9e999999", "EUR"),  # and the largest there is
    ],
)
def test_what_is_no_amount_is_refused(text: str, currency: str) -> None:
    with pytest.raises(BadAmount):
        parse_money(text, currency)


def test_money_is_written_as_the_reader_writes_it() -> None:
    assert Money(990, "EUR").format("en") == "€9.90"
    assert Money(990, "CNY").format("zh_Hans") == "¥9.90"
    assert Money(990, "JPY").format("en") == "¥990"


def test_currencies_are_not_added() -> None:
    assert Money(990, "EUR") + Money(10, "EUR") == Money(1000, "EUR")
    with pytest.raises(BadAmount):
        Money(990, "EUR") + Money(10, "USD")


# https://docs.stripe.com/currencies#minor-units
@pytest.mark.parametrize(
    ("money", "amount"),
    [
        (Money(990, "EUR"), 990),
        (Money(990, "CNY"), 990),
        (Money(990, "JPY"), 990),
        (Money(990, "KRW"), 990),
        (Money(990, "UGX"), 99_000),
        (Money(990, "ISK"), 99_000),
        (Money(990, "RSD"), 99_000),
        (Money(990, "ALL"), 99_000),
        (Money(99_000, "HUF"), 99_000),
        (Money(99_000, "TWD"), 99_000),
        (Money(9900, "KWD"), 9900),
    ],
    ids=lambda value: str(value),
)
def test_amounts_go_to_stripe_in_its_own_units_and_come_back(money: Money, amount: int) -> None:
    assert to_stripe(money) == amount
    assert from_stripe(amount, money.currency.lower()) == money


# Every currency that Stripe counts otherwise than in hundredths, and those whose own minor unit is not Stripe's:
# (units of ours, units of Stripe's) of the same amount.
_ZERO, _THREE = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF", "BHD JOD KWD OMR TND"
_TWO, _OTHERWISE = "EUR USD GBP CNY HKD TWD HUF IDR COP", "ISK UGX RSD ALL"
_UNITS = {
    **dict.fromkeys(_ZERO.split(), (1, 1)),
    **dict.fromkeys(_THREE.split(), (10, 10)),
    **dict.fromkeys(_TWO.split(), (1, 1)),
    **dict.fromkeys(_OTHERWISE.split(), (1, 100)),
}


@pytest.mark.parametrize(("currency", "units"), _UNITS.items(), ids=str)
@pytest.mark.parametrize("amount", [1, 7, 990, 99_999])
def test_an_amount_goes_to_stripe_and_back_in_every_kind_of_currency(
    currency: str, units: tuple[int, int], amount: int
) -> None:
    ours, theirs = units
    assert to_stripe(Money(amount * ours, currency)) == amount * theirs
    assert from_stripe(amount * theirs, currency.lower()) == Money(amount * ours, currency)


@given(st.integers(0, 99_999_999), st.sampled_from(["EUR", "USD", "CNY", "JPY", "ISK", "UGX", "RSD", "KRW", "HUF"]))
def test_no_amount_is_changed_on_the_way(minor: int, currency: str) -> None:
    assert from_stripe(to_stripe(Money(minor, currency)), currency) == Money(minor, currency)


def test_what_cannot_be_charged_exactly_is_refused() -> None:
    with pytest.raises(BadAmount):
        to_stripe(Money(9901, "KWD"))
    with pytest.raises(BadAmount):
        from_stripe(99_050, "isk")
