"""The whole purchase over HTTP: the shop and the sandbox are real servers, the webhook a real signed request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select
from support import letters, rows
from support.instance import eventually
from support.shop import Browser, LiveShop, live_shop, offer

from app.accounts import service as accounts
from app.accounts.models import Role
from app.core.db import db
from app.discovery.models import Event, EventKind
from app.licenses import service as licenses
from app.licenses.models import License, Use
from app.orders.models import Order, OrderState
from app.payments.models import PaymentEvent
from app.settings import Settings

PASSWORD = "a quiet harbour"


@pytest.fixture
def live(settings: Settings, tmp_path: Path) -> Iterator[LiveShop]:
    with live_shop(settings, tmp_path) as running:
        yield running


@pytest.fixture
def held(settings: Settings, tmp_path: Path) -> Iterator[LiveShop]:
    """Webhooks wait in the sandbox until `deliver()`."""
    with live_shop(settings, tmp_path, deliver=False) as running:
        yield running


def order() -> Order:
    db.session.rollback()
    db.session.expire_all()
    return db.session.scalars(select(Order).order_by(Order.number.desc())).first()  # type: ignore[return-value]


def is_paid() -> bool:
    return order().state == OrderState.PAID


def sign_up(browser: Browser, email: str = "ada@example.org") -> None:
    browser.get("/sign-up")
    assert browser.submit("/sign-up", email=email).status_code == 200
    link = letters.invitation(email)
    browser.get(link)
    page = browser.submit(link, name="Ada", password=PASSWORD)
    assert page.status_code == 200, page.text


def put_in_cart(browser: Browser, offer_id: str) -> None:
    token = browser.get("/cart").text.split('name="csrf-token" content="')[1].split('"')[0]
    browser.page = browser.session.post(
        browser.page.url + "/items", data={"offer_id": offer_id, "csrf_token": token}, timeout=30
    )
    assert browser.page.status_code == 200


def to_payment_page(browser: Browser) -> None:
    browser.get("/cart")
    browser.submit("/checkout")
    assert "/pay/cs_test_" in browser.page.url, browser.page.text


def test_a_guest_fills_a_cart_signs_up_pays_and_owns_the_music(live: LiveShop) -> None:
    release = rows.release("Tides", tracks=2)
    offer_id = offer(release=release).id
    browser = Browser(live.url)
    put_in_cart(browser, offer_id)
    assert "Tides" in browser.page.text

    assert "/sign-in?next=/cart" in browser.page.text
    browser.get("/sign-up?next=/cart")
    with letters.collected() as told:
        browser.submit("/sign-up", email="Ada@Example.org")
    link = letters.path_of(told[0])
    browser.get(link)
    browser.submit(urlsplit(link).path, name="Ada", password=PASSWORD)
    assert browser.page.url == f"{live.url}/cart"
    assert "Tides" in browser.page.text

    browser.submit("/checkout")
    assert browser.page.url.startswith(f"{live.sandbox_url}/pay/cs_test_")
    assert "No money moves" in browser.page.text
    assert "Tides – Mira Sol" in browser.page.text
    assert "€9.90" in browser.page.text

    browser.submit(None)
    eventually(is_paid)
    browser.get(f"/orders/{order().id}/return")
    assert browser.page.url == f"{live.url}/orders/{order().id}"
    assert f"/releases/{release.id}" in browser.page.text

    account_id = order().account_id
    assert all(licenses.may(account_id, track.id, Use.STREAM) for track in release.tracks)
    assert all(licenses.may(account_id, track.id, Use.DOWNLOAD) for track in release.tracks)
    purchase = db.session.scalars(select(Event).where(Event.kind == EventKind.PURCHASE)).one()
    assert (purchase.account_id, purchase.release_id) == (account_id, release.id)
    assert "Your cart is empty" in browser.get("/cart").text
    assert str(order().number) in browser.get("/orders").text


def test_a_browser_back_before_the_webhook_sees_confirming_and_then_its_music(held: LiveShop) -> None:
    release = rows.release("Tides")
    offer_id = offer(release=release).id
    browser = Browser(held.url)
    sign_up(browser)
    put_in_cart(browser, offer_id)
    to_payment_page(browser)
    browser.submit(None, method="paypal")
    assert browser.page.url == f"{held.url}/orders/{order().id}/return"
    assert "Confirming your payment" in browser.page.text
    assert order().state == OrderState.PENDING

    held.deliver()
    eventually(is_paid)
    fragment = browser.session.get(
        f"{held.url}/orders/{order().id}/status?n=1", headers={"HX-Request": "true"}, timeout=30
    )
    assert fragment.headers["HX-Location"] == f"/orders/{order().id}"


def test_a_lost_webhook_is_made_up_for_by_asking_and_does_no_harm_when_it_comes_after_all(held: LiveShop) -> None:
    release = rows.release("Tides")
    offer_id = offer(release=release).id
    browser = Browser(held.url)
    sign_up(browser)
    put_in_cart(browser, offer_id)
    to_payment_page(browser)
    browser.submit(None)
    assert "Confirming" in browser.get(f"/orders/{order().id}/return?n=2").text
    browser.get(f"/orders/{order().id}/return?n=3")
    assert browser.page.url == f"{held.url}/orders/{order().id}"
    assert is_paid()

    held.deliver()
    eventually(lambda: held.undelivered() == 0)
    assert db.session.scalar(select(func.count()).select_from(License)) == 1
    assert db.session.scalar(select(func.count()).select_from(Event).where(Event.kind == EventKind.PURCHASE)) == 1
    assert db.session.scalar(select(func.count()).select_from(PaymentEvent)) == 2


def test_a_declined_payment_grants_nothing_and_can_be_tried_again(live: LiveShop) -> None:
    release = rows.release("Tides")
    offer_id = offer(release=release).id
    browser = Browser(live.url)
    sign_up(browser)
    put_in_cart(browser, offer_id)
    to_payment_page(browser)
    for attempt in (
        {"number": "4000 0000 0000 0002"},
        {"method": "alipay", "decline": "1"},
        {"method": "card", "number": "4242"},
    ):
        browser.submit(None, **attempt)
        assert browser.page.status_code == 402
        assert 'role="alert"' in browser.page.text
    assert order().state == OrderState.PENDING
    assert live.events() == []
    assert not licenses.may(order().account_id, release.tracks[0].id, Use.STREAM)

    browser.submit(None, method="alipay")
    eventually(is_paid)


def test_going_back_to_the_cart_and_paying_again_closes_the_first_payment_page(live: LiveShop) -> None:
    release, other = rows.release("Tides"), rows.release("Harbour")
    offer_ids = [offer(release=each).id for each in (release, other)]
    browser = Browser(live.url)
    sign_up(browser)
    put_in_cart(browser, offer_ids[0])
    to_payment_page(browser)
    first_page, first_order = browser.page.url, order().id
    assert f"{live.url}/cart" in browser.page.text

    put_in_cart(browser, offer_ids[1])
    to_payment_page(browser)
    browser.submit(None)
    eventually(is_paid)
    assert order().total_minor == 1980
    assert db.session.get(Order, first_order).state == OrderState.CANCELLED  # type: ignore[union-attr]
    browser.get(first_page)
    assert browser.page.status_code == 410
    assert "closed" in browser.page.text


def test_with_the_gateway_down_the_cart_is_kept_and_the_page_says_so(settings: Settings, tmp_path: Path) -> None:
    with live_shop(settings, tmp_path, deliver=False) as live:
        live.app.extensions["settings"] = settings.model_copy(update={"stripe_api_base": "http://127.0.0.1:9"})
        offer_id = offer(release=rows.release("Tides")).id
        browser = Browser(live.url)
        sign_up(browser)
        put_in_cart(browser, offer_id)
        browser.submit("/checkout")
        assert browser.page.url == f"{live.url}/cart"
        assert "payment service" in browser.page.text
        assert "Tides" in browser.page.text
        assert order().state == OrderState.CANCELLED


def test_a_price_that_changed_under_the_cart_is_shown_before_it_is_paid(live: LiveShop) -> None:
    release = rows.release("Tides")
    old = offer(release=release)
    browser = Browser(live.url)
    sign_up(browser)
    put_in_cart(browser, old.id)
    browser.get("/cart")
    old.active = False
    db.session.commit()
    browser.submit("/checkout")
    assert browser.page.url == f"{live.url}/cart"
    assert "No longer on sale" in browser.page.text
    assert order() is None


def test_a_form_may_lead_to_the_payment_page_and_nowhere_else(live: LiveShop) -> None:
    policy = Browser(live.url).get("/cart").headers["Content-Security-Policy"]
    assert policy.split("form-action ")[1].split(";")[0] == f"'self' {live.sandbox_url}"


def test_a_refund_by_an_admin_takes_the_music_back(live: LiveShop) -> None:
    release = rows.release("Tides")
    offer_id = offer(release=release).id
    browser = Browser(live.url)
    sign_up(browser)
    put_in_cart(browser, offer_id)
    to_payment_page(browser)
    browser.submit(None)
    eventually(is_paid)
    there = f"/orders/{order().id}"
    assert "Refund" not in browser.get(there).text

    accounts.ensure_account("root@example.org", PASSWORD, "Root", role=Role.ADMIN)
    db.session.commit()
    admin = Browser(live.url)
    admin.get("/sign-in")
    admin.submit("/sign-in", email="root@example.org", password=PASSWORD)
    admin.get(f"/staff{there}")
    admin.submit(f"/staff{there}/refund", what="all", reason="They asked")
    assert admin.page.url == f"{live.url}/staff{there}"
    assert order().state == OrderState.REFUNDED
    assert not licenses.may(order().account_id, release.tracks[0].id, Use.STREAM)
    assert not licenses.may(order().account_id, release.tracks[0].id, Use.DOWNLOAD)
    eventually(lambda: live.undelivered() == 0)
    assert db.session.scalar(select(func.count()).select_from(Event).where(Event.kind == EventKind.REFUND)) == 1
    assert "Refunded" in browser.get(there).text


def test_a_stranger_sees_nothing_of_another_s_order(live: LiveShop) -> None:
    release = rows.release("Tides")
    offer_id = offer(release=release).id
    browser = Browser(live.url)
    sign_up(browser)
    put_in_cart(browser, offer_id)
    to_payment_page(browser)
    paths = [f"/orders/{order().id}{rest}" for rest in ("", "/return", "/return?n=3", "/status")]

    stranger = Browser(live.url)
    assert all("/sign-in" in stranger.get(path).url for path in paths)
    sign_up(stranger, "bo@example.org")
    assert [stranger.get(path).status_code for path in paths] == [404] * 4
    assert "No orders yet" in stranger.get("/orders").text
    token = stranger.page.text.split('name="csrf-token" content="')[1].split('"')[0]
    refused = stranger.session.post(f"{live.url}{paths[0]}/refund", data={"csrf_token": token}, timeout=30)
    assert refused.status_code == 404
