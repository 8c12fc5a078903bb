"""Carts: nothing twice, nothing owned, one currency, and what a guest chose comes along."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from support import rows
from support.shop import offer

from app.cart import pricing, queries, service
from app.cart.models import Cart
from app.catalog.models import Status
from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.discovery.models import Event, EventKind


def cart_for(account_id: str | None) -> Cart:
    with transaction():
        return service.open_cart(account_id)


def add(cart: Cart, offer_id: str) -> None:
    with transaction():
        service.add(cart, offer_id)


def titles(cart: Cart) -> list[str]:
    return [item.offer.title_in("en") for item in cart.items]


def test_nothing_is_in_a_cart_twice(app: Flask) -> None:
    cart = cart_for(rows.account().id)
    offer_id = offer(release=rows.release("Tides")).id
    add(cart, offer_id)
    with pytest.raises(service.CannotAdd, match="in your cart already"):
        add(cart, offer_id)
    assert titles(cart) == ["Tides"]
    assert pricing.priced(cart, None).total == Money(990, "EUR")


def test_a_release_swallows_its_tracks_and_then_refuses_them(app: Flask) -> None:
    cart = cart_for(None)
    release, other = rows.release("Tides", tracks=2), rows.release("Harbour")
    track_offers = [offer(track=track, minor=129).id for track in release.tracks]
    kept, whole = offer(track=other.tracks[0], minor=129).id, offer(release=release).id
    for offer_id in (*track_offers, kept, whole):
        add(cart, offer_id)
    assert sorted(titles(cart)) == ["Harbour 1", "Tides"]
    with pytest.raises(service.CannotAdd, match="with the whole release"):
        add(cart, track_offers[0])


def test_what_is_owned_is_refused_and_says_so(app: Flask) -> None:
    ada, release = rows.account(), rows.release("Tides", tracks=2)
    cart = cart_for(ada.id)
    whole, first, second = (
        offer(release=release).id,
        offer(track=release.tracks[0], minor=129).id,
        offer(track=release.tracks[1], minor=129).id,
    )
    rows.own(ada, track=release.tracks[0])
    with pytest.raises(service.CannotAdd, match="Tides 1 is yours already"):
        add(cart, first)
    add(cart, second)
    add(cart, whole)
    rows.own(ada, release=release)
    with transaction():
        assert service.prune(cart).owned == ["Tides"]
    with pytest.raises(service.CannotAdd, match="yours already"):
        add(cart, second)


def test_a_cart_has_one_currency(app: Flask) -> None:
    cart = cart_for(None)
    add(cart, offer(release=rows.release("Tides")).id)
    with pytest.raises(service.CannotAdd, match=r"in EUR and Harbour is sold in USD"):
        add(cart, offer(release=rows.release("Harbour"), currency="USD").id)


def test_only_what_is_on_sale_gets_in_and_stays(app: Flask) -> None:
    cart = cart_for(None)
    draft = offer(release=rows.release("Draft", published=False)).id
    with pytest.raises(service.CannotAdd, match="not on sale"):
        add(cart, draft)
    retired, hidden, kept = (offer(release=rows.release(title)) for title in ("Retired", "Hidden", "Kept"))
    for each in (retired, hidden, kept):
        add(cart, each.id)
    retired.active = False
    hidden.subject_release.status, hidden.subject_release.published_at = Status.DRAFT, None
    db.session.commit()
    with transaction():
        dropped = service.prune(cart)
    assert dropped.off_sale == ["Retired", "Hidden"]
    assert titles(cart) == ["Kept"]
    assert "Retired, Hidden" in dropped.messages()[0]


def test_the_guest_s_cart_is_merged_at_sign_in(app: Flask) -> None:
    ada = rows.account()
    both, mine, guests, owned = (rows.release(title) for title in ("Both", "Mine", "Guest's", "Owned"))
    shared = offer(release=both).id
    own_cart, guest_cart = cart_for(ada.id), cart_for(None)
    for cart, offer_id in (
        (own_cart, shared),
        (own_cart, offer(release=mine).id),
        (guest_cart, shared),
        (guest_cart, offer(release=guests).id),
        (guest_cart, offer(release=owned).id),
    ):
        add(cart, offer_id)
    rows.own(ada, release=owned)
    with transaction():
        dropped = service.merge(ada, guest_cart.id)
    assert sorted(titles(own_cart)) == ["Both", "Guest's", "Mine"]
    assert dropped.owned == ["Owned"]
    assert db.session.scalars(select(Cart.id)).all() == [own_cart.id]


def test_where_currencies_differ_at_sign_in_what_the_guest_just_chose_stays(app: Flask) -> None:
    ada = rows.account()
    own_cart, guest_cart = cart_for(ada.id), cart_for(None)
    add(own_cart, offer(release=rows.release("Old"), currency="USD").id)
    add(guest_cart, offer(release=rows.release("New")).id)
    with transaction():
        dropped = service.merge(ada, guest_cart.id)
    assert titles(own_cart) == ["New"]
    assert dropped.other_currency == ["Old"]
    assert "another currency" in dropped.messages()[0]


def test_an_account_has_one_cart_however_many_tabs_open_it(app: Flask) -> None:
    account_id = rows.account().id

    def open_one(_number: int) -> str:
        with app.app_context(), transaction():
            return service.open_cart(account_id).id

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(open_one, range(8)))) == 1


def test_a_guest_s_id_never_opens_a_cart_that_belongs_to_somebody(app: Flask) -> None:
    cart = cart_for(rows.account().id)
    assert queries.cart_of(None, cart.id) is None
    assert queries.count(None, cart.id) == 0


def item_id(page: str) -> str:
    """Of the first item on a cart's page."""
    return page.split("/cart/items/")[1].split("/")[0]


