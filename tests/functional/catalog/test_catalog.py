"""The catalogue on a real database: what is written, what is found."""

from __future__ import annotations

import pytest
from flask import Flask
from support.heard import statements

from app.catalog import queries, service
from app.catalog.models import Kind, Release
from app.core.db import db, transaction
from app.core.errors import Conflict, WavecrateError
from app.core.money import Money

EUR = Money(990, "EUR")


def make(
    title: str,
    artist: str = "Aurora Lind",
    *,
    title_zh: str | None = None,
    artist_zh: str | None = None,
    tracks: tuple[tuple[str, str | None], ...] = (("One", None),),
    published: bool = True,
    genre: str | None = None,
    label: str | None = None,
    kind: Kind = Kind.AUDIO,
) -> Release:
    with transaction():
        release = service.create_release(
            title=title,
            title_zh=title_zh,
            artist=service.ensure_artist(artist, artist_zh),
            genre=service.ensure_genre(genre) if genre else None,
            label=service.ensure_label(label) if label else None,
            kind=kind,
        )
        for name, name_zh in tracks:
            service.add_track(release, title=name, title_zh=name_zh)
        service.set_price(release=release, price=EUR)
        if published:
            service.publish(release)
    return release


def titles(found: list[Release]) -> list[str]:
    return [release.title for release in found]


@pytest.fixture
def shelf(app: Flask) -> dict[str, Release]:
    return {
        "harbour": make("Harbour Lights", title_zh="港湾灯火", tracks=(("Low Tide", "退潮"), ("Étoile", None))),
        "night": make("Night Ferry", "Mateo Núñez", artist_zh="马特奥", genre="Ambient", label="Quay Records"),
        "percent": make("100% Wool", "The_Knits", genre="Hip-Hop"),
        "film": make("The Lamp Keeper", "Wei Lan", title_zh="守灯人", kind=Kind.FILM),
        "draft": make("Harbour Sketches", published=False),
    }


SEARCHES: tuple[tuple[str, list[str]], ...] = (
    ("harbour", ["harbour"]),
    ("HARBOUR lights", ["harbour"]),
    ("lights lind", ["harbour"]),
    ("nunez", ["night"]),
    ("etoile", ["harbour"]),
    ("quay", ["night"]),
    ("ambient", ["night"]),
    ("灯", ["film", "harbour"]),
    ("灯火", ["harbour"]),
    ("退潮", ["harbour"]),
    ("马特", ["night"]),
    ("守灯人", ["film"]),
    ("ｎｉｇｈｔ", ["night"]),
    ("harbor", ["harbour"]),
    ("nigth ferry", ["night"]),
    ("ferrry", ["night"]),
    ("aurra lind", ["harbour"]),
    ("%", ["percent"]),
    ("e_k", ["percent"]),
    ("\\", []),
    ("'; drop table release; --", []),
    ("zzzzzz", []),
    ("", []),
    ("  \t ", []),
    ("a\0b", []),
)


def test_search_finds(shelf: dict[str, Release]) -> None:
    for text, expected in SEARCHES:
        assert set(titles(queries.search(text, 10))) == {shelf[name].title for name in expected}, text


def test_search_shows_drafts_to_editors_only(shelf: dict[str, Release]) -> None:
    assert "Harbour Sketches" not in titles(queries.search("harbour", 10))
    assert "Harbour Sketches" in titles(queries.search("harbour", 10, include_drafts=True))


def test_search_ranks_a_title_above_a_track_and_a_track_above_a_genre(app: Flask) -> None:
    make("Songs", "Someone", genre="Comet")
    make("More Songs", "Someone", tracks=(("Comet", None),))
    make("Comet Tail", "Someone")
    make("Comet", "Someone")
    assert titles(queries.search("comet", 10)) == ["Comet", "Comet Tail", "More Songs", "Songs"]
    assert titles(queries.search("comet", 2)) == ["Comet", "Comet Tail"]


def test_a_page_of_releases_costs_the_same_number_of_queries_however_many_there_are(app: Flask) -> None:
    counts = []
    for round_number in range(2):
        for number in range(1 + 6 * round_number):
            make(f"Wave {round_number} {number}", f"Artist {round_number} {number}", tracks=(("A", None), ("B", None)))
        db.session.remove()
        with statements() as seen:
            for found in (queries.newest(50), queries.search("wave", 50)):
                for release in found:
                    assert release.artist.name
                    assert [track.credited_artist.name for track in release.tracks]
                    assert [offer.price for track in release.tracks for offer in track.offers] == []
                    assert release.offers[0].price == EUR
        counts.append(len(seen))
        assert len(found) == 1 + 7 * round_number
    assert counts[0] == counts[1]


