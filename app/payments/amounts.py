"""Stripe's minor units, which are not everywhere ISO 4217's, nor CLDR's, by which `Money` counts."""

from __future__ import annotations

from babel.numbers import get_currency_precision

from app.core.money import BadAmount, Money

# https://docs.stripe.com/currencies#minor-units. ISK and UGX have no minor unit any more, yet Stripe still wants two
# decimals of them; RSD, ALL and others have none in CLDR and two at Stripe.
_NO_DECIMALS = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD JOD KWD OMR TND"
_ZERO = frozenset(_NO_DECIMALS.split())
_THREE = frozenset(_THREE_DECIMALS.split())


def stripe_exponent(currency: str) -> int:
    """How many decimals Stripe gives a currency (ISO 4217 code, capitals)."""
    return 0 if currency in _ZERO else 3 if currency in _THREE else 2


def to_stripe(money: Money) -> int:
    """The amount as Stripe counts it; raise BadAmount where Stripe cannot charge it exactly."""
    shift = stripe_exponent(money.currency) - get_currency_precision(money.currency)
    up, down = _factors(shift)
    amount, rest = divmod(money.minor * up, down)
    # Three-decimal amounts end in 0: the networks settle them to the tenth minor unit.
    if rest or (money.currency in _THREE and amount % 10):
        raise BadAmount(f"{money.minor} minor units of {money.currency} cannot be charged exactly.")
    return amount


def from_stripe(amount: int, currency: str) -> Money:
    """Stripe's amount as Money; raise BadAmount where it is finer than the currency's own minor unit."""
    code = currency.upper()
    shift = get_currency_precision(code) - stripe_exponent(code)
    up, down = _factors(shift)
    minor, rest = divmod(amount * up, down)
    if rest:
        raise BadAmount(f"{amount} is no whole number of minor units of {code}.")
    return Money(minor, code)


def _factors(shift: int) -> tuple[int, int]:
    return int(10 ** max(shift, 0)), int(10 ** max(-shift, 0))
