"""Money: an integer of minor units with its ISO 4217 code. No float ever holds a price."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from babel.numbers import format_currency, get_currency_precision, list_currencies
from flask_babel import gettext as _

from app.core.errors import WavecrateError

_CURRENCIES = frozenset(list_currencies())
# What the shop sells in; the first is what a form begins with.
SOLD_IN = ("EUR", "USD", "GBP", "CNY", "HKD", "TWD", "JPY", "SGD", "CHF", "AUD", "CAD")
MOST_MINOR = 99_999_999  # what a payment can carry, in minor units


class BadAmount(WavecrateError):
    """The text is no amount in that currency."""


@dataclass(frozen=True, order=True, slots=True)
class Money:
    """An amount in minor units: `Money(990, "EUR")` is 9.90 €, `Money(990, "JPY")` is 990 ¥."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in _CURRENCIES:
            raise BadAmount(f"{self.currency!r} is not an ISO 4217 currency code.")

    def __add__(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise BadAmount(f"{self.currency} and {other.currency} cannot be added.")
        return Money(self.minor + other.minor, self.currency)

    @property
    def decimal(self) -> Decimal:
        """The amount in major units."""
        return Decimal(self.minor).scaleb(-get_currency_precision(self.currency))

    def format(self, locale: str) -> str:
        """The amount as a reader of that locale writes it."""
        return str(format_currency(self.decimal, self.currency, locale=locale))


def step(currency: str) -> int:
    """The smallest amount that can be paid, in minor units: cards settle no more than two decimals of currencies with
    three (https://docs.stripe.com/currencies#three-decimal)."""
    return 10 if get_currency_precision(currency) == 3 else 1


def parse_money(text: str, currency: str) -> Money:
    """Read "9.90" as minor units of the currency; raise BadAmount for anything else or finer than can be paid."""
    code = currency.strip().upper()
    probe = Money(0, code)
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise BadAmount(_("“%(text)s” is not an amount. Write it like 9.90.", text=text))
    places = get_currency_precision(probe.currency)
    # First: with a number of more than 28 digits, or near a Decimal's largest, the rest can't be reckoned.
    if amount > MOST_MINOR or amount.scaleb(places) > MOST_MINOR:
        raise BadAmount(_("%(text)s %(currency)s is more than a payment can carry.", text=text, currency=code))
    minor = amount.scaleb(places)
    if minor != minor.to_integral_value():
        raise BadAmount(_("%(currency)s has no unit as small as %(text)s.", currency=code, text=text))
    if minor % step(code):
        raise BadAmount(_("%(currency)s is paid with two decimals. Write it like 9.90.", currency=code))
    return Money(int(minor), code)
