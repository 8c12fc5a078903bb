"""One PostgreSQL and one S3 server for the whole run; a database cloned from a template, and a key prefix, per test.

`script/test` runs the suite in several processes: each has servers of its own, for some tests stop theirs.
"""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask, g, has_app_context
from flask.testing import FlaskClient
from xdist.scheduler import LoadScopeScheduling

# Before anything of ours is imported: a demo running beside the tests must not lend them its settings.
os.environ["WAVECRATE_VAR"] = tempfile.mkdtemp(prefix="wavecrate-test-var-")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from app.core import migrate
from app.core.db import db
from app.core.store import open_store
from app.engines.postgres import Postgres
from app.engines.s3 import SeaweedFS
from app.factory import create_app
from app.settings import Settings
from media_store.s3 import S3Store

atexit.register(shutil.rmtree, os.environ["WAVECRATE_VAR"], ignore_errors=True)

_TEMPLATE = "wavecrate_template"
_numbers = itertools.count(1)


class _WholeFiles(LoadScopeScheduling):
    """Of several processes, one takes all that drives the browser, and every other file goes to one whole: what a
    file's tests share is made once."""

    def _split_scope(self, nodeid: str) -> str:
        return "browser" if nodeid.startswith("tests/browser/") else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """How the tests are shared out among the processes."""
    return _WholeFiles(config, log)


@dataclass
class Engines:
    """The servers every test shares."""

    postgres: Postgres
    s3: SeaweedFS
    template: str = _TEMPLATE


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """Real servers, started once, gone with the run."""
    with tempfile.TemporaryDirectory(prefix="wavecrate-test-") as directory:
        postgres, s3 = Postgres(Path(directory), durable=False), SeaweedFS(Path(directory))
        try:
            postgres.start()
            s3.start()
            postgres.ensure_database(_TEMPLATE)
            migrate.upgrade(_sqlalchemy(postgres.url(_TEMPLATE)))
            _settings(postgres.url(_TEMPLATE), s3, prefix="")  # fails early where a setting is missing
            open_store(_settings(postgres.url(_TEMPLATE), s3, prefix="")).ensure_bucket()
            yield Engines(postgres, s3)
        finally:
            s3.stop()
            postgres.stop()


@pytest.fixture
def database_url(engines: Engines) -> Iterator[str]:
    """A migrated, empty database of the test's own."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(engines.postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
    yield engines.postgres.url(name)
    with psycopg.connect(engines.postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(database_url: str, engines: Engines) -> Settings:
    """Settings on the test's database and a key prefix of its own."""
    return _settings(database_url, engines.s3, prefix=f"t{next(_numbers)}/")


@pytest.fixture
def store(settings: Settings) -> S3Store:
    """The media store under the test's prefix."""
    return open_store(settings)


class Browser(FlaskClient):
    """A client whose every request starts afresh: with the test's own context open, Flask would keep `g`, and with
    it the person and the language of the request before."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        if has_app_context():
            for name in list(g):
                g.pop(name)
        return super().open(*args, **kwargs)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The shop, with an application context open."""
    made = create_app(settings)
    made.config["WTF_CSRF_ENABLED"] = False
    made.test_client_class = Browser
    with made.app_context():
        yield made
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser's worth of cookies, without the browser."""
    return app.test_client()


def _sqlalchemy(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def _settings(database_url: str, s3: SeaweedFS, *, prefix: str) -> Settings:
    return Settings(
        database_url=database_url,
        s3_endpoint_url=s3.endpoint_url,
        s3_access_key=s3.access_key,
        s3_secret_key=s3.secret_key,
        s3_prefix=prefix,
        secret_key="test-secret-key-0123456789",
        signing_secret="test-signing-secret-0123",
        stripe_webhook_secret="whsec_test_0123456789",
        stripe_api_base="http://127.0.0.1:9",
        staff_second_factor="offered",  # tests that are about it ask for "required"
        worker_heartbeat_seconds=0.5,
        worker_stalled_seconds=2.0,
        x264_preset="ultrafast",
    )
