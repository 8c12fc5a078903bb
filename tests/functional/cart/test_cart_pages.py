"""The cart's page, which is the checkout's: what it says, asks for and comes to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import orders, rows
from support.shop import offer

from app.accounts.models import Account
from app.cart import service
from app.cart.gifts import Gift
from app.cart.models import Cart, CartItem
from app.catalog.models import Offer
from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.pricing import coupons


def text(html: str) -> str:
    """What a person reads, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def put(client: FlaskClient, *offers: Offer, **fields: str) -> None:
    for each in offers:
        assert client.post("/cart/items", data={"offer_id": each.id, **fields}).status_code == 303


def cart_of(account: Account | None = None) -> Cart:
    db.session.expire_all()
    return db.session.query(Cart).filter_by(account_id=account.id if account else None).one()


def only() -> CartItem:
    db.session.expire_all()
    return db.session.query(CartItem).one()


@pytest.fixture
def ada(client: FlaskClient) -> Account:
    """Signed in."""
    made = rows.account()
    rows.sign_in(client, made)
    return made


@pytest.fixture
def taxed(app: Flask) -> Iterator[None]:
    """The shop collects VAT in the Union and Britain, from Germany."""
    held = app.extensions["settings"]
    app.extensions["settings"] = held.model_copy(update={"tax_home": "DE", "tax_countries": "EU,GB"})
    yield
    app.extensions["settings"] = held


def test_the_button_names_the_amount_and_the_ways_to_pay_it(client: FlaskClient) -> None:
    put(client, offer(release=rows.release("Tides")))
    page = text(client.get("/cart").text)
    assert "Pay €9.90" in page
    assert "By card, Alipay, WeChat Pay, PayPal. Stripe takes the payment on a page of its own" in page
    assert "Your e-mail" in page
    assert "Country" not in page
    put(client, offer(release=rows.release("Yen"), minor=1500, currency="JPY"))
    assert "Your cart is in EUR and Yen is sold in JPY" in text(client.get("/cart").text)


@pytest.mark.parametrize(
    ("currency", "minor", "pay", "methods"),
    [
        ("JPY", 1500, "Pay ¥1,500", "By card. Stripe"),
        ("KWD", 3050, "Pay KWD3.050", "By card. Stripe"),
        ("CNY", 6800, "Pay CN¥68.00", "By card, Alipay, WeChat Pay. Stripe"),
        ("USD", 1090, "Pay $10.90", "By card, PayPal. Stripe"),
    ],
)
def test_a_currency_allows_some_methods(client: FlaskClient, currency: str, minor: int, pay: str, methods: str) -> None:
    put(client, offer(release=rows.release(), minor=minor, currency=currency))
    page = text(client.get("/cart").text).replace("\xa0", " ")
    assert pay in page
    assert methods in page


def test_who_prefers_a_currency_pays_in_it_where_everything_has_a_price_in_it(
    client: FlaskClient, ada: Account
) -> None:
    ada.currency = "JPY"
    db.session.commit()
    put(client, offer(release=rows.release("One"), JPY=1500), offer(release=rows.release("Free"), minor=0))
    assert "Pay ¥1,500" in text(client.get("/cart").text)
    put(client, offer(release=rows.release("Two")))
    page = text(client.get("/cart").text)
    assert "Your cart is in EUR now, in which all of it has a price." in page
    assert "Pay €19.80" in page
    assert "in EUR now" not in text(client.get("/cart").text)


def test_what_costs_nothing_is_got_free(client: FlaskClient) -> None:
    put(client, offer(release=rows.release("Free"), minor=0))
    page = text(client.get("/cart").text)
    assert "Get it free" in page
    assert "Stripe" not in page


def test_a_price_that_changed_is_said_once_before_paying(client: FlaskClient) -> None:
    tides = rows.release("Tides")
    album = offer(release=tides)
    put(client, album)
    album.active = False
    db.session.commit()
    offer(release=tides, minor=1290)
    assert "Tides costs €12.90 now. It was €9.90 when you last saw your cart." in text(client.get("/cart").text)
    assert "It was" not in text(client.get("/cart").text)


