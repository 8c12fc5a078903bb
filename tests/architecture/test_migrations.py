"""Migrations go up, down and up again, with rows in the tables, and agree with the models."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command
from flask import Flask
from support import rows

from app.core import migrate
from app.core.db import db
from app.discovery import service as discovery
from app.discovery.models import EventKind
from app.settings import Settings


def _tables(settings: Settings) -> set[str]:
    with psycopg.connect(settings.libpq_url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return {name for (name,) in rows}


def test_models_and_migrations_agree(settings: Settings) -> None:
    command.check(migrate.config(settings.sqlalchemy_url))


def test_down_leaves_nothing_and_up_brings_everything_back(settings: Settings) -> None:
    before = _tables(settings)
    with psycopg.connect(settings.libpq_url) as connection:
        connection.execute(
            "INSERT INTO account (id, email, name, password_hash, role, second_factor, created_at)"
            " VALUES ('bcdfghjkmnpqrstv', 'a@example.org', 'A', 'x', 'customer', false, now())"
        )
        connection.execute("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('default', 'nothing')")
    migrate.downgrade(settings.sqlalchemy_url, "base")
    assert _tables(settings) == {"alembic_version"}
    migrate.upgrade(settings.sqlalchemy_url)
    assert _tables(settings) == before


def test_plays_from_before_anybody_was_asked_wait_for_an_answer(app: Flask, settings: Settings) -> None:
    listener, buyer, release = rows.account(), rows.account(), rows.release()
    for person, kind in ((listener, "view"), (listener, "dismiss"), (buyer, "purchase")):
        discovery.record(person.id, release.id, EventKind(kind))
    db.session.commit()
    db.session.remove()
    db.engine.dispose()
    migrate.downgrade(settings.sqlalchemy_url, "0013")
    migrate.upgrade(settings.sqlalchemy_url)
    with psycopg.connect(settings.libpq_url) as connection:
        assert connection.execute("SELECT account_id, mode, listening FROM taste").fetchall() == [
            (listener.id, "on", None)
        ]
        kinds = connection.execute("SELECT kind FROM event ORDER BY id").fetchall()
        assert kinds == [("view",), ("purchase",)]  # what there was no word for is lost on the way down


@pytest.mark.parametrize("revision", ["0001"])
def test_each_step_down_can_be_taken_up_again_with_data_kept(settings: Settings, revision: str) -> None:
    with psycopg.connect(settings.libpq_url) as connection:
        connection.execute("INSERT INTO label (id, name, created_at) VALUES ('bcdfghjkmnpqrstv', 'L', now())")
    migrate.downgrade(settings.sqlalchemy_url, revision)
    migrate.upgrade(settings.sqlalchemy_url)
    with psycopg.connect(settings.libpq_url) as connection:
        assert connection.execute("SELECT name FROM label").fetchall() == [("L",)]
