"""Down from this schema and up again, with offers of every kind in the tables."""

from __future__ import annotations

import psycopg
from alembic.script import ScriptDirectory

from app.core import migrate
from app.settings import Settings

_ROWS = """
INSERT INTO artist (id, name, created_at) VALUES ('a', 'Mira Sol', now());
INSERT INTO release (id, title, artist_id, kind, status, publish_when_ready, created_at)
    VALUES ('r1', 'One', 'a', 'audio', 'draft', false, now()), ('r2', 'Two', 'a', 'audio', 'draft', false, now());
INSERT INTO offer (id, kind, release_id, price_minor, currency, open_price, rental_days, rental_hours, title, active,
    created_at)
VALUES
    ('plain', 'buy', 'r1', 990, 'EUR', false, NULL, NULL, NULL, true, now()),
    ('free', 'buy', 'r2', 0, 'EUR', false, NULL, NULL, NULL, true, now()),
    ('lent', 'rental', 'r1', 390, 'EUR', false, 30, 48, NULL, true, now()),
    ('both', 'bundle', NULL, 1500, 'EUR', true, NULL, NULL, 'Both', true, now());
INSERT INTO bundled_release (offer_id, release_id, position) VALUES ('both', 'r2', 1), ('both', 'r1', 2);
INSERT INTO price (offer_id, currency, minor) VALUES ('plain', 'USD', 1090);
"""
_OFFERS = "SELECT id, release_id, price_minor, active FROM offer ORDER BY id"


def _before(settings: Settings) -> str:
    script = ScriptDirectory.from_config(migrate.config(settings.sqlalchemy_url))
    before = script.get_revision("0011").down_revision
    assert isinstance(before, str)
    return before


def test_down_keeps_what_can_still_be_sold_and_retires_the_rest(settings: Settings) -> None:
    with psycopg.connect(settings.libpq_url) as connection:
        connection.execute(_ROWS)
    migrate.downgrade(settings.sqlalchemy_url, _before(settings))
    kept = [
        ("both", "r2", 1500, False),
        ("free", "r2", 1, False),
        ("lent", "r1", 390, False),
        ("plain", "r1", 990, True),
    ]
    with psycopg.connect(settings.libpq_url) as connection:
        assert connection.execute(_OFFERS).fetchall() == kept
    migrate.upgrade(settings.sqlalchemy_url)
    with psycopg.connect(settings.libpq_url) as connection:
        assert connection.execute(_OFFERS).fetchall() == kept
        assert connection.execute("SELECT DISTINCT kind FROM offer").fetchall() == [("buy",)]


def test_up_leaves_one_price_a_thing_the_newest(settings: Settings) -> None:
    migrate.downgrade(settings.sqlalchemy_url, _before(settings))
    with psycopg.connect(settings.libpq_url) as connection:
        connection.execute(
            "INSERT INTO artist (id, name, created_at) VALUES ('a', 'Mira Sol', now());"
            "INSERT INTO release (id, title, artist_id, kind, status, publish_when_ready, created_at)"
            " VALUES ('r1', 'One', 'a', 'audio', 'draft', false, now());"
            "INSERT INTO offer (id, release_id, price_minor, currency, active, created_at)"
            " VALUES ('old', 'r1', 990, 'EUR', true, now() - interval '1 day'), ('new', 'r1', 1090, 'USD', true, now())"
        )
    migrate.upgrade(settings.sqlalchemy_url)
    with psycopg.connect(settings.libpq_url) as connection:
        assert connection.execute(_OFFERS).fetchall() == [("new", "r1", 1090, True), ("old", "r1", 990, False)]