def test_paying_another_total_than_was_shown_is_refused_and_shows_the_new_cart(client: FlaskClient) -> None:
    tides = rows.release("Tides")
    album = offer(release=tides)
    put(client, album)
    client.get("/cart")
    album.active = False
    db.session.commit()
    offer(release=tides, minor=1290)
    answer = client.post("/checkout", data={"email": "a@example.org", "total": "990", "currency": "EUR"})
    assert (answer.status_code, answer.location) == (303, "/cart")
    page = text(client.get("/cart").text)
    assert "Your cart has changed since you saw it." in page
    assert "Tides costs €12.90 now." in page
    assert "Pay €12.90" in page


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"email": ""}, 422, "Type your e-mail address: what you buy is sent there."),
        ({"email": "nobody"}, 422, "This is no e-mail address. Write it like name@example.com."),
        ({"email": "a@example.org", "coupon": "NO!"}, 422, "There is no code “NO!”."),
    ],
)
def test_what_is_missing_for_paying_is_said_at_its_field_and_nothing_typed_is_lost(
    client: FlaskClient, fields: dict[str, str], status: int, said: str
) -> None:
    put(client, offer(release=rows.release("Tides")))
    answer = client.post("/checkout", data={**fields, "total": "990", "currency": "EUR"})
    assert answer.status_code == status
    assert said in text(answer.text)
    for value in fields.values():
        assert f'value="{value}"' in answer.text


def test_details_are_kept_with_the_cart_and_what_is_wrong_is_not(client: FlaskClient, taxed: None) -> None:
    put(client, offer(release=rows.release("Tides")))
    fields = {"email": " Ada@Example.org", "country": "FR", "vat_number": "40303265045", "coupon": "nothing"}
    assert client.post("/cart/details", data=fields).status_code == 303
    cart = cart_of()
    assert (cart.email, cart.country, cart.vat_number, cart.coupon_code) == (
        "ada@example.org",
        "FR",
        "FR40303265045",
        "NOTHING",
    )
    page = text(client.get("/cart").text)
    assert "There is no code “NOTHING”." in page
    assert "Reverse charge: VAT number FR40303265045. You owe the VAT in France." in page
    assert "Pay €8.25" in page
    wrong = client.post("/cart/details", data=fields | {"country": "QQ", "vat_number": "FR1", "email": "ada"})
    assert wrong.status_code == 200
    page = text(wrong.text)
    for said in ("Choose a country of the list.", "“FR1” is no VAT number of FR.", "This is no e-mail address."):
        assert said in page
    assert 'value="FR1"' in wrong.text
    cart = cart_of()
    assert (cart.email, cart.country, cart.vat_number) == (None, "FR", None)


@pytest.mark.parametrize(
    ("country", "said", "pay"),
    [
        ("FR", "Net at 20% €8.25 20% VAT (France), included €1.65", "Pay €9.90"),
        ("FI", "25.5% VAT (Finland), included €2.01", "Pay €9.90"),
        ("US", "List", "Pay €9.90"),
    ],
)
def test_the_tax_is_shown_by_country(client: FlaskClient, taxed: None, country: str, said: str, pay: str) -> None:
    put(client, offer(release=rows.release("Tides")))
    client.post("/cart/details", data={"email": "a@example.org", "country": country})
    page = text(client.get("/cart").text)
    assert (said in page) == (country != "US")
    assert pay in page


def test_tax_comes_on_top_where_prices_are_without(app: Flask, client: FlaskClient, taxed: None) -> None:
    app.extensions["settings"] = app.extensions["settings"].model_copy(update={"tax_prices": "exclusive"})
    put(client, offer(release=rows.release("Tides")))
    client.post("/cart/details", data={"country": "FR"})
    page = text(client.get("/cart").text)
    assert "20% VAT (France) €1.98 Total €11.88" in page
    assert "Pay €11.88" in page


