"""What a buyer is told that they can pay with."""

from __future__ import annotations

import pytest
from flask import Flask
from flask_babel import Babel, force_locale

from app.core.money import Money
from app.payments.methods import called, least, offered
from app.settings import ROOT


@pytest.mark.parametrize(
    ("currency", "account", "methods"),
    [
        ("EUR", "eur", ["card", "alipay", "wechat_pay", "paypal"]),
        ("EUR", "usd", ["card", "paypal"]),
        ("CNY", "eur", ["card", "alipay", "wechat_pay"]),
        ("JPY", "eur", ["card"]),
        ("JPY", "jpy", ["card", "alipay", "wechat_pay"]),
        ("USD", "USD", ["card", "alipay", "wechat_pay", "paypal"]),
    ],
)
def test_what_a_currency_can_be_paid_with(currency: str, account: str, methods: list[str]) -> None:
    assert offered(currency, account) == methods


def test_paypal_s_currencies() -> None:
    # https://docs.stripe.com/payments/paypal, copied out apart from the module
    takes = {"EUR", "USD", "GBP", "CHF", "CZK", "DKK", "NOK", "PLN", "SEK", "AUD", "CAD", "HKD", "NZD", "SGD"}
    every = takes | {"CNY", "JPY", "KRW", "BRL", "INR", "HUF", "MXN", "THB"}
    assert {code for code in every if "paypal" in offered(code, "eur")} == takes


@pytest.mark.parametrize(
    ("minor", "currencies"),
    [
        (50, "AUD BRL CAD CHF EUR INR JPY NZD SGD USD"),
        (30, "GBP"),
        (100, "BGN"),
        (200, "AED MYR PLN RON"),
        (250, "DKK"),
        (300, "NOK SEK"),
        (400, "HKD"),
        (1000, "MXN THB"),
        (1500, "CZK"),
        (17_500, "HUF"),
        (1, "KRW KWD ISK"),  # of which Stripe says nothing
    ],
)
def test_the_least_that_can_be_charged(minor: int, currencies: str) -> None:
    for currency in currencies.split():
        assert least(currency) == Money(minor, currency)


def test_methods_in_words() -> None:
    app = Flask("app", root_path=str(ROOT / "app"))
    Babel(app)
    with app.app_context(), force_locale("en"):
        known = ("card", "alipay", "wechat_pay", "paypal", "sepa_debit", "link")
        words = ["card", "Alipay", "WeChat Pay", "PayPal", "SEPA direct debit", "Link"]
        assert [called(method) for method in known] == words
        assert [called("us_bank_account"), called(""), called(None)] == ["us bank account", "", ""]
