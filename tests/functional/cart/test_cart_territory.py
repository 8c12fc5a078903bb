"""What isn't sold where the buyer is: not put in a cart, said where it lies in one, and never ordered."""

from __future__ import annotations

import re
from html import unescape

from flask import Flask
from flask.testing import FlaskClient
from support import rows
from support.shop import offer

from app.accounts import addresses
from app.accounts.models import Account
from app.cart import queries, service
from app.cart.models import Cart, CartItem
from app.core.db import db, transaction
from app.orders.models import Order


def text(html: str) -> str:
    """What a person reads of a page's own part, on one line."""
    body = html.partition("<main")[2].partition("</main>")[0] or html
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def live_in(account: Account, country: str) -> None:
    with transaction():
        addresses.add(account.id, addresses.Address("Ada", "Street 1", "Town", country))


def put(client: FlaskClient, *offer_ids: str) -> None:
    for offer_id in offer_ids:
        assert client.post("/cart/items", data={"offer_id": offer_id}).status_code == 303


def choose(client: FlaskClient, country: str, **fields: str) -> int:
    return client.post("/cart/country", data={"country": country, **fields}).status_code


def titles() -> list[str]:
    db.session.expire_all()
    return sorted(item.offer.title_in("en") for item in db.session.query(CartItem))


def test_adding_what_is_not_sold_in_the_buyers_country_is_refused_with_a_way_out(
    app: Flask, client: FlaskClient
) -> None:
    ada, release = rows.account(), rows.confine(rows.release("Tides", tracks=2), "JP")
    live_in(ada, "DE")
    rows.sign_in(client, ada)
    whole, track, lent = (
        offer(release=release).id,
        offer(track=release.tracks[0], minor=129).id,
        offer(release=release, rental_days=30, minor=390).id,
    )
    both = offer(bundle=[rows.release("Harbour"), release]).id
    for each in (whole, track, lent, both):
        put(client, each)
        said = text(client.get("/cart").text)
        assert "is not sold in Germany. If you are somewhere else, choose that country" in said
        assert "Your cart is empty" in said
    answer = client.post(f"/cart/gift/{whole}", data={"to": "friend@example.org"})
    assert "Tides is not sold in Germany" in text(answer.text)
    assert titles() == []
    assert choose(client, "JP") == 303
    put(client, whole)
    assert titles() == ["Tides"]


def test_a_guest_of_whom_nothing_is_known_fills_the_cart_and_is_asked_before_paying(client: FlaskClient) -> None:
    release = rows.confine(rows.release("Tides"), "DE", barred=True)
    put(client, offer(release=rows.release("Harbour")).id)
    assert 'name="country"' not in client.get("/cart").text
    put(client, offer(release=release).id)
    page = client.get("/cart").text
    assert 'name="country"' in page
    assert "Not sold in" not in text(page)

    pay = {"email": "ada@example.org", "total": "1980", "currency": "EUR"}
    answer = client.post("/checkout", data=pay)
    assert answer.status_code == 422
    assert "Choose your country: not everything here is sold everywhere. It is about Tides." in text(answer.text)

    answer = client.post("/checkout", data=pay | {"country": "DE"})
    assert answer.status_code == 422
    said = text(answer.text)
    assert "Not sold in Germany: Tides. Take it out of your cart to buy the rest" in said
    assert 'aria-invalid="true"' in answer.text
    assert db.session.query(Order).count() == 0
    assert titles() == ["Harbour", "Tides"], "nothing is lost: the country may be put right"


def test_the_page_follows_the_country_that_is_chosen(client: FlaskClient) -> None:
    put(client, offer(release=rows.confine(rows.release("Tides"), "JP")).id)
    htmx = {"HX-Request": "true"}
    part = client.post("/cart/details", data={"country": "DE"}, headers=htmx).text
    assert "Not sold in Germany: Tides" in part.partition('id="cart-notices"')[2]
    assert "Not sold in Germany" in part.partition('id="cart-lines"')[2].partition("</ul>")[0]
    part = client.post("/cart/details", data={"country": "JP"}, headers=htmx).text
    assert "Not sold" not in part
    assert 'id="country-error"' in part


def test_what_is_confined_while_it_lies_in_the_cart_is_said_on_the_next_look(app: Flask, client: FlaskClient) -> None:
    ada, release = rows.account(), rows.release("Tides")
    live_in(ada, "DE")
    rows.sign_in(client, ada)
    put(client, offer(release=release).id)
    assert "Not sold" not in text(client.get("/cart").text)
    rows.confine(release, "JP")
    said = text(client.get("/cart").text)
    assert "Not sold in Germany: Tides." in said
    assert client.post("/checkout", data={"total": "990", "currency": "EUR"}).status_code == 422
    assert db.session.query(Order).count() == 0


def test_a_gift_is_bought_where_its_buyer_is(app: Flask, client: FlaskClient) -> None:
    ada, release = rows.account(), rows.confine(rows.release("Tides"), "DE")
    live_in(ada, "DE")
    rows.sign_in(client, ada)
    sold = offer(release=release).id
    assert client.post(f"/cart/gift/{sold}", data={"to": "friend@example.jp"}).status_code == 303
    assert "Not sold" not in text(client.get("/cart").text)
    choose(client, "JP")
    assert "Not sold in Japan: Tides" in text(client.get("/cart").text)


def test_at_sign_in_the_cart_comes_along_and_the_country_the_guest_said_counts(app: Flask) -> None:
    ada = rows.account()
    live_in(ada, "DE")
    with transaction():
        guest = service.open_cart(None)
        service.add(guest, offer(release=rows.confine(rows.release("Tides"), "JP")).id)
        dropped = service.merge(ada, guest.id)
    assert not dropped
    assert titles() == ["Tides"], "kept, and said on the cart's page"
    with transaction():
        guest = service.open_cart(None)
        guest.country = "JP"
        service.merge(ada, guest.id)
    mine = queries.cart_of(ada.id)
    assert mine is not None
    assert mine.country == "JP"


def test_the_country_is_chosen_on_a_page_of_its_own(app: Flask, client: FlaskClient) -> None:
    page = client.get("/cart/country?next=/browse").text
    assert 'value="JP"' in page
    assert 'name="next" value="/browse"' in page
    assert choose(client, "JP", next="/browse") == 303
    assert client.post("/cart/country", data={"country": "jp"}).headers["Location"] == "/"
    assert db.session.query(Cart).one().country == "JP"
    home = client.get("/").text
    assert "Your country is Japan now." in text(home)
    assert "Your country: Japan" in home
    answer = client.post("/cart/country", data={"country": "EU", "next": "https://evil.example/"})
    assert answer.status_code == 422
    assert "Choose a country of the list." in answer.text
    assert "evil" not in answer.text
    assert choose(client, "") == 303
    assert "No country is chosen now" in text(client.get("/").text)
    ada = rows.account()
    live_in(ada, "CH")
    rows.sign_in(client, ada)
    assert "Your country: Switzerland" in client.get("/").text