def test_a_country_is_asked_for_where_tax_is_collected(client: FlaskClient, taxed: None) -> None:
    put(client, offer(release=rows.release("Tides")))
    answer = client.post("/checkout", data={"email": "a@example.org", "total": "990", "currency": "EUR"})
    assert answer.status_code == 422
    assert "Choose your country: tax depends on it." in text(answer.text)


def test_script_gets_the_parts_that_changed(client: FlaskClient, taxed: None) -> None:
    with transaction():
        coupons.add_code(coupons.create(coupons.CouponWish("Ten", percent=Decimal(10))), "TEN")
    put(client, offer(release=rows.release("Tides")))
    answer = client.post(
        "/cart/details",
        data={"email": "x", "country": "FR", "vat_number": "", "coupon": "ten"},
        headers={"HX-Request": "true"},
    )
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert answer.text.lstrip().startswith('<div class="sums" id="cart-sum"')
    for part in (
        "cart-lines",
        "pay-words",
        "pay-total",
        "cart-notices",
        "email-error",
        "country-error",
        "coupon-error",
    ):
        assert re.search(rf'id="{part}"[^>]*hx-swap-oob="true"', answer.text), part
    assert "Code TEN -€0.99" in text(answer.text)
    assert "Pay €8.91" in text(answer.text)
    assert "This is no e-mail address." in answer.text
    assert client.post("/cart/details", data={"coupon": ""}, headers={"HX-Request": "1"}).status_code == 200
    assert cart_of().coupon_code is None


def test_an_album_says_what_was_paid_for_its_tracks(client: FlaskClient, ada: Account) -> None:
    tides = rows.release("Tides", tracks=2)
    orders.order(orders.Sold(tides.tracks[0], minor=129, tax=0), account=ada)
    album = offer(release=tides)
    page = text(client.get(f"/releases/{tides.id}").text)
    assert "You have 1 track of it: what you paid for them comes off in the cart." in page
    put(client, album)
    page = text(client.get("/cart").text)
    assert "List price €9.90 Paid for its tracks before -€1.29" in page
    assert "Complete the album -€1.29 Total €8.61" in page


def test_a_gift_is_given_changed_and_shown_with_its_words(client: FlaskClient) -> None:
    tides = rows.release("Tides")
    album = offer(release=tides)
    assert f"/cart/gift/{album.id}" in client.get(f"/releases/{tides.id}").text
    there, day = f"/cart/gift/{album.id}", (clock.now().date() + timedelta(days=3)).isoformat()
    assert "Give it to somebody" in client.get(there).text
    wrong = client.post(there, data={"to": "grace", "on": "2020-01-01", "message": "For <you>"})
    assert wrong.status_code == 422
    assert "This is no e-mail address." in text(wrong.text)
    assert "For &lt;you&gt;" in wrong.text
    fields = {"to": "grace@example.org", "on": day, "sender": "Ada", "message": "For <you>"}
    assert client.post(there, data=fields).location == "/cart"
    page = client.get("/cart").text
    assert "For grace@example.org, from Ada" in text(page)
    assert "For &lt;you&gt;" in page
    again = client.post(there, data=fields, follow_redirects=False)
    assert again.status_code == 422
    change = f"/cart/items/{only().id}/gift"
    assert 'value="grace@example.org"' in client.get(change).text
    assert client.post(change, data=fields | {"on": "someday"}).status_code == 422
    plain = {"to": "joan@example.org", "on": "", "sender": "", "message": ""}
    assert client.post(change, data=plain).location == "/cart"
    item = only()
    assert (item.gift_to, item.gift_on, item.gift_from, item.gift_message) == ("joan@example.org", None, None, None)
    assert "Goes out as soon as it is paid." in text(client.get("/cart").text)


