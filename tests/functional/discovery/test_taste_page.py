"""What a person says of releases and recommendations, through the shop's own pages; and what of a visit is told."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from support import rows
from support.shop import offer
from support.town import town

from app.accounts.models import Account
from app.cart import service as carts
from app.cart.gifts import Gift
from app.core.db import db, transaction
from app.discovery import choices, tastes
from app.discovery.models import Event, EventKind, Mode, Opinion, Verdict

PIECE = {"HX-Request": "true"}
DISMISS = 'value="dismissed"'


@pytest.fixture
def ada(app: Flask, client: FlaskClient) -> Account:
    made = rows.consenting("Ada")
    rows.sign_in(client, made)
    return made


def _log() -> list[str]:
    return list(db.session.scalars(select(Event.kind).order_by(Event.id)))


def _section(page: str, name: str) -> str:
    found = re.search(rf'<section[^>]*aria-labelledby="{name}".*?</section>', page, re.DOTALL)
    return found[0] if found else ""


def test_a_page_that_somebody_looks_at_is_a_view(app: Flask, client: FlaskClient, ada: Account) -> None:
    address = f"/releases/{rows.release().id}"
    client.head(address)
    for headers in (
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"X-Moz": "prefetch"},
        {"X-Purpose": "preview"},
        {"HX-Preloaded": "true"},
        {"HX-History-Restore-Request": "true"},
        {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
    ):
        assert client.get(address, headers=headers).status_code == 200
    app.test_client().get(address)
    assert _log() == []
    for _again in range(2):
        assert client.get(address, headers={"User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"}).status_code == 200
    assert _log() == ["view"]


def test_a_draft_that_its_owner_looks_at_is_no_view(client: FlaskClient, ada: Account) -> None:
    draft = rows.release(published=False)
    rows.own(ada, release=draft)
    assert client.get(f"/releases/{draft.id}").status_code == 200
    assert _log() == []


def test_a_preview_is_told_by_the_player_and_a_guest_s_is_nobody_s(
    app: Flask, client: FlaskClient, ada: Account
) -> None:
    track = rows.release().tracks[0]
    address = f"/tracks/{track.id}/previewed"
    assert app.test_client().post(address).status_code == 204
    assert _log() == []
    assert client.post(address).status_code == 204
    event = db.session.scalars(select(Event)).one()
    assert (event.kind, event.account_id, event.track_id) == ("preview", ada.id, track.id)
    draft = rows.release(published=False).tracks[0]
    assert client.post(f"/tracks/{draft.id}/previewed").status_code == 404


def test_a_gift_for_somebody_else_says_nothing_of_who_gives_it(app: Flask, ada: Account) -> None:
    release = rows.release()
    given, own = offer(release=release), offer(track=release.tracks[0])
    with transaction():
        carts.add(carts.open_cart(ada.id), given.id, gift=Gift("kay@example.org"))
    assert _log() == []
    with transaction():
        carts.add(carts.open_cart(ada.id), own.id)
    assert _log() == ["cart"]


def test_a_card_goes_and_comes_back_where_it_was(client: FlaskClient, ada: Account) -> None:
    gone, stays = rows.release("Gone", title_zh="走了", artist="One"), rows.release("Stays", artist="Two")
    for title in ("Newest", "Newer"):
        rows.release(title)
    assert "Gone" in client.get("/").text
    said = {"say": "dismissed", "piece": "card", "next": "/"}
    answer = client.post(f"/releases/{gone.id}/opinion", data=said, headers=PIECE)
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert "“Gone” is not for you" in answer.text
    assert 'value="undo"' in answer.text
    for page in ("/", "/shelves/for-you", "/search"):
        assert "Gone" not in client.get(page).text, page
        assert "Stays" in client.get(page).text, page
    assert "Gone" in client.get("/browse").text  # the crates hold everything there is
    assert f"/releases/{gone.id}" in client.get("/search?q=Gone").text

    answer = client.post(f"/releases/{gone.id}/opinion", data=said | {"say": "undo"}, headers=PIECE)
    assert 'class="sleeve' in answer.text
    assert "Gone" in client.get("/").text
    assert stays.id not in tastes.hidden(ada.id)


def test_without_script_the_page_comes_anew_and_says_what_was_done(client: FlaskClient, ada: Account) -> None:
    tides = rows.release("Tides")
    answer = client.post(f"/releases/{tides.id}/opinion", data={"say": "elsewhere", "piece": "card", "next": "/"})
    assert (answer.status_code, answer.location) == (303, "/")
    assert "You own “Tides” elsewhere" in client.get("/").text
    answer = client.post(f"/releases/{tides.id}/opinion", data={"say": "undo", "next": "//elsewhere.example"})
    assert answer.location == "/account/taste"


def test_the_release_page_says_it_too_and_its_owner_gives_stars(client: FlaskClient, ada: Account) -> None:
    tides = rows.release("Tides")
    page, address = f"/releases/{tides.id}", f"/releases/{tides.id}/opinion"
    assert DISMISS in client.get(page).text
    answer = client.post(address, data={"say": "elsewhere", "piece": "release"}, headers=PIECE)
    assert "it counts as liked" in answer.text
    assert "Your rating" not in client.get(page).text
    client.post(address, data={"say": "undo"})
    assert client.post(address, data={"stars": "4"}).status_code == 403
    assert db.session.scalars(select(Opinion)).all() == []

    rows.own(ada, track=tides.tracks[0])
    assert DISMISS not in client.get(page).text
    answer = client.post(address, data={"stars": "4", "piece": "release"}, headers=PIECE)
    assert re.search(r'value="4" aria-pressed="true" aria-label="4 stars"', answer.text)
    assert answer.text.count("#star-full") == 4
    held = tastes.opinion(ada.id, tides.id)
    assert held is not None
    assert held.stars == 4
    for wrong in ("6", "-1", "many", ""):
        assert client.post(address, data={"stars": wrong}).status_code == 400
    client.post(address, data={"stars": "0"})
    assert "#star-full" not in client.get(page).text
    assert client.post(address, data={"say": "louder"}).status_code == 400
    assert client.post("/releases/nonesuchnonesuch/opinion", data={"say": "undo"}).status_code == 404
    assert client.post(f"/releases/{rows.release(published=False).id}/opinion", data={}).status_code == 404


def test_a_guest_sees_no_such_buttons(client: FlaskClient) -> None:
    tides = rows.release("Tides")
    for page in ("/", f"/releases/{tides.id}"):
        assert DISMISS not in client.get(page).text
        assert "shape your recommendations?" not in client.get(page).text
    assert client.post(f"/releases/{tides.id}/opinion", data={"say": "dismissed"}).status_code == 302


def test_the_question_is_asked_until_it_is_answered(client: FlaskClient) -> None:
    rows.release()
    bo = rows.account("Bo")
    rows.sign_in(client, bo)
    asked = "Let what you play and view shape your recommendations?"
    assert asked in client.get("/").text
    assert client.post("/account/taste/listening", data={"allow": "no", "next": "/"}).location == "/"
    assert asked not in client.get("/").text
    assert tastes.of(bo.id).listening is False
    client.post("/account/taste/listening", data={"allow": "yes"})
    assert tastes.of(bo.id).listening is True


def test_one_s_taste_is_shown_and_mended_on_one_page(client: FlaskClient, ada: Account) -> None:
    assert "Nothing yet" in client.get("/account/taste").text
    tides, mains, far = rows.release("Tides"), rows.release("Mains", artist="Lin Yu"), rows.release("Far")
    with transaction():
        choices.say(ada.id, tides.id, Verdict.ELSEWHERE)
        choices.say(ada.id, far.id, Verdict.DISMISSED)
    client.post(f"/wishlist/{mains.id}")
    page = client.get("/account/taste").text
    likes = _section(page, "likes")
    assert likes.index("Tides") < likes.index("Mains")
    assert "67 % · owned elsewhere" in likes
    assert "33 % · wished for" in likes
    assert likes.index("Mira Sol") < likes.index("Lin Yu")
    assert "Far" in _section(page, "dismissed")
    assert "Tides" in _section(page, "elsewhere")

    client.post(f"/releases/{mains.id}/opinion", data={"say": "leave-out"})
    page = client.get("/account/taste").text
    assert "Mains" not in _section(page, "likes")
    assert "Mains" in _section(page, "left-out")
    client.post(f"/releases/{mains.id}/opinion", data={"say": "put-back"})
    client.post(f"/releases/{far.id}/opinion", data={"say": "undo"})
    page = client.get("/account/taste").text
    assert "Mains" in _section(page, "likes")
    assert _section(page, "dismissed") == _section(page, "left-out") == ""


def test_a_withdrawn_release_can_still_be_taken_off_one_s_lists(client: FlaskClient, ada: Account) -> None:
    far = rows.release("Far")
    client.post(f"/releases/{far.id}/opinion", data={"say": "dismissed"})
    far.status, far.published_at = "draft", None
    db.session.commit()
    assert "Far" in client.get("/account/taste").text
    assert client.post(f"/releases/{far.id}/opinion", data={"say": "undo"}).status_code == 303
    assert tastes.hidden(ada.id) == set()


def test_off_makes_every_shelf_everybody_s(client: FlaskClient, ada: Account) -> None:
    planted = town()
    planted.did(ada, planted.jazz[0], EventKind.CART)
    assert "For you" in client.get("/").text
    assert client.post("/account/taste/mode", data={"mode": "off"}).status_code == 303
    for page in ("/", "/shelves/for-you"):
        assert "For you" not in client.get(page).text
        assert "Popular now" in client.get(page).text
    assert "Recommendations are off" in client.get("/account/taste").text
    assert client.post("/account/taste/mode", data={"mode": "loud"}).status_code == 400
    client.post("/account/taste/mode", data={"mode": "paused"})
    assert tastes.mode(ada.id) is Mode.PAUSED
    assert "For you" in client.get("/").text


def test_forgetting_is_asked_twice(client: FlaskClient, ada: Account) -> None:
    client.post(f"/wishlist/{rows.release().id}")
    assert client.post("/account/taste/forget").status_code == 303
    assert "Tick that you are sure" in client.get("/account/taste").text
    assert _log() == ["wishlist"]
    client.post("/account/taste/forget", data={"sure": "yes"})
    assert _log() == []
    assert "Nothing yet" in client.get("/account/taste").text
    assert len(client.get("/wishlist").text.split("sleeve__title")) > 1  # the wish itself stays
