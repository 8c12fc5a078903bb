"""From the cart's page to the order's, through the payment page: guests, gifts, codes, and what costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select
from support import rows
from support.instance import eventually
from support.shop import Browser, LiveShop, live_shop, offer

from app.catalog.models import Offer
from app.core.db import db, transaction
from app.core.money import Money
from app.licenses.models import License
from app.orders.models import Claim, Order, OrderState
from app.pricing import coupons
from app.pricing.models import CouponUse
from app.settings import Settings

EMAIL = "guest@example.org"


@pytest.fixture
def live(settings: Settings, tmp_path: Path) -> Iterator[LiveShop]:
    with live_shop(settings, tmp_path) as running:
        yield running


def orders() -> list[Order]:
    db.session.rollback()
    db.session.expire_all()
    return list(db.session.scalars(select(Order).order_by(Order.number)))


def put(browser: Browser, each: Offer, **fields: str) -> None:
    token = browser.get("/cart").text.split('name="csrf-token" content="')[1].split('"')[0]
    sent = {"offer_id": each.id, "csrf_token": token, **fields}
    browser.page = browser.session.post(browser.page.url + "/items", data=sent, timeout=30)
    assert browser.page.status_code == 200


def pay(browser: Browser, **fields: str) -> str:
    """To the payment page; its address."""
    browser.get("/cart")
    browser.submit("/checkout", **fields)
    assert "/pay/cs_test_" in browser.page.url, browser.page.text
    return browser.page.url


def a_code(percent: int, *, single: bool = False) -> str:
    with transaction():
        made = coupons.create(coupons.CouponWish("Harbour", percent=Decimal(percent)))
        return coupons.make_codes(made, 1)[0] if single else coupons.add_code(made, "HARBOUR").code


def test_a_guest_buys_with_a_gift_and_a_code_and_sees_the_order_in_this_browser_only(live: LiveShop) -> None:
    tides, harbour = rows.release("Tides"), rows.release("Harbour")
    code, given = a_code(10), offer(release=harbour)
    browser = Browser(live.url)
    put(browser, offer(release=tides))
    browser.get(f"/cart/gift/{given.id}")
    browser.submit(None, to="grace@example.org", message="For you")
    assert browser.page.url == f"{live.url}/cart"
    assert "Pay €19.80" in browser.page.text
    browser.submit("/checkout", email=EMAIL, coupon=code)
    assert browser.page.url == f"{live.url}/cart"
    assert "Your cart has changed since you saw it" in browser.page.text
    assert "Pay €17.82" in browser.page.text
    pay(browser)
    assert "€17.82" in browser.page.text
    browser.submit(None)
    eventually(lambda: orders()[0].state == OrderState.PAID)
    (order,) = orders()
    browser.get(f"/orders/{order.id}/return")
    assert browser.page.url == f"{live.url}/orders/{order.id}"
    for words in ("Thank you", "For grace@example.org", "For you", "HARBOUR", "Paid by", "€17.82"):
        assert words in browser.page.text
    assert (order.email, order.account_id, order.total) == (EMAIL, None, Money(1782, "EUR"))
    assert [
        (row.account_id, row.release_id) for row in db.session.scalars(select(License).order_by(License.created_at))
    ]
    assert db.session.scalar(select(func.count()).select_from(Claim)) == 2
    assert "Your cart is empty" in browser.get("/cart").text
    stranger = Browser(live.url)
    assert "/sign-in" in stranger.get(f"/orders/{order.id}").url
    assert "/sign-in" in stranger.get(f"/orders/{order.id}/status").url


def test_what_costs_nothing_is_got_without_a_payment(live: LiveShop) -> None:
    tides = rows.release("Tides")
    browser = Browser(live.url)
    put(browser, offer(release=tides, minor=0))
    browser.submit("/checkout", email=EMAIL)
    (order,) = orders()
    assert browser.page.url == f"{live.url}/orders/{order.id}"
    assert (order.state, order.total_minor, order.checkout_id) == (OrderState.PAID, 0, None)
    assert "Your cart is empty" in browser.get("/cart").text
    assert not live.requests


def test_what_is_free_is_not_sent_to_strangers_without_end(live: LiveShop) -> None:
    free = [offer(release=rows.release(f"Free {number}"), minor=0) for number in range(6)]
    for number, each in enumerate(free):
        browser = Browser(live.url)
        put(browser, each)
        browser.submit("/checkout", email=EMAIL)
        assert browser.page.status_code == (429 if number == 5 else 200)
    assert len(orders()) == 5


def test_who_turns_back_to_the_cart_can_pay_again_with_the_same_code_and_only_one_page_is_open(live: LiveShop) -> None:
    code = a_code(50, single=True)
    browser = Browser(live.url)
    put(browser, offer(release=rows.release("Tides")))
    browser.get("/cart")
    browser.submit("/checkout", email=EMAIL, coupon=code)
    first = pay(browser)
    page = browser.get("/cart").text
    assert "Pay €4.95" in page
    assert "is not paid yet" in page
    second = pay(browser)
    assert first != second
    assert [order.state for order in orders()] == [OrderState.CANCELLED, OrderState.PENDING]
    closed = browser.session.get(first, timeout=30)
    assert closed.status_code == 410
    browser.get(second)
    browser.submit(None)
    eventually(lambda: orders()[1].state == OrderState.PAID)
    assert [use.state for use in db.session.scalars(select(CouponUse).order_by(CouponUse.reserved_at))] == [
        "released",
        "taken",
    ]


def test_an_order_that_waits_says_how_to_go_on(live: LiveShop) -> None:
    browser = Browser(live.url)
    put(browser, offer(release=rows.release("Tides")))
    there = pay(browser, email=EMAIL)
    (order,) = orders()
    page = browser.get(f"/orders/{order.id}").text
    assert "Go on paying" in page
    assert f'href="{order.checkout_url}"' in page
    assert order.checkout_url == there


@pytest.mark.parametrize(
    ("minor", "currency", "said"), [(49, "EUR", "Less than €0.50 can’t be paid."), (49, "JPY", "Less than ¥50 can’t")]
)
def test_less_than_can_be_charged_is_refused_with_what_to_do(
    live: LiveShop, minor: int, currency: str, said: str
) -> None:
    browser = Browser(live.url)
    put(browser, offer(release=rows.release("Tides"), minor=minor, currency=currency))
    browser.get("/cart")
    browser.submit("/checkout", email=EMAIL)
    assert browser.page.url == f"{live.url}/cart"
    assert said in browser.page.text
    assert not orders()


def test_a_total_that_somebody_made_up_buys_nothing(live: LiveShop) -> None:
    browser = Browser(live.url)
    put(browser, offer(release=rows.release("Tides")))
    for total, currency in (("1", "EUR"), ("990", "JPY"), ("-990", "EUR"), ("0", "EUR"), (None, "EUR"), ("990", "€")):
        browser.get("/cart")
        browser.submit("/checkout", email=EMAIL, total=total, currency=currency)
        assert "Your cart has changed since you saw it" in browser.page.text
    assert not orders()


@pytest.mark.parametrize(("currency", "minor", "shown"), [("JPY", 1500, "1,350"), ("KWD", 3050, "2.74")])
def test_a_code_and_tax_in_currencies_of_0_and_3_decimals_can_be_paid(
    live: LiveShop, currency: str, minor: int, shown: str
) -> None:
    held = live.app.extensions["settings"]
    live.app.extensions["settings"] = held.model_copy(update={"tax_home": "DE", "tax_countries": "EU"})
    browser = Browser(live.url)
    put(browser, offer(release=rows.release("Tides"), minor=minor, currency=currency))
    browser.get("/cart")
    browser.submit("/checkout", email=EMAIL, country="FR", coupon=a_code(10))
    pay(browser, country="FR")
    assert shown in browser.page.text
    browser.submit(None)
    eventually(lambda: orders()[0].state == OrderState.PAID)
    (order,) = orders()
    assert sum(line.net_minor + line.tax_minor for line in order.lines) == order.total_minor