def test_carts_that_guests_left_standing_go_and_nobody_else_s(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    today, ada = clock.now(), rows.account()
    some, other = (offer(release=rows.release(title)).id for title in ("Tides", "Harbour"))
    monkeypatch.setattr(clock, "now", lambda: today - timedelta(days=100))
    mine, left, kept = cart_for(ada.id), cart_for(None), cart_for(None)
    for cart in (mine, left, kept):
        add(cart, some)
    monkeypatch.setattr(clock, "now", lambda: today - timedelta(days=10))
    add(kept, other)
    monkeypatch.setattr(clock, "now", lambda: today)
    new = cart_for(None)
    ids = {mine.id, kept.id, new.id}

    with transaction():
        assert service.forget_guests(clock.now() - timedelta(days=90)) == 1

    assert set(db.session.scalars(select(Cart.id))) == ids


def test_the_pages_of_a_guest(app: Flask, client: FlaskClient) -> None:
    assert b"Your cart is empty" in client.get("/cart").data
    assert client.get("/cart/count").data.strip() == b""
    assert db.session.scalar(select(func.count()).select_from(Cart)) == 0
    release = rows.release("Tides")
    offer_id = offer(release=release).id
    there = f"/releases/{release.id}"
    answer = client.post("/cart/items", data={"offer_id": offer_id, "next": there})
    assert (answer.status_code, answer.location) == (303, there)
    answer = client.post("/cart/items", data={"offer_id": offer_id, "next": "https://elsewhere.test/"})
    assert answer.location == "/cart"
    assert b"1 item" in client.get("/cart/count").data
    page = client.get("/cart").text
    assert "in your cart already" in page
    assert "€9.90" in page
    assert client.post("/cart/items", data={"offer_id": "nosuchoffer"}).status_code == 404
    assert client.post("/cart/items", data={"offer_id": "nul\0byte"}).status_code == 400
    first = item_id(page)
    client.post(f"/cart/items/{first}/remove")
    assert b"Your cart is empty" in client.get("/cart").data
    client.post(f"/cart/items/{first}/remove")
    stranger = app.test_client()
    assert b"Your cart is empty" in stranger.get("/cart").data


def test_what_goes_into_a_signed_in_person_s_cart_is_an_event(app: Flask, client: FlaskClient) -> None:
    ada, release = rows.account(), rows.release("Tides")
    rows.sign_in(client, ada)
    client.post("/cart/items", data={"offer_id": offer(release=release).id})
    event = db.session.scalars(select(Event)).one()
    assert (event.account_id, event.release_id, event.kind) == (ada.id, release.id, EventKind.CART)