def test_the_public_sees_published_releases_only(shelf: dict[str, Release]) -> None:
    draft = shelf["draft"]
    assert queries.release(draft.id) is None
    assert queries.release(draft.id, include_drafts=True) is draft
    assert draft not in queries.newest(10)
    assert draft not in queries.releases_of_artist(draft.artist_id)
    assert queries.releases_by_ids([draft.id, shelf["film"].id, "nothing", shelf["night"].id]) == [
        shelf["film"],
        shelf["night"],
    ]
    assert queries.track(draft.tracks[0].id) is None
    assert queries.offer(draft.offers[0].id) is None
    assert queries.offer(shelf["night"].offers[0].id) is shelf["night"].offers[0]


def test_browse_by_genre_and_kind(shelf: dict[str, Release]) -> None:
    assert [genre.slug for genre in queries.genres()] == ["ambient", "hip-hop"]
    assert titles(queries.browse("ambient").items) == ["Night Ferry"]
    assert titles(queries.browse(kind=Kind.FILM).items) == ["The Lamp Keeper"]
    everything = queries.browse(page=99)
    assert (everything.number, everything.pages, everything.total) == (1, 1, 4)
    assert titles(everything.items)[0] == "The Lamp Keeper"


def test_an_artist_is_shown_once_something_of_theirs_is(app: Flask) -> None:
    draft = make("Unheard", "Nobody Yet", published=False)
    assert queries.artist(draft.artist_id) is None
    with transaction():
        service.publish(draft)
    assert queries.artist(draft.artist_id) is draft.artist


def test_an_artist_credited_on_a_track_is_found(app: Flask) -> None:
    with transaction():
        release = service.create_release(title="Various", artist=service.ensure_artist("Various Artists"))
        guest = service.ensure_artist("Guest")
        service.add_track(release, title="Duet", artist=guest)
        service.set_price(release=release, price=EUR)
        service.publish(release)
    assert queries.releases_of_artist(guest.id) == [release]
    assert queries.artist(guest.id) is guest
    assert queries.search("guest", 5) == [release]


def test_the_same_name_is_the_same_row(app: Flask) -> None:
    with transaction():
        first = service.ensure_artist("  Lin\u0020 Hai ")
        assert service.ensure_artist("Lin Hai", "林海") is first
        assert service.ensure_artist("Lin Hai", "另一个") is first
        assert service.ensure_genre("Hip Hop") is service.ensure_genre("hip-hop")
        assert service.ensure_genre("电子").slug == "电子"
    assert (first.name, first.name_zh) == ("Lin Hai", "林海")


def test_a_new_price_retires_the_old_offer_and_leaves_it_as_it_was(app: Flask) -> None:
    release = make("Priced")
    old = release.offers[0]
    with transaction():
        same = service.set_price(release=release, price=EUR)
        new = service.set_price(release=release, price=Money(1290, "USD"))
    assert same is old
    assert (old.active, old.price) == (False, EUR)
    assert (new.active, new.price) == (True, Money(1290, "USD"))
    assert queries.offer(old.id) is None
    with pytest.raises(WavecrateError, match="more than nothing"):
        service.set_price(release=release, price=Money(0, "EUR"))


def test_publishing_names_what_is_missing(app: Flask) -> None:
    with transaction():
        release = service.create_release(title="Bare", artist=service.ensure_artist("Someone"))
    with pytest.raises(service.Incomplete, match="at least one track, a price"):
        service.publish(release)
    assert not release.is_published
    assert release.published_at is None


def test_unpublishing_hides_it_again(app: Flask) -> None:
    release = make("Brief")
    with transaction():
        service.unpublish(release)
    assert queries.newest(5) == []


def test_tracks_take_the_place_asked_for_or_the_next_free_one(app: Flask) -> None:
    with transaction():
        release = service.create_release(title="Order", artist=service.ensure_artist("Someone"))
        for position in (2, 2, None, 1):
            service.add_track(release, title=f"asked for {position}", position=position)
    assert [track.position for track in release.tracks] == [2, 3, 4, 1]


def test_tracks_can_trade_places(app: Flask) -> None:
    release = make("Order", tracks=(("A", None), ("B", None), ("C", None)))
    a, b, c = release.tracks
    with transaction():
        service.reorder(release, {a.id: (1, 3), c.id: (1, 1)})
    assert [track.title for track in release.tracks] == ["C", "B", "A"]
    with pytest.raises(Conflict):
        service.reorder(release, {a.id: (1, 2)})
    assert b.position == 2


def test_text_is_kept_clean(app: Flask) -> None:
    release = make("  A\x00 B\n\tC\x1b[31m ")
    assert release.title == "A B C[31m"
    with transaction():
        service.update_release(release, title="x" * 999, description=" one\r\ntwo\x07 ", title_zh=" ")
    assert len(release.title) == 300
    assert release.description == "one\ntwo"
    assert release.title_zh is None
    with pytest.raises(service.Incomplete):
        service.update_release(release, title=" ")
