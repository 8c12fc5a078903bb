"""The routes of an order, answer by answer: the button that orders, the way back, the order itself, the webhook."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import REGISTRY
from sqlalchemy import select
from support import rows
from support.flashed import flashed
from support.selling import fresh, placed, sold, standing
from support.shop import offer
from support.till import Till
from werkzeug.test import TestResponse

from app.accounts import limits
from app.accounts.models import Account, Role
from app.catalog.models import Offer
from app.core import clock
from app.core.db import db, transaction
from app.orders import visitor
from app.orders.models import Order, OrderState
from app.payments.sandbox import objects
from app.payments.sandbox.webhooks import sign
from app.pricing import told

EMAIL = "guest@example.org"
CHANGED = "Your cart has changed since you saw it. Look at it again before you pay."


@pytest.fixture
def till(app: Flask, tmp_path: Path) -> Till:
    return Till(app, tmp_path)


@pytest.fixture
def ada(client: FlaskClient) -> Account:
    made = rows.account("Ada")
    rows.sign_in(client, made)
    return made


def configured(app: Flask, **changes: object) -> None:
    app.extensions["settings"] = app.extensions["settings"].model_copy(update=changes)


def put(browser: FlaskClient, *offers: Offer) -> None:
    for each in offers:
        assert browser.post("/cart/items", data={"offer_id": each.id}).status_code == 303
    flashed(browser)


def press(browser: FlaskClient, **fields: str) -> TestResponse:
    """The button under a cart of one album, as a guest's page sends it; an empty field is left out."""
    sent = {"email": EMAIL, "total": "990", "currency": "EUR"} | fields
    return browser.post("/checkout", data={name: value for name, value in sent.items() if value})


def ordered() -> list[Order]:
    db.session.rollback()
    db.session.expire_all()
    return list(db.session.scalars(select(Order).order_by(Order.number)))


def kept_in(browser: FlaskClient) -> object:
    with browser.session_transaction() as session:
        return session.get("orders")


def keeps(browser: FlaskClient, value: object) -> None:
    with browser.session_transaction() as session:
        session["orders"] = value


def waits(till: Till, account: Account | None) -> Order:
    """An order whose payment page is open."""
    order = placed(account, sold())
    page = till.client.v1.checkout.sessions.retrieve(till.open(order))
    with transaction():
        order.checkout_url = page.url
    return order


def text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


# The button


