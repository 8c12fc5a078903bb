"""Whether this process could serve a request now: what it asks the database and the store, and what is wrong."""

from __future__ import annotations

import logging
from functools import cache

import psycopg
from alembic.script import ScriptDirectory

from app.core import migrate
from app.settings import Settings
from media_store.errors import StoreError
from media_store.s3 import S3Store

OK = "ok"
_SECONDS = 2

log = logging.getLogger("wavecrate.health")


def readiness(settings: Settings, store: S3Store) -> dict[str, str]:
    """What serving takes (database, migrations, store): "ok", or what is wrong and what to look at.

    Answers within a few seconds whatever hangs, on connections of its own. The words are for anybody's eyes; what
    the engines themselves said goes to the log.
    """
    database, migrations = _database(settings)
    return {"database": database, "migrations": migrations, "store": _store(store)}


def _database(settings: Settings) -> tuple[str, str]:
    try:
        with psycopg.connect(
            settings.libpq_url, connect_timeout=_SECONDS, options=f"-c statement_timeout={_SECONDS * 1000}"
        ) as connection:
            found = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
            row = (
                connection.execute("SELECT version_num FROM alembic_version").fetchone() if found and found[0] else None
            )
    except psycopg.Error as error:
        log.warning("not ready, the database: %s", error)
        return "cannot be reached: look at DATABASE_URL and at the server", "unknown"
    return OK, _migrations(row[0] if row else None)


def _migrations(revision: str | None) -> str:
    """The schema may be newer than this code, never older: during an upgrade it is migrated before the code changes."""
    head, known = _revisions()
    if revision == head or (revision is not None and revision not in known):
        return OK
    return f"the schema is at {revision or 'nothing'}, this code needs {head}: run `wavecrate migrate`"


@cache
def _revisions() -> tuple[str | None, frozenset[str]]:
    scripts = ScriptDirectory.from_config(migrate.config("postgresql+psycopg://"))
    return scripts.get_current_head(), frozenset(each.revision for each in scripts.walk_revisions())


def _store(store: S3Store) -> str:
    try:
        store.check()
    except StoreError as error:
        log.warning("not ready, the store: %s", error)
        return "cannot be used: look at S3_ENDPOINT_URL, its keys and the bucket"
    return OK
