"""What a buyer can pay with in a currency, and how little: facts of Stripe's, as far as a buyer is told of them.

The payment page itself has the last word: it offers what the account has turned on and the buyer's country allows.
"""

from __future__ import annotations

from flask_babel import gettext as _

from app.core.money import Money
from app.payments.amounts import from_stripe

# https://docs.stripe.com/payments/paypal, seen on 2026-11-21
_PAYPAL_CODES = "EUR USD GBP CHF CZK DKK NOK PLN SEK AUD CAD HKD NZD SGD"
_PAYPAL = frozenset(_PAYPAL_CODES.split())

# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts, seen on 2026-11-21, in Stripe's minor units
_LEAST = {
    "AED": 200, "AUD": 50, "BGN": 100, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250, "EUR": 50, "GBP": 30,
    "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200, "NOK": 300, "NZD": 50, "PLN": 200,
    "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000, "USD": 50,
}  # fmt: skip


def offered(currency: str, account_currency: str) -> list[str]:
    """The methods to name beside a total in that currency, where `account_currency` is the Stripe account's own.

    Alipay and WeChat Pay take yuan or the account's currency.
    """
    chinese = currency in ("CNY", account_currency.upper())
    takes = {"card": True, "alipay": chinese, "wechat_pay": chinese, "paypal": currency in _PAYPAL}
    return [method for method, possible in takes.items() if possible]


def called(method: str | None) -> str:
    """A method in words; one that we have no word for by its own name."""
    words = {
        "card": _("card"),
        "alipay": _("Alipay"),
        "wechat_pay": _("WeChat Pay"),
        "paypal": _("PayPal"),
        "sepa_debit": _("SEPA direct debit"),
        "link": _("Link"),
    }
    return words.get(method or "", (method or "").replace("_", " "))


def least(currency: str) -> Money:
    """The smallest amount that can be charged."""
    return from_stripe(_LEAST[currency], currency) if currency in _LEAST else Money(1, currency)