def test_an_amount_is_named_on_the_page_in_the_gift_and_in_the_cart(client: FlaskClient) -> None:
    tides = rows.release("Tides")
    open_ = offer(release=tides, minor=500, open_price=True)
    page = client.get(f"/releases/{tides.id}").text
    assert "€5.00 or more" in page
    assert 'name="amount"' in page
    put(client, open_, amount="4.99", currency="EUR")
    assert "Name an amount from 5.00 to 1000.00 EUR." in text(client.get("/cart").text)
    put(client, open_, amount="nine", currency="EUR")
    assert "“nine” is not an amount." in text(client.get("/cart").text)
    put(client, open_, amount="7,50", currency="EUR")
    assert "Pay €7.50" in text(client.get("/cart").text)
    change = f"/cart/items/{only().id}/amount"
    client.post(change, data={"amount": "1", "currency": "EUR"})
    assert "Name an amount from 5.00" in text(client.get("/cart").text)
    client.post(change, data={"amount": "12", "currency": "EUR"})
    page = text(client.get("/cart").text)
    assert "Pay €12.00" in page
    assert "costs" not in page
    there = f"/cart/gift/{open_.id}"
    assert client.post(there, data={"to": "g@example.org", "amount": "x"}).status_code == 422
    client.post(there, data={"to": "g@example.org", "amount": "8"})
    assert "Pay €20.00" in text(client.get("/cart").text)


def test_an_amount_in_another_currency_than_the_cart_s_is_asked_for_again(client: FlaskClient) -> None:
    put(client, offer(release=rows.release("Open"), minor=500, open_price=True, USD=550), amount="9", currency="EUR")
    put(client, offer(release=rows.release("Dollars"), currency="USD"))
    page = text(client.get("/cart").text)
    assert "What you give for Open has to be named again. Name an amount from 5.50 to 1000.00 USD." in page
    assert "Pay $15.40" in page


def test_terms_are_said_of_rentals_pre_orders_and_bundles(client: FlaskClient, ada: Account) -> None:
    film, soon, other = rows.release("Film"), rows.release("Soon"), rows.release("Other")
    soon.released_on = clock.now().date() + timedelta(days=9)
    rows.own(ada, release=other)
    put(client, offer(release=film, rental_days=30, minor=390), offer(bundle=[soon, other], minor=1500))
    page = text(client.get("/cart").text)
    assert "To rent: start within 30 days, then it plays for 48 hours" in page
    assert "Soon comes out on" in page
    assert "Yours Other is yours already." in page


@pytest.mark.parametrize("path", ["/cart/items/nothing/gift", "/cart/gift/nothing"])
def test_what_is_not_there_is_not_found(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_nobody_s_hands_reach_another_s_cart(app: Flask, client: FlaskClient, ada: Account) -> None:
    client.post(f"/cart/gift/{offer(release=rows.release()).id}", data={"to": "g@example.org"})
    item, stranger = only().id, app.test_client()
    assert stranger.get(f"/cart/items/{item}/gift").status_code == 404
    assert stranger.post(f"/cart/items/{item}/amount", data={"amount": "1", "currency": "EUR"}).status_code == 404
    stranger.post(f"/cart/items/{item}/remove")
    assert only().gift_to == "g@example.org"


def test_a_guest_s_cart_comes_along_with_its_gifts_and_details(app: Flask) -> None:
    ada = rows.account()
    with transaction():
        cart, guest = service.open_cart(ada.id), service.open_cart(None)
        tides = rows.release("Tides")
        service.add(cart, offer(release=tides).id)
        lent = offer(release=tides, rental_days=30).id
        open_ = offer(release=rows.release("Open"), minor=0, open_price=True).id
        service.add(guest, lent)
        service.add(guest, open_, named=Money(700, "EUR"))
        service.add(guest, lent, gift=Gift("g@example.org", message="Hi"))
        guest.country, guest.coupon_code = "FR", "TEN"
    with transaction():
        dropped = service.merge(ada, guest.id)
    assert dropped.messages() == ["You can’t rent Tides and buy it in one cart. Take out what you buy to rent it."]
    kept = {(item.offer.title_in("en"), item.gift_to, item.gift_message, item.named) for item in cart.items}
    assert kept == {
        ("Tides", None, None, None),
        ("Open", None, None, Money(700, "EUR")),
        ("Tides", "g@example.org", "Hi", None),
    }
    assert (cart.country, cart.coupon_code) == ("FR", "TEN")
