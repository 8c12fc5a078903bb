"""What a person sees on shelves: each promise of `docs/shelves.md`, on planted tastes."""

from __future__ import annotations

import html
import re
from collections import Counter
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import rows
from support.heard import statements
from support.orders import Sold, order
from support.shop import offer
from support.town import Town, town, train

from app.accounts.models import Account
from app.catalog.models import Release
from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.discovery import choices
from app.discovery.models import EventKind, Mode, Verdict
from app.shelves import queries
from app.shelves.making import LENGTH, MOST_BY_ONE
from app.shelves.shelf import PERSONAL, Shelf, ShelfName, Source, Tie
from app.wishlist import service as wishes

CAPPED = {ShelfName.FOR_YOU, ShelfName.BECAUSE, ShelfName.NEW, ShelfName.OFF_BEATEN, ShelfName.POPULAR, ShelfName.FANS}


@pytest.fixture
def planted(app: Flask) -> Town:
    return town()


def _front(person: Account | None) -> list[Shelf]:
    """Everything on the front page, to its end."""
    account_id = person.id if person else None
    front = queries.home(account_id)
    below = [] if front.more_without is None else queries.more(account_id, without=front.more_without)
    return [*front.shelves, *below]


def _named(shelves: list[Shelf], name: ShelfName) -> Shelf:
    [found] = [shelf for shelf in shelves if shelf.name == name]
    return found


def _releases(shelves: list[Shelf]) -> list[Release]:
    return [pick.release for shelf in shelves for pick in shelf.picks]


def _all_pages(town: Town, person: Account | None) -> list[list[Shelf]]:
    account_id = person.id if person else None
    everything = [*town.jazz, *town.metal]
    return [
        _front(person),
        queries.for_you(account_id),
        queries.popular(account_id),
        *(queries.release(one, account_id) for one in everything),
        *(queries.fans_also_bought(one.id, account_id) for one in everything),
        *(queries.artist(one.artist, account_id) for one in everything),
    ]


def _decide(act: object, *arguments: object, **more: object) -> None:
    with transaction():
        act(*arguments, **more)  # type: ignore[operator]


