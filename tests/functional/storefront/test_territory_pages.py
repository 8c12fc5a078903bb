"""What visitors see of releases that aren't sold where they are, and that owners keep everything."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from support import rows
from support.shop import offer

from app.catalog.models import Kind, Release
from app.core.db import db, transaction
from app.wishlist import service as wishes


@pytest.fixture
def release(client: FlaskClient) -> Release:
    """Sold in Japan alone; there is one beside it that is sold everywhere."""
    made = rows.confine(rows.release("Tides", tracks=2), "JP")
    offer(release=made)
    offer(track=made.tracks[0], minor=129)
    offer(release=made, rental_days=30, minor=390)
    offer(release=rows.release("Harbour tides", artist="Lin Hai"))
    return made


def go_to(client: FlaskClient, country: str) -> None:
    assert client.post("/cart/country", data={"country": country}).status_code == 303
    client.get("/")  # reads the word about it


def shown(client: FlaskClient, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, answer.text
    return answer.text.partition("<main")[2].partition("</main>")[0]


LISTS = (
    "/",
    "/browse",
    "/browse?kind=audio",
    "/search?q=tides",
    "/search?q=zzzz",
    "/artists/{artist}",
)


def test_lists_leave_out_what_is_not_sold_there(client: FlaskClient, release: Release) -> None:
    link = f"/releases/{release.id}"
    for country, there in ((None, True), ("JP", True), ("DE", False)):
        if country is not None:
            go_to(client, country)
        for address in LISTS:
            page = shown(client, address.format(artist=release.artist_id))
            assert (link in page) == there, (country, address)
            if "artists" not in address:
                assert "Harbour tides" in page, address
        assert (link in client.get("/shelves/for-you").text) == there
    page = shown(client, f"/artists/{release.artist_id}")
    assert "Nothing here is sold in Germany" in page
    assert "/cart/country?next=/artists/" in page


def test_its_page_says_so_and_sells_nothing(client: FlaskClient, release: Release) -> None:
    page = shown(client, f"/releases/{release.id}")
    assert "Add to cart" in page
    go_to(client, "DE")
    page = shown(client, f"/releases/{release.id}")
    assert "Not sold in Germany" in page
    assert f"/cart/country?next=/releases/{release.id}" in page
    assert "Tides 2" in page
    assert 'action="/cart/items"' not in page
    assert "/cart/gift/" not in page
    assert "€" not in page


def test_an_owner_keeps_all_of_it(client: FlaskClient, release: Release) -> None:
    ada = rows.account()
    rows.sign_in(client, ada)
    rows.own(ada, release=release)
    go_to(client, "DE")
    page = shown(client, f"/releases/{release.id}")
    assert "In your library" in page
    assert "data-play-all" in page
    assert "/downloads" in page or f"{release.id}" in page
    for address in ("/library", "/browse", "/search?q=tides", f"/artists/{release.artist_id}"):
        assert f"/releases/{release.id}" in shown(client, address), address


def test_a_bundle_and_a_wish(client: FlaskClient, release: Release) -> None:
    other = rows.release("Mains")
    both = offer(bundle=[other, release])
    ada = rows.account()
    rows.sign_in(client, ada)
    with transaction():
        wishes.add(ada.id, release)
    assert f"/bundles/{both.id}" in shown(client, f"/releases/{other.id}")
    assert "Add to cart" in shown(client, "/wishlist")
    go_to(client, "DE")
    assert f"/bundles/{both.id}" not in shown(client, f"/releases/{other.id}")
    page = shown(client, f"/bundles/{both.id}")
    assert "Not sold in Germany" in page
    assert 'action="/cart/items"' not in page
    page = shown(client, "/wishlist")
    assert "Tides" in page
    assert "Not sold in Germany" in page
    assert 'action="/cart/items"' not in page


def test_films_and_genres_follow(client: FlaskClient) -> None:
    film = rows.confine(rows.release("Night Ferry", kind=Kind.FILM), "DE", barred=True)
    db.session.commit()
    assert f"/releases/{film.id}" in shown(client, "/browse?kind=film")
    go_to(client, "DE")
    assert f"/releases/{film.id}" not in shown(client, "/browse?kind=film")
    assert f"/releases/{film.id}" not in shown(client, "/")
