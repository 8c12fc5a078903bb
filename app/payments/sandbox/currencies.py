"""Currencies as the sandbox's account knows them: what can be charged, by what means, and what it comes to."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

MOST = 99_999_999  # https://docs.stripe.com/currencies#maximum-amount

# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts, where it names one.
_LEAST = {"usd": 50, "eur": 50, "gbp": 30, "jpy": 50, "hkd": 400, "chf": 50, "aud": 50, "cad": 50, "sgd": 50}
_CODES = (
    "aed ars aud bgn bhd brl cad chf clp cny cop czk dkk eur gbp hkd huf idr ils inr isk jod jpy krw kwd mxn myr nok"
    " nzd omr pen php pln ron rsd sar sek sgd thb tnd try twd uah ugx usd vnd xaf xof zar"
)
SUPPORTED = frozenset(_CODES.split())
_THREE_DECIMALS = "bhd jod kwd omr tnd"
_NO_DECIMALS = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
_THREE, _ZERO = frozenset(_THREE_DECIMALS.split()), frozenset(_NO_DECIMALS.split())

# What the account has turned on. Alipay and WeChat Pay take yuan or the account's own currency, PayPal a list
# (https://docs.stripe.com/payments/paypal), SEPA debits euros only; those are paid days after the page is left.
_PAYPAL_CODES = "eur usd gbp chf czk dkk nok pln sek aud cad hkd nzd sgd"
_PAYPAL = frozenset(_PAYPAL_CODES.split())
METHODS = ("card", "alipay", "wechat_pay", "paypal", "sepa_debit")
DELAYED = frozenset({"sepa_debit"})

# Units of each currency for one euro. They stand still: what a test expects must not move.
_PER_EURO = {
    "aud": "1.65", "cad": "1.48", "chf": "0.95", "cny": "7.80", "czk": "25", "dkk": "7.46", "gbp": "0.85",
    "hkd": "8.50", "inr": "90", "jpy": "165", "krw": "1480", "kwd": "0.33", "nok": "11.6", "nzd": "1.80",
    "pln": "4.30", "sek": "11.3", "sgd": "1.45", "twd": "35", "usd": "1.09",
}  # fmt: skip


def digits(currency: str) -> int:
    """How many decimals Stripe gives the currency (https://docs.stripe.com/currencies#minor-units)."""
    return 0 if currency in _ZERO else 3 if currency in _THREE else 2


def least(currency: str) -> int:
    """The smallest amount that can be charged, in minor units."""
    return _LEAST.get(currency, 1)


def methods_for(currency: str, account: str) -> list[str]:
    """What a buyer can pay with in a currency, where `account` is the account's own."""
    takes = {
        "card": True,
        "alipay": currency in ("cny", account),
        "wechat_pay": currency in ("cny", account),
        "paypal": currency in _PAYPAL,
        "sepa_debit": currency == "eur",
    }
    return [method for method in METHODS if takes[method]]


def rate(currency: str, account: str) -> Decimal | None:
    """Major units of the account's currency for one of another; None where nothing is exchanged."""
    if currency == account:
        return None
    return Decimal(_PER_EURO.get(account, "1")) / Decimal(_PER_EURO.get(currency, "1"))


def settle(amount: int, currency: str, account: str) -> int:
    """An amount in minor units of the account's currency."""
    exchange = rate(currency, account)
    if exchange is None:
        return amount
    major = Decimal(amount).scaleb(-digits(currency)) * exchange
    return int(major.scaleb(digits(account)).to_integral_value(ROUND_HALF_EVEN))