def _page(client: FlaskClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return html.unescape(answer.text)


# ---- What is on a page, and what never is ---------------------------------------------------------------------------


def test_a_release_stands_on_one_shelf_of_a_page_and_an_artist_on_few_places(planted: Town) -> None:
    planted.buy(planted.ada, planted.jazz[0])
    planted.buy(planted.ada, planted.metal[0])
    for shelves in _all_pages(planted, planted.ada):
        counted = Counter(release.id for release in _releases(shelves))
        assert set(counted.values()) <= {1}, counted
        for shelf in shelves:
            assert 1 <= len(shelf.picks) <= LENGTH
            by_artist = Counter(pick.release.artist_id for pick in shelf.picks)
            if shelf.name in CAPPED:
                assert max(by_artist.values()) <= MOST_BY_ONE, shelf.name
            if shelf.name == ShelfName.NEAR:
                assert max(by_artist.values()) == 1
    front = queries.home(planted.ada.id)
    assert front.featured not in _releases(front.shelves)
    # All three artists of jazz are there, though one of them suits best.
    jazz = [pick.release.artist for pick in _named(front.shelves, ShelfName.FOR_YOU).picks]
    assert len(set(jazz)) >= LENGTH // MOST_BY_ONE


def test_nothing_is_shown_that_is_theirs_dismissed_owned_elsewhere_or_not_on_sale(planted: Town) -> None:
    ada = planted.ada
    whole, by_tracks, dismissed, elsewhere, withdrawn = planted.jazz[:5]
    planted.buy(ada, whole)
    for track in by_tracks.tracks:
        rows.own(ada, track=track)
    _decide(choices.say, ada.id, dismissed.id, Verdict.DISMISSED)
    _decide(choices.say, ada.id, elsewhere.id, Verdict.ELSEWHERE)
    withdrawn.status, withdrawn.published_at = "draft", None
    db.session.commit()
    never = {one.id for one in planted.jazz[:5]}
    pages = _all_pages(planted, ada)
    shown = {release.id for shelves in pages for release in _releases(shelves)}
    assert shown & {one.id for one in planted.jazz[5:]}
    assert not shown & never
    # To others they are shown, but for the one that is not on sale.
    others = {release.id for shelves in _all_pages(planted, None) for release in _releases(shelves)}
    assert others & never == never - {withdrawn.id}


def test_a_dismissed_one_is_gone_with_the_next_page(planted: Town, client: FlaskClient) -> None:
    ada = planted.ada
    planted.buy(ada, planted.jazz[0])
    rows.sign_in(client, ada)
    gone = _named(_front(ada), ShelfName.FOR_YOU).picks[0].release
    address = f'href="/releases/{gone.id}'
    assert address in _page(client, "/")
    assert client.post(f"/releases/{gone.id}/opinion", data={"say": "dismissed"}).status_code == 303
    for page in ("/", "/shelves/for-you", "/shelves/more", f"/releases/{planted.jazz[0].id}", "/search?q=zzzz"):
        assert address not in _page(client, page), page


# ---- For you, and why -----------------------------------------------------------------------------------------------


def test_the_next_page_after_a_purchase_or_a_play_reflects_it(planted: Town, client: FlaskClient) -> None:
    ada = planted.ada
    rows.sign_in(client, ada)
    assert {shelf.name for shelf in _front(ada)} & PERSONAL == set()
    assert "For you" not in _page(client, "/")

    planted.did(ada, planted.metal[3], EventKind.PLAY)
    assert set(_releases([_named(_front(ada), ShelfName.FOR_YOU)])) <= set(planted.metal)
    assert "Because you played Metal 3" in _page(client, "/")

    for release in planted.jazz[4:7]:
        planted.buy(ada, release)
    for_you = _releases([_named(_front(ada), ShelfName.FOR_YOU)])
    assert set(for_you[:3]) <= set(planted.jazz)
    assert "Because you own Jazz" in _page(client, "/")


def test_each_reason_is_the_person_s_own_and_of_the_same_taste(planted: Town) -> None:
    ada = planted.ada
    planted.buy(ada, planted.jazz[0])
    planted.did(ada, planted.metal[0], EventKind.PLAY)
    told = 0
    for shelf in _front(ada):
        for pick in shelf.picks:
            assert {reason.release for reason in pick.because} <= {planted.jazz[0], planted.metal[0]}
            for reason in pick.because[:1]:
                told += 1
                group = planted.jazz if reason.release is planted.jazz[0] else planted.metal
                assert pick.release in group, (pick.release.title, reason.release.title)
                assert reason.tie == (Tie.OWN if group is planted.jazz else Tie.PLAYED)
        if shelf.name in PERSONAL:
            assert all(pick.because for pick in shelf.picks)
    assert told >= LENGTH
    because = [shelf for shelf in _front(ada) if shelf.name == ShelfName.BECAUSE]
    assert because
    for shelf in because:
        group = planted.jazz if shelf.about is planted.jazz[0] else planted.metal
        assert shelf.tie == (Tie.OWN if group is planted.jazz else Tie.PLAYED)
        assert set(_releases([shelf])) <= set(group)
        assert all(pick.because[0].release is shelf.about for pick in shelf.picks)
    assert len({shelf.about for shelf in because}) == len(because)


def test_a_whole_shelf_starts_from_what_is_owned_or_played_and_a_card_says_what_else_it_was(planted: Town) -> None:
    ada = planted.ada
    _decide(wishes.add, ada.id, planted.jazz[0])
    shelves = _front(ada)
    assert ShelfName.BECAUSE not in {shelf.name for shelf in shelves}
    [first, *_rest] = _named(shelves, ShelfName.FOR_YOU).picks
    assert [(reason.release, reason.tie) for reason in first.because] == [(planted.jazz[0], Tie.WISHED)]
    # They know what they wished for, and have a page for it.
    assert planted.jazz[0] not in _releases(shelves)


def test_the_reason_is_read_with_its_card(planted: Town, client: FlaskClient) -> None:
    planted.buy(planted.ada, planted.jazz[0])
    rows.sign_in(client, planted.ada)
    page = _page(client, "/")
    section = re.search(r'<section class="shelf" aria-labelledby="shelf-for-you">.*?</section>', page, re.DOTALL)
    assert section is not None
    items = re.findall(r"<li>.*?</li>", section[0], re.DOTALL)
    assert len(items) == len(_named(_front(planted.ada), ShelfName.FOR_YOU).picks)
    assert all("Because you own Jazz 0" in item for item in items)
    assert f'<h2 class="shelf__tab" id="shelf-because-{planted.jazz[0].id}">Because you own Jazz 0</h2>' in page


# ---- Guests, and who has recommendations off ------------------------------------------------------------------------


def test_a_guest_and_who_is_off_see_what_is_popular_and_new(planted: Town, client: FlaskClient) -> None:
    ada = planted.ada
    planted.buy(ada, planted.jazz[0])
    rows.own(ada, track=rows.release("Half", tracks=2, artist="Somebody").tracks[0])
    _decide(choices.set_mode, ada.id, Mode.OFF)
    for person in (None, ada):
        shelves = _front(person)
        assert [shelf.name for shelf in shelves] == [ShelfName.POPULAR, ShelfName.NEW_MUSIC]
        assert all(not pick.because for shelf in shelves for pick in shelf.picks)
        assert queries.more(person.id if person else None) == []
        assert [shelf.name for shelf in queries.for_you(person.id if person else None)] == [ShelfName.POPULAR]
        if person:
            rows.sign_in(client, person)
        page = _page(client, "/")
        assert "Popular now" in page
        assert "More for you" not in page


def test_popular_is_what_was_done_and_new_is_what_is_new(app: Flask) -> None:
    quiet, hot = rows.release("Quiet", artist="One"), rows.release("Hot", artist="Two")
    newest = rows.release("Newest", artist="Three")
    assert [(shelf.name, _releases([shelf])) for shelf in _front(None)] == [(ShelfName.NEW_MUSIC, [hot, quiet])]
    assert _releases(queries.popular(None)) == [newest, hot, quiet]
    town_of_one = Town([], [], rows.account())
    town_of_one.did(town_of_one.ada, hot, EventKind.PURCHASE)
    shelves = _front(None)
    assert [(shelf.name, _releases([shelf])) for shelf in shelves] == [
        (ShelfName.POPULAR, [hot]),
        (ShelfName.NEW_MUSIC, [quiet]),
    ]
    assert [pick.source for pick in shelves[0].picks] == [Source.POPULAR]


def test_shelves_are_fragments_that_name_themselves(planted: Town, client: FlaskClient) -> None:
    guest = client.get("/shelves/for-you")
    assert "Popular now" in guest.text
    assert "<html" not in guest.text
    assert guest.headers["Cache-Control"] == "private, no-cache"
    unheard = rows.release("Unheard")
    assert client.get(f"/shelves/fans-also-bought/{unheard.id}").text.strip() == ""
    assert "Fans also bought" in client.get(f"/shelves/fans-also-bought/{planted.jazz[0].id}").text
    rows.sign_in(client, planted.ada)
    assert "Popular now" in client.get("/shelves/for-you").text
    planted.did(planted.ada, planted.jazz[0], EventKind.CART)
    assert "For you" in client.get("/shelves/for-you").text


def test_no_shelf_is_empty(app: Flask, client: FlaskClient) -> None:
    assert queries.home(None).shelves == []
    assert "shelf__tab" not in client.get("/").text
    rows.sign_in(client, rows.account())
    assert "shelf__tab" not in client.get("/").text
    assert "Nothing more for now" in client.get("/shelves/more").text
    assert client.get("/shelves/more", headers={"HX-Request": "true"}).text.strip() == ""


# ---- The other shelves ----------------------------------------------------------------------------------------------


def test_new_for_you_is_what_came_lately_by_taste(planted: Town) -> None:
    ada, old = planted.ada, clock.now() - timedelta(days=60)
    planted.buy(ada, planted.jazz[0])
    for release in [*planted.jazz[1:9], *planted.metal]:
        release.published_at = old
    db.session.commit()
    # The first of what is new is on top of the page, or among what is for them anyway.
    shelves = _front(ada)
    assert ShelfName.NEW_MUSIC not in {shelf.name for shelf in shelves} or ShelfName.NEW not in {
        shelf.name for shelf in shelves
    }
    found = [release for shelf in shelves if shelf.name == ShelfName.NEW for release in _releases([shelf])]
    assert set(found) <= set(planted.jazz[9:])


def test_off_the_beaten_track_is_of_the_less_popular_half_and_of_the_same_taste(planted: Town) -> None:
    ada = planted.ada
    planted.buy(ada, planted.jazz[6])
    for release in [*planted.jazz[:6], *planted.metal[:6]]:
        for person in planted.others[:8]:
            planted.did(person, release, EventKind.PURCHASE)
    found = _releases([_named(queries.more(ada.id), ShelfName.OFF_BEATEN)])
    assert found
    assert set(found) <= set(planted.jazz[7:])


def test_a_begun_album_says_what_is_there_and_what_the_rest_costs(app: Flask, client: FlaskClient) -> None:
    ada, album = rows.account(), rows.release("Tides", tracks=4)
    offer(release=album, minor=990)
    order(Sold(album.tracks[0], minor=150, tax=24), Sold(album.tracks[1], minor=150, tax=24), account=ada)
    [shelf] = queries.more(ada.id)
    [pick] = shelf.picks
    assert (shelf.name, pick.release) == (ShelfName.COMPLETE, album)
    assert pick.completing is not None
    assert (pick.completing.held, pick.completing.of, pick.completing.cost) == (2, 4, Money(690, "EUR"))
    rows.sign_in(client, ada)
    assert "You have 2 tracks of 4: the rest for €6.90" in _page(client, "/shelves/more")
    order(Sold(album.tracks[2], minor=150, tax=24), Sold(album.tracks[3], minor=150, tax=24), account=ada)
    assert queries.more(ada.id) == []


def test_what_is_missing_of_an_artist_is_shown_to_who_owns_most(app: Flask) -> None:
    ada = rows.account()
    mira = [rows.release(f"Mira {n}") for n in range(4)]
    lin = [rows.release(f"Lin {n}", artist="Lin Yu") for n in range(4)]
    unsold = rows.release("Not for sale")
    for release in (*mira, *lin):
        offer(release=release)
    for release in (*mira[:3], *lin[:2]):
        rows.own(ada, release=release)
    [shelf] = queries.more(ada.id)
    assert (shelf.name, _releases([shelf])) == (ShelfName.COMPLETE, [mira[3]])
    completing = shelf.picks[0].completing
    assert completing is not None
    assert (completing.held, completing.of, completing.artist) == (3, 5, mira[0].artist)
    assert unsold not in _releases([shelf])


def test_a_release_page_has_more_by_its_artist_and_near_it(planted: Town, client: FlaskClient) -> None:
    here = planted.jazz[0]
    shelves = queries.release(here, None)
    names = [shelf.name for shelf in shelves]
    assert names == [name for name in (ShelfName.FANS, ShelfName.MORE_BY, ShelfName.NEAR) if name in names]
    assert set(_releases([_named(shelves, ShelfName.FANS)])) <= set(planted.jazz)
    assert {release.artist for release in _releases([_named(shelves, ShelfName.MORE_BY)])} == {here.artist}
    [near] = queries.artist(here.artist, None)
    assert (near.name, near.about) == (ShelfName.NEAR, here.artist)
    assert {release.artist for release in _releases([near])} == {
        release.artist for release in planted.jazz if release.artist is not here.artist
    }
    page = _page(client, f"/releases/{here.id}")
    assert "More by Jazz player 0" in page
    assert "Near Jazz player 0" in _page(client, f"/artists/{here.artist.id}")


def test_more_leaves_out_what_stands_above_and_takes_no_harm_from_nonsense(planted: Town, client: FlaskClient) -> None:
    planted.buy(planted.ada, planted.jazz[0])
    planted.buy(planted.ada, planted.metal[0])
    rows.sign_in(client, planted.ada)
    page = _page(client, "/")
    address = re.search(r'hx-get="(/shelves/more\?without=[^"]*)"', page)
    assert address is not None
    above = set(re.findall(r'class="sleeve__link" href="/releases/(\w+)', page))
    piece = client.get(address[1], headers={"HX-Request": "true"}).text
    below = re.findall(r'class="sleeve__link" href="/releases/(\w+)', piece)
    assert below
    assert not set(below) & above
    assert "<html" not in piece
    assert "<html" in client.get(address[1]).text
    for nonsense in ("?without=", "?without=,,,", f"?without={'x,' * 500}", "?without=%00", "?without='--"):
        assert client.get(f"/shelves/more{nonsense}").status_code in (200, 400), nonsense


# ---- Quick ----------------------------------------------------------------------------------------------------------


def test_pages_ask_the_database_little(planted: Town, client: FlaskClient) -> None:
    ada = planted.ada
    for release in (planted.jazz[0], planted.jazz[1], planted.metal[0]):
        planted.buy(ada, release)
    train()
    most = {
        "/": (25, 45),
        "/shelves/more": (5, 40),
        f"/releases/{planted.jazz[2].id}": (35, 65),
        f"/artists/{planted.jazz[0].artist.id}": (25, 40),
    }
    for who in (0, 1):
        if who:
            rows.sign_in(client, ada)
        for page, allowed in most.items():
            client.get(page)
            db.session.remove()
            with statements() as seen:
                assert client.get(page).status_code == 200
            assert len(seen) <= allowed[who], (page, len(seen), seen)
