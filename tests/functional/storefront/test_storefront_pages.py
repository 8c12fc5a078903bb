"""What visitors, owners and editors see of the shop."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from app.accounts.models import Role
from app.catalog import service as catalog
from app.catalog.models import Kind
from app.core.db import db
from app.core.money import Money
from tests.support import rows


def _text(client: FlaskClient, address: str, status: int = 200, **options: object) -> str:
    answer = client.get(address, **options)
    assert answer.status_code == status, answer.text
    return answer.text


def test_an_empty_shop_says_so(client: FlaskClient) -> None:
    assert "The crates are still empty" in _text(client, "/")


def test_the_front_shows_music_films_and_genres(client: FlaskClient) -> None:
    music, film = rows.release("Tides"), rows.release("Night Ferry", kind=Kind.FILM)
    music.genre = catalog.ensure_genre("Hip-Hop", "嘻哈")
    db.session.commit()
    page = _text(client, "/")
    assert f"/releases/{music.id}" in page
    assert f"/releases/{film.id}" in page
    assert "/browse?genre=hip-hop" in page


def test_a_draft_is_seen_by_editors_only(client: FlaskClient) -> None:
    draft = rows.release("Unheard", published=False)
    assert "Unheard" not in _text(client, "/")
    assert "Unheard" not in _text(client, "/search?q=unheard").split("<main")[1].split("No match for")[0]
    _text(client, f"/releases/{draft.id}", 404)
    listener, editor = rows.account(), rows.account("Ed")
    editor.role = Role.MANAGER
    db.session.commit()
    rows.sign_in(client, listener)
    _text(client, f"/releases/{draft.id}", 404)
    rows.sign_in(client, editor)
    assert "not on sale" in _text(client, f"/releases/{draft.id}")


def test_an_owner_keeps_the_page_of_what_was_withdrawn(client: FlaskClient) -> None:
    gone, owner = rows.release("Gone", published=False), rows.account()
    rows.own(owner, release=gone)
    rows.sign_in(client, owner)
    page = _text(client, f"/releases/{gone.id}")
    assert "In your library" in page
    assert "Add to cart" not in page


def test_a_release_page_offers_what_is_not_owned(client: FlaskClient) -> None:
    release, buyer = rows.release("Tides", tracks=2), rows.account()
    catalog.set_price(release=release, price=Money(990, "EUR"))
    for track in release.tracks:
        catalog.set_price(track=track, price=Money(150, "EUR"))
    db.session.commit()
    page = _text(client, f"/releases/{release.id}")
    assert "€9.90" in page
    assert page.count("€1.50</button>") == 2
    assert '<meta property="og:title" content="Tides' in page

    rows.own(buyer, track=release.tracks[0])
    rows.sign_in(client, buyer)
    page = _text(client, f"/releases/{release.id}")
    assert "Some tracks are yours" in page
    assert page.count("€1.50</button>") == 1

    rows.own(buyer, release=release)
    page = _text(client, f"/releases/{release.id}")
    assert "In your library" in page
    assert "Add to cart" not in page


def test_pages_speak_chinese_and_show_chinese_titles(client: FlaskClient) -> None:
    release = rows.release("Tides", title_zh="潮汐", artist_zh="米拉·索尔")
    page = _text(client, f"/releases/{release.id}", headers={"Accept-Language": "zh-CN"})
    assert '<html lang="zh-Hans">' in page
    assert "潮汐" in page
    assert "米拉·索尔" in page


def test_search_finds_or_suggests(client: FlaskClient) -> None:
    release = rows.release("Paper Aeroplanes")
    assert f"/releases/{release.id}" in _text(client, "/search?q=aeroplanes")
    page = _text(client, "/search?q=<script>alert(1)</script>")
    assert "No match for" in page
    assert "<script>alert" not in page
    assert f"/releases/{release.id}" in page  # what is popular


@pytest.mark.parametrize(
    "address", ["/browse?kind=bogus", "/browse?page=99", "/browse?page=x", "/search?q=", "/search"]
)
def test_odd_addresses_are_answered(client: FlaskClient, address: str) -> None:
    _text(client, address)


@pytest.mark.parametrize("address", ["/browse?genre=none", "/releases/none", "/artists/none", "/nowhere"])
def test_what_is_not_there_says_what_to_do(client: FlaskClient, address: str) -> None:
    assert "To the front of the shop" in _text(client, address, 404)


def test_the_library_holds_what_one_owns_and_nobody_elses(client: FlaskClient) -> None:
    mine, theirs, me, them = rows.release("Mine"), rows.release("Theirs"), rows.account(), rows.account("Bo")
    rows.own(me, release=mine)
    rows.own(them, release=theirs)
    assert client.get("/library").status_code == 302
    rows.sign_in(client, me)
    page = _text(client, "/library")
    assert f"/releases/{mine.id}" in page
    assert f"/releases/{theirs.id}" not in page


def test_no_page_carries_inline_script_or_style(client: FlaskClient) -> None:
    release = rows.release("Tides")
    for address in ("/", f"/releases/{release.id}", "/browse", "/search?q=none", "/sign-in", "/sign-up", "/cart"):
        page = _text(client, address)
        assert not re.search(r"<script(?![^>]*\bsrc=)", page)
        assert "<style" not in page
        assert not re.search(r"\s(style|on[a-z]+)=", page)
