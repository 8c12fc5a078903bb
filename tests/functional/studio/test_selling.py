"""How an editor says what a release is sold for, and what visitors then see."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from support import rows

from app.accounts.models import Account
from app.catalog import offers, queries
from app.catalog.models import Release
from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from tests.functional.studio.test_studio_pages import filled


def priced(minor: int = 990, *, tracks: int = 1, published: bool = True) -> Release:
    release = rows.release("Tides", tracks=tracks, published=published)
    with transaction():
        offers.set_price(release=release, price=Money(minor, "EUR"))
    return release


def sell(client: FlaskClient, release: Release, **typed: str) -> int:
    """Send the page's form with these fields; the answer's status."""
    data = {"selling": "fixed", "price": "9.90", "currency": "EUR", "rental_price": "", "rental_days": "30"} | typed
    named = {f"prices-{n}-currency": code for n, code in enumerate(("EUR", "JPY", "USD"))}
    answer = client.post(f"/studio/releases/{release.id}/offers", data=named | data)
    db.session.expire_all()
    return answer.status_code


def test_a_price_list_is_kept_and_shown_again(editor: Account, client: FlaskClient) -> None:
    release = priced()
    first = release.offer
    typed = {"prices-1-price": "1500", "prices-2-price": "10,90", "prices-2-rental": "4", "rental_price": "3.90"}
    assert sell(client, release, **typed) == 303
    assert release.offer is first
    assert release.rental is not None
    assert [row.price for row in release.offer.prices] == [Money(1500, "JPY"), Money(1090, "USD")]
    assert (release.rental.price, release.rental.price_in("USD")) == (Money(390, "EUR"), Money(400, "USD"))
    assert release.rental.rental_days == 30
    page = client.get(f"/studio/releases/{release.id}/offers").text
    for value in ("9.90", "1500", "10.90", "3.90", "4.00"):
        assert f'value="{value}"' in page, value
    assert sell(client, release) == 303
    assert (release.offer.prices, release.rental) == ([], None)


def test_it_is_free_or_the_buyer_names_the_amount(editor: Account, client: FlaskClient) -> None:
    release = priced()
    assert sell(client, release, selling="free") == 303
    assert release.offer is not None
    assert release.offer.is_free
    assert 'class="buy__price">Free<' in client.get(f"/releases/{release.id}").text
    assert sell(client, release, selling="open", price="5") == 303
    assert (release.offer.open_price, release.offer.price) == (True, Money(500, "EUR"))
    assert "€5.00 or more" in client.get(f"/releases/{release.id}").text
    assert sell(client, release, selling="open", price="") == 303
    assert release.offer.price == Money(0, "EUR")
    assert 'checked id="selling-1"' in client.get(f"/studio/releases/{release.id}/offers").text


@pytest.mark.parametrize(
    ("selling", "price", "expected"), [("open", "5", 500), ("open", "", 0), ("free", "", 0), ("fixed", "9.90", 990)]
)
def test_saving_the_release_itself_changes_nothing_of_it(
    editor: Account, client: FlaskClient, selling: str, price: str, expected: int
) -> None:
    release = priced()
    sell(client, release, selling=selling, price=price)
    before = release.offer
    address = f"/studio/releases/{release.id}"
    assert client.post(address, data=filled(client.get(address).text)).status_code == 303
    db.session.expire_all()
    assert release.offer is before
    assert before is not None
    assert before.price_minor == expected


@pytest.mark.parametrize(
    "typed",
    [
        {"price": ""},
        {"price": "0"},
        {"price": "nine"},
        {"selling": "barter"},
        {"currency": "ZZZ"},
        {"rental_price": "0"},
        {"rental_price": "3", "rental_days": "0"},
        {"rental_price": "3", "rental_days": "400"},
        {"prices-1-price": "9.90"},
        {"prices-2-price": "0"},
        {"prices-0-price": "9.90"},
        {"prices-2-rental": "x"},
        {"prices-2-currency": "ZZZ", "prices-2-price": "1"},
        {"selling": "none"},
    ],
    ids=str,
)
def test_what_cannot_be_sold_so_comes_back_as_it_was_typed(
    editor: Account, client: FlaskClient, typed: dict[str, str]
) -> None:
    release = priced()
    before = release.offer
    assert sell(client, release, **typed) == 422
    assert release.offer is before
    assert release.rental is None


def test_a_draft_can_be_taken_off_sale_and_one_that_is_lent_needs_no_price(
    editor: Account, client: FlaskClient
) -> None:
    draft = priced(published=False)
    assert sell(client, draft, selling="none") == 303
    assert draft.offer is None
    lent = rows.release("Harbour")
    assert sell(client, lent, selling="none", rental_price="3.90") == 303
    assert (lent.offer, lent.rental is None) == (None, False)


def test_a_release_to_come_is_published_with_places_for_its_tracks(editor: Account, client: FlaskClient) -> None:
    release = priced(tracks=1, published=False)
    studio = f"/studio/releases/{release.id}"
    assert client.post(f"{studio}/tracks", data={"title": "Later"}).status_code == 400
    client.post(f"{studio}/publish")
    db.session.expire_all()
    assert not release.is_published  # its track has no recording, and it would be out
    release.released_on = clock.now().date() + timedelta(days=30)
    db.session.commit()
    assert "A track whose master comes later" in client.get(studio).text
    assert client.post(f"{studio}/tracks", data={"title": "Later"}).status_code == 303
    assert client.post(f"{studio}/tracks", data={"title": " "}).status_code == 303
    client.post(f"{studio}/publish")
    db.session.expire_all()
    assert release.is_published
    assert [track.title for track in release.tracks] == ["Tides 1", "Later"]
    page = client.get(f"/releases/{release.id}").text
    assert "Later" in page
    assert "You pay now, and hear and download it from that day on" in page
    assert "Pre-order</button>" in page


def test_a_bundle_is_made_shown_and_taken_off_the_shelf(editor: Account, client: FlaskClient) -> None:
    one, two = rows.release("One"), rows.release("Two")
    typed = {
        "title": "Both of them",
        "title_zh": "两张",
        "releases": f"https://shop.example/releases/{two.id}\n\n/studio/releases/{one.id}?lang=en",
        "price": "15,00",
        "currency": "EUR",
    }
    for wrong in ({"releases": two.id}, {"releases": "nowhere"}, {"price": "0"}, {"price": "x"}, {"title": " "}):
        answer = client.post("/studio/bundles", data=typed | wrong)
        assert answer.status_code == 422, wrong
        assert 'class="field__error"' in answer.text, wrong
    assert client.post("/studio/bundles", data=typed).status_code == 303
    (bundle,) = queries.bundles()
    assert [release.title for release in bundle.releases] == ["Two", "One"]
    assert "Two · One" in client.get("/studio/bundles").text
    page = client.get(f"/bundles/{bundle.id}").text
    for said in ("Both of them", "€15.00", f"/releases/{one.id}", f"/releases/{two.id}"):
        assert said in page, said
    assert f"/bundles/{bundle.id}" in client.get(f"/releases/{one.id}").text
    assert client.post(f"/studio/bundles/{bundle.id}/retire").status_code == 303
    assert client.post(f"/studio/bundles/{bundle.id}/retire").status_code == 404
    assert client.get(f"/bundles/{bundle.id}").status_code == 404
    assert f"/bundles/{bundle.id}" not in client.get(f"/releases/{one.id}").text
    assert client.get(f"/bundles/{priced().offer.id}").status_code == 404  # type: ignore[union-attr]
