"""Where a release may be sold: one rule, said to the database and in Python; what the catalogue shows by it."""

from __future__ import annotations

import psycopg
import pytest
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from support import rows
from support.shop import offer

from app.catalog import queries, service, territory
from app.catalog.models import Release
from app.catalog.territory import EVERYWHERE, BadTerritory, Territory
from app.core import migrate
from app.core.db import db, transaction
from app.settings import Settings

# What a release says, and where of these it may be sold.
_PLACES = ("DE", "FR", "GP", "JP", None)
_CASES: list[tuple[list[str] | None, bool, set[str | None]]] = [
    (None, False, {"DE", "FR", "GP", "JP", None}),
    (["DE"], False, {"DE", None}),
    (["DE", "JP"], False, {"DE", "JP", None}),
    (["FR"], True, {"DE", "GP", "JP", None}),
    (["DE", "FR", "GP", "JP"], True, {None}),
    (["DE", "FR", "GP", "JP"], False, {"DE", "FR", "GP", "JP", None}),
    (["US"], False, {None}),
    (["US"], True, {"DE", "FR", "GP", "JP", None}),
]


def test_the_condition_and_the_predicate_say_the_same(app: Flask) -> None:
    expected: dict[str, set[str | None]] = {}
    for number, (countries, barred, sold) in enumerate(_CASES):
        made = rows.release(f"Case {number}")
        made.territories, made.territories_barred = countries, barred
        expected[made.id] = sold
    db.session.commit()
    for place in _PLACES:
        found = set(db.session.scalars(select(Release.id).where(territory.sold_in(place))))
        by_hand = {one for one, sold in expected.items() if place in sold}
        every = db.session.scalars(select(Release)).unique()
        in_python = {release.id for release in every if territory.is_sold_in(release, place)}
        assert (found, in_python) == (by_hand, by_hand), place
        turned = set(db.session.scalars(select(Release.id).where(~territory.sold_in(place))))
        assert turned == set(expected) - by_hand, place


def test_a_bundle_is_sold_where_all_that_is_in_it_is(app: Flask) -> None:
    one, two = rows.confine(rows.release("One"), "DE", "FR"), rows.confine(rows.release("Two"), "FR", barred=True)
    both = offer(bundle=[one, two])
    assert territory.offer_is_sold_in(both, "DE")
    assert not territory.offer_is_sold_in(both, "FR")
    assert not territory.offer_is_sold_in(both, "JP")
    assert territory.offer_is_sold_in(both, None)
    assert territory.offer_is_sold_in(offer(track=one.tracks[0]), "FR")
    assert not territory.offer_is_sold_in(offer(release=one, rental_days=30), "JP")


def test_what_is_no_country_or_nowhere_is_refused_in_words(app: Flask) -> None:
    with app.test_request_context():
        with pytest.raises(BadTerritory, match="No country has the code EU, de"):
            Territory(frozenset({"de", "EU", "JP"}))
        with pytest.raises(BadTerritory, match="Name the countries it is sold in"):
            Territory(frozenset(), barred=False)


def test_a_release_is_confined_and_let_go_again(app: Flask) -> None:
    release = rows.release("Tides")
    assert Territory.of(release) == EVERYWHERE
    for wanted, kept in (
        (Territory(frozenset({"JP", "DE"}), barred=False), (["DE", "JP"], False)),
        (Territory(frozenset({"FR"})), (["FR"], True)),
        (EVERYWHERE, (None, False)),
    ):
        with transaction():
            service.update_release(release, territory=wanted)
        db.session.expire_all()
        assert (release.territories, release.territories_barred) == kept
        assert Territory.of(release) == wanted
    with transaction():
        service.update_release(release, title="Renamed")
    assert release.territories is None


@pytest.mark.parametrize(("countries", "barred"), [([], False), (["DE", None], False), (None, True)])
def test_the_database_refuses_what_would_say_nothing(app: Flask, countries: list[str] | None, barred: bool) -> None:
    release = rows.release("Tides")
    release.territories, release.territories_barred = countries, barred
    with pytest.raises(IntegrityError, match="ck_release_territories"):
        db.session.flush()
    db.session.rollback()


def test_the_catalogue_shows_what_is_sold_there(app: Flask) -> None:
    free, german = rows.release("Tides free"), rows.confine(rows.release("Tides german"), "DE")
    free.genre, german.genre = service.ensure_genre("Jazz"), service.ensure_genre("Techno")
    db.session.commit()
    for place, shown in (("DE", [german, free]), (None, [german, free]), ("FR", [free])):
        only = territory.sold_in(place)
        assert queries.newest(5, only=only) == shown
        assert queries.browse(only=only).items == shown
        assert queries.browse(only=only).total == len(shown)
        assert set(queries.search("tides", 5, only=only)) == set(shown)
        assert queries.search("germman", 5, only=only) == ([german] if german in shown else [])
        assert queries.releases_of_artist(free.artist_id, only=only) == shown
        assert [genre.slug for genre in queries.genres(only=only)] == (
            ["jazz", "techno"] if place != "FR" else ["jazz"]
        )


def test_down_takes_what_is_confined_out_of_the_shop_and_up_again_keeps_the_rest(settings: Settings) -> None:
    rows_ = (
        "INSERT INTO artist (id, name, created_at) VALUES ('a', 'Mira Sol', now());"
        "INSERT INTO release (id, title, artist_id, kind, status, published_at, publish_when_ready, created_at,"
        " territories, territories_barred) VALUES"
        " ('free', 'One', 'a', 'audio', 'published', now(), false, now(), NULL, false),"
        " ('de', 'Two', 'a', 'audio', 'published', now(), false, now(), '{DE}', false),"
        " ('not-de', 'Three', 'a', 'audio', 'draft', NULL, true, now(), '{DE}', true)"
    )
    with psycopg.connect(settings.libpq_url) as connection:
        connection.execute(rows_)
    before = ScriptDirectory.from_config(migrate.config(settings.sqlalchemy_url)).get_revision("0019").down_revision
    assert isinstance(before, str)
    migrate.downgrade(settings.sqlalchemy_url, before)
    kept = [("de", "draft", False), ("free", "published", False), ("not-de", "draft", False)]
    told = "SELECT id, status, publish_when_ready FROM release ORDER BY id"
    with psycopg.connect(settings.libpq_url) as connection:
        assert connection.execute(told).fetchall() == kept
    migrate.upgrade(settings.sqlalchemy_url)
    with psycopg.connect(settings.libpq_url) as connection:
        assert connection.execute(told).fetchall() == kept
        assert connection.execute("SELECT DISTINCT territories, territories_barred FROM release").fetchall() == [
            (None, False)
        ]
