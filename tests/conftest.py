"""One PostgreSQL and one S3 server for the whole run; a database cloned from a template, and a key prefix, per test.

`script/test` runs the suite in several processes: each has servers of its own, for some tests stop theirs.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from xdist.scheduler import LoadScopeScheduling

# Before anything of ours is imported: a demo running beside the tests must not lend them its settings.
os.environ["WAVECRATE_VAR"] = tempfile.mkdtemp(prefix="wavecrate-test-var-")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from support.ground import TEMPLATE, Engines, database, numbers, opened, settings_on

from app.core import migrate
from app.core.store import open_store
from app.engines.postgres import Postgres
from app.engines.s3 import SeaweedFS
from app.settings import Settings
from media_store.s3 import S3Store

atexit.register(shutil.rmtree, os.environ["WAVECRATE_VAR"], ignore_errors=True)


class _WholeFiles(LoadScopeScheduling):
    """Of several processes, one takes all that drives the browser, and every other file goes to one whole: what a
    file's tests share is made once."""

    def _split_scope(self, nodeid: str) -> str:
        return "browser" if nodeid.startswith("tests/browser/") else nodeid.partition("::")[0]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Longer forms of what the suite tells in short."""
    parser.addoption(
        "--every-story",
        action="store_true",
        help="kill the shop at each point of every story of its money, not of some",
    )


# Where minutes go that no second process can share; what begins last should be soon done.
_LONG = ("tests/browser/", "tests/functional/media/", "tests/functional/delivery/", "tests/functional/orders/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first."""
    places = {start: place for place, start in enumerate(_LONG)}
    items.sort(key=lambda item: next((places[each] for each in _LONG if item.nodeid.startswith(each)), len(_LONG)))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """How the tests are shared out among the processes."""
    return _WholeFiles(config, log)


def _memory() -> str | None:
    """Where the databases' files lie: in memory where there is enough, for there a test's database is made in a tenth
    of the time that a disk takes for its thousand small files; None: wherever temporary files do."""
    shared = "/dev/shm"
    enough = 6 * 1024**3
    return shared if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > enough else None


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """Real servers, started once, gone with the run."""
    with (
        tempfile.TemporaryDirectory(prefix="wavecrate-test-") as directory,
        tempfile.TemporaryDirectory(prefix="wavecrate-test-", dir=_memory()) as quick,
    ):
        postgres, s3 = Postgres(Path(quick), durable=False), SeaweedFS(Path(directory))
        try:
            postgres.start()
            s3.start()
            postgres.ensure_database(TEMPLATE)
            migrate.upgrade(_sqlalchemy(postgres.url(TEMPLATE)))
            settings_on(postgres.url(TEMPLATE), s3, prefix="")  # fails early where a setting is missing
            open_store(settings_on(postgres.url(TEMPLATE), s3, prefix="")).ensure_bucket()
            yield Engines(postgres, s3)
        finally:
            s3.stop()
            postgres.stop()


@pytest.fixture
def database_url(engines: Engines) -> Iterator[str]:
    """A migrated, empty database of the test's own."""
    with database(engines) as url:
        yield url


@pytest.fixture
def settings(database_url: str, engines: Engines) -> Settings:
    """Settings on the test's database and a key prefix of its own."""
    return settings_on(database_url, engines.s3, prefix=f"t{next(numbers)}/")


@pytest.fixture
def store(settings: Settings) -> S3Store:
    """The media store under the test's prefix."""
    return open_store(settings)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The shop, with an application context open."""
    with opened(settings) as made:
        yield made


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser's worth of cookies, without the browser."""
    return app.test_client()


def _sqlalchemy(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
