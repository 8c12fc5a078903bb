"""Buying in a browser, in every way there is: each method, declined first, as a guest, with a code, as a gift."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from app.catalog import offers
from app.catalog.models import Release
from app.core.db import db, transaction
from app.core.money import Money
from app.orders.models import OrderState
from tests.browser import counter
from tests.browser.counter import COUPON, Bank, Buyer, Wares, order_of
from tests.browser.shop import PASSWORD, RESULTS, Shop

DECLINED = "4000 0000 0000 0002"
FAILING_IBAN = "DE62 3704 0044 0532 0130 01"

Arrive = Callable[..., Buyer]


@pytest.fixture(scope="module")
def wares(live_shop: Shop) -> Iterator[Wares]:
    with counter.wares(live_shop) as made:
        yield made


@pytest.fixture
def english(browser: Browser, live_shop: Shop, request: pytest.FixtureRequest) -> Iterator[Buyer]:
    """Somebody at a desk, who reads English."""
    with counter.before_a_screen(browser, live_shop) as buyer:
        yield from _pictured(buyer, request)


@pytest.fixture
def chinese(browser: Browser, live_shop: Shop, request: pytest.FixtureRequest) -> Iterator[Buyer]:
    """Somebody with a phone in the dark, who reads Chinese."""
    with counter.before_a_screen(browser, live_shop, zh=True) as buyer:
        yield from _pictured(buyer, request)


def _pictured(buyer: Buyer, request: pytest.FixtureRequest) -> Iterator[Buyer]:
    failures = request.session.testsfailed
    yield buyer
    if request.session.testsfailed > failures:
        RESULTS.mkdir(exist_ok=True)
        buyer.page.screenshot(path=RESULTS / f"{request.node.name}.png".replace("/", "-"), full_page=True)


@pytest.mark.parametrize(
    ("reader", "method", "name", "currency", "offered"),
    [
        ("english", "card", "card", "EUR", ["card", "alipay", "wechat_pay", "paypal", "sepa_debit"]),
        ("english", "paypal", "PayPal", "USD", ["card", "paypal"]),
        ("chinese", "alipay", "Alipay", "CNY", ["card", "alipay", "wechat_pay"]),
        ("chinese", "wechat_pay", "WeChat Pay", "EUR", ["card", "alipay", "wechat_pay", "paypal", "sepa_debit"]),
    ],
)
def test_each_method_pays_after_it_was_declined(
    request: pytest.FixtureRequest,
    live_shop: Shop,
    wares: Wares,
    reader: str,
    method: str,
    name: str,
    currency: str,
    offered: list[str],
) -> None:
    buyer: Buyer = request.getfixturevalue(reader)
    page = buyer.page
    buyer.signs_in(currency=currency)
    buyer.adds(wares["single"])
    expect(buyer.pay_button).to_contain_text({"EUR": "7.00", "USD": "8.00", "CNY": "52.00"}[currency])
    buyer.goes_to_pay()
    assert buyer.offered() == offered
    if method == "card":
        page.locator("#number").fill(DECLINED)
        page.locator("#pay").click()
    else:
        page.locator(f"button[name=decline][value={method}]").click()
    expect(page.get_by_role("alert")).to_contain_text("付款被拒绝" if buyer.zh else "declined")
    if method == "card":
        page.locator("#number").fill("4242 4242 4242 4242")
    buyer.pays(method)
    buyer.heads("It’s yours")
    expect(page.locator(".sums")).to_contain_text(buyer.says(name))
    assert order_of(live_shop, page.url) == (OrderState.PAID, method)


def test_a_bank_that_takes_days_is_waited_for(english: Buyer, live_shop: Shop, wares: Wares) -> None:
    page = english.page
    english.signs_in()
    english.adds(wares["single"])
    session = english.goes_to_pay()
    page.locator("#sepa_debit").check()
    page.locator("#iban").fill(FAILING_IBAN)
    english.pays("sepa_debit")
    expect(page.get_by_text("Your bank takes some days")).to_be_visible()
    Bank(live_shop).settle(session)
