"""How a release can be had: bought, rented, given, ordered before it is out, at a price of one's own, or free."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient
from support import rows
from support.shop import offer

from app.accounts.models import Account
from app.catalog.models import Kind, Release
from app.core import clock
from app.core.db import db, transaction
from app.licenses.models import License
from app.media.models import RenditionKind
from app.wishlist import service as wishes


def page(client: FlaskClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return answer.text


def words(html: str) -> str:
    """What a person reads, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def of(release: Release) -> str:
    return f"/releases/{release.id}"


@pytest.fixture
def ada(client: FlaskClient) -> Account:
    """Signed in."""
    made = rows.account()
    rows.sign_in(client, made)
    return made


def rented(ada: Account, release: Release) -> License:
    made = License(account_id=ada.id, release_id=release.id, grant_key="rent", rental_days=30, rental_hours=48)
    db.session.add(made)
    db.session.commit()
    return made


def streamed(release: Release) -> None:
    """Its tracks are ready to be heard."""
    for track in release.tracks:
        rows.rendition(track, RenditionKind.STREAM, "stream", f"streams/{track.id}", "application/x", 1)


def test_a_film_is_sold_lent_and_given(client: FlaskClient) -> None:
    film = rows.release("Night Ferry", kind=Kind.FILM)
    sold, lent = offer(release=film, minor=1290), offer(release=film, rental_days=30, minor=390)
    html = page(client, of(film))
    assert "€12.90" in html
    assert "Rent for €3.90 To rent: start within 30 days, then it plays for 48 hours" in words(html)
    assert f"/cart/gift/{sold.id}" in html
    client.post("/cart/items", data={"offer_id": lent.id})
    assert html.count("In your cart") == 0
    assert page(client, of(film)).count("In your cart") == 1


def test_what_is_only_lent_says_so_on_its_sleeve(client: FlaskClient) -> None:
    film = rows.release("Night Ferry", kind=Kind.FILM)
    lent = offer(release=film, rental_days=30, minor=390)
    assert "Rent €3.90" in words(page(client, "/browse"))
    assert f"/cart/gift/{lent.id}" in page(client, of(film))


def test_who_rents_hears_it_until_it_ends_and_can_still_buy(client: FlaskClient, ada: Account) -> None:
    tides = rows.release("Tides", tracks=2)
    streamed(tides)
    offer(release=tides)
    offer(release=tides, rental_days=30, minor=390)
    license_ = rented(ada, tides)
    html = page(client, of(tides))
    assert "Rented: start by" in html
    assert "From its first play it plays for 48 hours." in html
    assert html.count("data-play=") == 2
    assert "Add to cart" in html
    assert "Rent for" not in html
    assert "/downloads" not in html
    assert "Rented: start by" in page(client, "/library")
    license_.first_played_at = clock.now()
    db.session.commit()
    assert "Rented until" in page(client, of(tides))
    license_.first_played_at = clock.now() - timedelta(hours=49)
    db.session.commit()
    html = page(client, of(tides))
    assert "Rented" not in html
    assert "data-play=" not in html
    assert "Rent for" in html


def test_a_pre_order_shows_its_day_and_its_tracks_and_plays_none(client: FlaskClient, ada: Account) -> None:
    soon = rows.release("Soon", tracks=3)
    soon.released_on = clock.now().date() + timedelta(days=9)
    db.session.commit()
    streamed(soon)
    offer(release=soon)
    html = page(client, of(soon))
    assert "You pay now, and hear and download it from that day on." in html
    assert html.count("is still to come out") == 3
    rows.own(ada, release=soon)
    html = page(client, of(soon))
    assert "From that day on you hear and download it here." in html
    assert "data-play" not in html.split('<section class="player')[0].split("<main")[1]
    assert "From " in words(page(client, "/library"))


def test_an_open_price_a_free_one_and_one_that_begins_at_nothing(client: FlaskClient) -> None:
    open_, nothing, free = rows.release("Open", tracks=1), rows.release("Nothing"), rows.release("Free")
    offer(release=open_, minor=500, open_price=True)
    offer(track=open_.tracks[0], minor=0, open_price=True)
    offer(release=nothing, minor=0, open_price=True)
    given = offer(release=free, minor=0)
    html = page(client, of(open_))
    assert "€5.00 or more" in html
    assert 'placeholder="5.00"' in html
    assert "Name your price" in html  # the track
    assert "Name your price" in page(client, of(nothing))
    html = page(client, of(free))
    assert "Get it free" in html
    assert f"/cart/gift/{given.id}" not in html
    shelf = words(page(client, "/browse"))
    for said in ("€5.00 or more", "Name your price", "Free"):
        assert said in shelf


def test_a_bundle_says_what_of_it_is_had_and_awaited(client: FlaskClient, ada: Account) -> None:
    one, soon = rows.release("One"), rows.release("Soon")
    soon.released_on = clock.now().date() + timedelta(days=9)
    db.session.commit()
    both = offer(bundle=[one, soon], minor=1500)
    there = f"/bundles/{both.id}"
    assert "Pre-order" in page(client, there)
    rows.own(ada, release=one)
    text = words(page(client, there))
    assert "One is yours already." in text
    assert "Soon comes out on" in text
    rows.own(ada, release=soon)
    html = page(client, there)
    assert "In your library" in html
    assert "/cart/items" not in html
    assert f"/cart/gift/{both.id}" in html


def test_wishes_go_to_the_cart(client: FlaskClient, ada: Account) -> None:
    tides, mine, film, draft = (rows.release(title) for title in ("Tides", "Mine", "Film", "Nothing"))
    sold = offer(release=tides)
    offer(release=mine)
    offer(release=film, rental_days=30)
    rows.own(ada, release=mine)
    with transaction():
        for release in (tides, mine, film, draft):
            wishes.add(ada.id, release)
    html = page(client, "/wishlist")
    assert re.findall(r'(Rent|Add to cart)<span class="visually-hidden">: (\w+)', html) == [
        ("Rent", "Film"),
        ("Add to cart", "Tides"),
    ]
    answer = client.post("/cart/items", data={"offer_id": sold.id, "next": "/wishlist"})
    assert answer.location == "/wishlist"
    html = page(client, "/wishlist")
    assert "Add to cart" not in html
    assert "In your cart" in html