@pytest.mark.parametrize("emptied", [False, True])
def test_an_empty_cart_leads_back_to_itself(till: Till, client: FlaskClient, emptied: bool) -> None:
    if emptied:
        put(client, offer(release=rows.release()))
        item = re.search(r"/cart/items/([^/]+)/remove", client.get("/cart").text)
        assert item is not None
        client.post(item[0])
    answer = press(client)
    assert (answer.status_code, answer.location) == (303, "/cart")
    assert flashed(client) == []
    assert ordered() == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"email": ""}, "Type your e-mail address: what you buy is sent there."),
        # What is wrong with what was typed is said, and not that nothing was.
        ({"email": "ada at home"}, "ada at home"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_ordered(
    till: Till, client: FlaskClient, typed: dict[str, str], said: str
) -> None:
    put(client, offer(release=rows.release()))
    answer = press(client, **typed)
    assert answer.status_code == 422
    assert said in unescape(answer.text)
    if typed.get("email"):
        assert 'value="ada at home"' in answer.text
        assert "what you buy is sent there" not in answer.text
    assert ordered() == []


def test_a_guest_s_order_is_placed_with_its_words_addresses_and_language(till: Till, client: FlaskClient) -> None:
    put(client, offer(release=rows.release()))
    answer = client.post(
        "/checkout",
        data={"email": EMAIL, "total": "990", "currency": "EUR"},
        headers={"Accept-Language": "zh"},
    )
    [order] = ordered()
    assert (answer.status_code, answer.location) == (303, order.checkout_url)
    assert (order.account_id, order.email, order.locale) == (None, EMAIL, "zh_Hans")
    page = till.client.v1.checkout.sessions.retrieve(order.checkout_id or "")
    assert (page.success_url, page.cancel_url) == (
        f"http://localhost/orders/{order.id}/return",
        "http://localhost/cart",
    )
    assert kept_in(client) == [order.id]


def test_who_is_signed_in_orders_for_themselves_whatever_address_is_sent_along(
    till: Till, client: FlaskClient, ada: Account
) -> None:
    put(client, offer(release=rows.release()))
    assert press(client).status_code == 303
    [order] = ordered()
    assert (order.account_id, order.email, order.locale) == (ada.id, ada.email, "en")
    assert kept_in(client) is None


def test_in_production_the_payment_page_leads_back_to_the_address_that_is_configured(
    app: Flask, till: Till, client: FlaskClient
) -> None:
    put(client, offer(release=rows.release()))
    configured(app, environment="production", base_url="https://shop.example")
    press(client)
    [order] = ordered()
    page = till.client.v1.checkout.sessions.retrieve(order.checkout_id or "")
    assert page.success_url == f"https://shop.example/orders/{order.id}/return"
    assert page.cancel_url == "https://shop.example/cart"


@pytest.mark.parametrize(
    "shown",
    [{"total": ""}, {"total": "nine"}, {"total": "991"}, {"currency": "USD"}, {"currency": ""}, {"currency": "EURO"}],
)
def test_another_total_than_was_shown_is_not_paid(till: Till, client: FlaskClient, shown: dict[str, str]) -> None:
    put(client, offer(release=rows.release()))
    answer = press(client, **shown)
    assert (answer.status_code, answer.location) == (303, "/cart")
    assert flashed(client) == [("error", CHANGED)]
    assert ordered() == []


def test_a_gateway_that_is_away_is_said_to_be_and_nothing_is_remembered(till: Till, client: FlaskClient) -> None:
    put(client, offer(release=rows.release()))
    till.does.fault("timeout_before")
    answer = press(client)
    assert (answer.status_code, answer.location) == (303, "/cart")
    [(kind, words)] = flashed(client)
    assert kind == "error"
    assert "payment service" in words
    assert kept_in(client) is None


def test_ordering_again_closes_the_page_that_was_left_open(till: Till, client: FlaskClient) -> None:
    put(client, offer(release=rows.release()))
    press(client)
    press(client)
    first, second = ordered()
    assert (first.state, second.state) == (OrderState.CANCELLED, OrderState.PENDING)
    assert kept_in(client) == [first.id, second.id]


@pytest.mark.parametrize(
    ("signed_in", "minor", "status"), [(False, 0, 429), (False, 1, 303), (False, 990, 303), (True, 0, 303)]
)
def test_what_is_free_for_a_guest_counts_as_a_letter_to_that_address(
    till: Till, client: FlaskClient, signed_in: bool, minor: int, status: int
) -> None:
    person = rows.account("Ada")
    if signed_in:
        rows.sign_in(client, person)
    put(client, offer(release=rows.release(), minor=minor))
    for _letter in range(limits.LETTER.per_account):
        with transaction():
            limits.note(limits.LETTER, account=person.email if signed_in else EMAIL, address=None)
    assert press(client, total=str(minor)).status_code == status
    # A cent is too little for a payment page, so it leads back to the cart: it is only not counted.
    assert [order.total_minor for order in ordered()] == ([minor] if minor != 1 and status == 303 else [])


def test_what_is_free_is_the_buyer_s_and_the_answer_leads_to_it(till: Till, client: FlaskClient) -> None:
    put(client, offer(release=rows.release(), minor=0))
    answer = press(client, total="0")
    [order] = ordered()
    assert (answer.status_code, answer.location) == (303, f"/orders/{order.id}")
    assert order.state == OrderState.PAID


def test_rates_that_are_not_at_hand_are_asked_for_when_the_button_is_pressed(
    app: Flask, till: Till, client: FlaskClient
) -> None:
    configured(app, tax_source="stripe", tax_home="DE", tax_countries="EU,JP", tax_prices="inclusive")
    put(client, offer(release=rows.release()))
    client.post("/cart/details", data={"email": EMAIL, "country": "JP"})
    client.get("/cart")
    told.told_rates()._kept.clear()  # another process, or another day, took the button's request
    assert press(client).location.startswith("http://sandbox.test/pay/")
    [order] = ordered()
    assert order.lines[0].tax_country == "JP"


def test_the_cart_names_the_ways_to_pay_in_its_currency_and_what_waits_for_payment(
    app: Flask, till: Till, client: FlaskClient
) -> None:
    put(client, offer(release=rows.release()))
    page = text(client.get("/cart").text)
    assert "By card, Alipay, WeChat Pay, PayPal." in page
    assert "is not paid yet" not in page
    configured(app, stripe_currency="usd")
    assert "By card, PayPal." in text(client.get("/cart").text)
    press(client)
    assert f"Order {ordered()[0].number}" in text(client.get("/cart").text)
    assert "is not paid yet" in client.get("/cart").text
    assert "is not paid yet" not in app.test_client().get("/cart").text
    bo = rows.account("Bo")
    rows.sign_in(client, bo)
    put(client, offer(release=rows.release()))
    assert "is not paid yet" not in client.get("/cart").text
    mine = waits(till, bo)
    assert f"Order {mine.number}" in text(client.get("/cart").text)


# The way back


@pytest.mark.parametrize(
    ("asked", "following", "delay"),
    [
        ("", 1, 1),
        ("?n=", 1, 1),
        ("?n=soon", 1, 1),
        ("?n=-7", 1, 1),
        ("?n=0", 1, 1),
        ("?n=2", 3, 1),
        ("?n=9", 10, 1),
        ("?n=10", 11, 3),
        ("?n=59", 60, 3),
        ("?n=60", None, 3),
        ("?n=61", None, 3),
        ("?n=99999999", None, 3),
    ],
)
def test_the_page_asks_again_by_itself_slower_after_a_while_and_not_for_ever(
    till: Till, client: FlaskClient, ada: Account, asked: str, following: int | None, delay: int
) -> None:
    order = waits(till, ada)
    page, part = (client.get(f"/orders/{order.id}/{name}{asked}") for name in ("return", "status"))
    assert (page.status_code, part.status_code) == (200, 200)
    assert "<title>Confirming your payment" in page.text
    assert "<html" not in part.text
    again = f'hx-get="/orders/{order.id}/status?n={following}" hx-trigger="load delay:{delay}s"'
    without_script = f'content="{delay + 1}; url=/orders/{order.id}/return?n={following}"'
    for answer in (page, part):
        assert f"order {order.number}" in answer.text.lower()
        assert ("hx-get" in answer.text) == (following is not None)
        assert (again in answer.text) == (following is not None)
    assert (without_script in page.text) == (following is not None)


@pytest.mark.parametrize("name", ["return", "status"])
def test_from_the_third_time_the_gateway_is_asked_and_only_about_what_waits(
    till: Till, client: FlaskClient, ada: Account, name: str
) -> None:
    order = waits(till, ada)
    payment = till.does.pay(order.checkout_id or "")["payment_intent"]
    there = f"/orders/{order.id}/{name}"
    assert "Confirming" in client.get(f"{there}?n=2").text
    assert fresh(order).state == OrderState.PENDING
    answer = client.get(f"{there}?n=3")
    assert (answer.status_code, answer.location) == (302, f"/orders/{order.id}")
    assert standing(order) == [True]

    part = client.get(f"{there}?n=1", headers={"HX-Request": "true"})
    if name == "status":
        assert (part.status_code, part.headers["HX-Location"], part.text) == (204, f"/orders/{order.id}", "")
    else:
        assert (part.status_code, part.location) == (302, f"/orders/{order.id}")
    # What is paid is nobody's to ask about here: the webhook tells of refunds, and the sweep.
    till.refund(payment, 990)
    client.get(f"{there}?n=3")
    assert fresh(order).state == OrderState.PAID


@pytest.mark.parametrize("name", ["return", "status"])
def test_a_gateway_that_does_not_answer_is_waited_for(till: Till, client: FlaskClient, ada: Account, name: str) -> None:
    order = waits(till, ada)
    till.does.pay(order.checkout_id or "")
    till.does.fault("timeout_before")
    answer = client.get(f"/orders/{order.id}/{name}?n=3")
    assert answer.status_code == 200
    assert "status?n=4" in answer.text


# The order


def taxed(account: Account | None) -> Order:
    """An order at the full German rate, as the shop writes it where it collects tax."""
    order = placed(account, sold("Tides", tax=158))
    with transaction():
        [line] = order.lines
        line.tax_rate, line.tax_country, line.tax_name = Decimal(19), "DE", "VAT"
    return order


def test_an_order_shows_its_state_its_tax_its_day_and_what_can_be_played(
    till: Till, client: FlaskClient, ada: Account
) -> None:
    order = taxed(ada)
    page = text(client.get(f"/orders/{order.id}").text)
    assert "Not paid yet" in page
    assert "Cancel this order" in page
    assert "Paid by" not in page

    till.pay(order)
    with transaction():
        db.session.get_one(Order, order.id).paid_at = datetime(2026, 3, 5, 12, tzinfo=UTC)
    answer = client.get(f"/orders/{order.id}")
    page = text(answer.text)
    for words in ("Net at 19% €8.32", "19% VAT (Germany) €1.58", "Paid by card", "March 5, 2026", "It’s yours"):
        assert words in page
    assert 'aria-label="Play Tides' in answer.text
    page = text(client.get("/orders").text)
    for words in (str(order.number), "Tides", "Paid", "March 5, 2026", "€9.90"):
        assert words in page


def test_the_list_of_orders_is_the_reader_s_own(app: Flask, till: Till, client: FlaskClient, ada: Account) -> None:
    mine, other = placed(ada, sold("Tides")), placed(rows.account("Bo"), sold("Harbour"))
    page = client.get("/orders").text
    assert f"/orders/{mine.id}" in page
    assert "Not paid yet" in page
    assert f"/orders/{other.id}" not in page
    answer = app.test_client().get("/orders")
    assert (answer.status_code, answer.location.split("?")[0]) == (302, "/sign-in")


@pytest.mark.parametrize("path", ["", "/return", "/status"])
def test_what_is_not_there_for_a_reader_is_said_so(
    app: Flask, till: Till, client: FlaskClient, ada: Account, path: str
) -> None:
    others = placed(rows.account("Bo"), sold())
    for order_id in (others.id, "nonsense"):
        answer = client.get(f"/orders/{order_id}{path}")
        assert answer.status_code == 404
        assert "There is no such order." in answer.text
        answer = app.test_client().get(f"/orders/{order_id}{path}")
        assert (answer.status_code, answer.location.split("?")[0]) == (302, "/sign-in")


# What a browser remembers


def test_a_browser_shows_a_guest_s_orders_and_no_others_by_what_it_remembers(
    app: Flask, till: Till, client: FlaskClient
) -> None:
    guests, bos = placed(None, sold("Tides")), placed(rows.account("Bo"), sold("Harbour"))
    for value, status in (
        (None, 302),
        ("nonsense", 302),
        (guests.id, 302),  # a list, or nothing
        ([], 302),
        ([7, None, guests.id], 200),
        (["gone", bos.id], 302),
    ):
        keeps(client, value)
        assert client.get(f"/orders/{guests.id}").status_code == status
        # An account's order is not shown without its account, whatever a browser has kept.
        assert client.get(f"/orders/{bos.id}").status_code == 302
        assert client.get("/orders/gone").status_code == 302
    keeps(client, [guests.id])
    rows.sign_in(client, rows.account("Cy"))
    assert client.get(f"/orders/{guests.id}").status_code == 200  # signed in since, in the same browser
    assert client.get(f"/orders/{bos.id}").status_code == 404
    reader = app.test_client()
    rows.staff(reader, Role.ADMIN)
    assert [reader.get(f"/orders/{each.id}").status_code for each in (guests, bos)] == [200, 200]


def test_the_last_twenty_orders_are_remembered_each_once_the_newest_last(app: Flask) -> None:
    assert visitor.order_ids() == []
    made = [Order(id=f"order{number}", account_id=None) for number in range(22)]
    with app.test_request_context():
        for each in made:
            visitor.remember(each)
        assert visitor.order_ids() == [f"order{number}" for number in range(2, 22)]
        visitor.remember(made[5])
        assert visitor.order_ids()[-2:] == ["order21", "order5"]
        assert visitor.order_ids().count("order5") == 1
        assert len(visitor.order_ids()) == 20
        visitor.remember(Order(id="theirs", account_id="somebody"))
        assert visitor.order_ids()[-1] == "order5"


# The webhook


def lag() -> tuple[float, float]:
    count, total = (REGISTRY.get_sample_value(f"wavecrate_webhook_lag_seconds_{name}") for name in ("count", "sum"))
    return count or 0.0, total or 0.0


@pytest.mark.parametrize(("created", "more"), [(-90, (1, 90)), (0, (1, 0)), (90, (1, 0))])
def test_how_late_an_event_came_is_measured_once_its_effect_is_there(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, created: int, more: tuple[float, float]
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    monkeypatch.setattr(clock, "now", lambda: now)
    event = objects.event("customer.created", {"id": "cus_1", "object": "customer"})
    event["created"] = int((now + timedelta(seconds=created)).timestamp())
    raw, before = json.dumps(event).encode(), lag()
    secret = app.extensions["settings"].stripe_webhook_secret.get_secret_value()
    answer = client.post(
        "/webhooks/stripe", data=raw, headers={"Stripe-Signature": sign(raw, secret, int(time.time()))}
    )
    assert (answer.status_code, answer.data) == (204, b"")
    after = lag()
    assert after[0] - before[0] == more[0]
    assert after[1] - before[1] == pytest.approx(more[1])


def test_a_refused_webhook_is_told_why_and_needs_no_token_of_a_form(app: Flask, client: FlaskClient) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    answer = client.post("/webhooks/stripe", data=b"{}", headers={"Stripe-Signature": "t=1,v1=0"})
    assert answer.status_code == 400
    assert "The webhook carries no valid signature of the payment gateway." in answer.text


def test_cases_that_wait_are_among_what_is_measured_of_the_shop(client: FlaskClient) -> None:
    assert 'wavecrate_open_cases{kind="mismatch"} 0' in client.get("/metrics").text
