"""What a test stands on: a database of its own on the servers that all share, settings for it, the shop in-process."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType
from typing import Any

import psycopg
from argon2 import PasswordHasher
from flask import Flask, g, has_app_context
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import Dialect, Engine
from werkzeug.routing import Rule

from app.accounts import passwords
from app.core.db import db
from app.engines.postgres import Postgres
from app.engines.s3 import SeaweedFS
from app.factory import create_app
from app.settings import Settings

TEMPLATE = "wavecrate_template"
numbers = itertools.count(1)


@dataclass
class Engines:
    """The servers every test shares."""

    postgres: Postgres
    s3: SeaweedFS
    template: str = TEMPLATE


@contextmanager
def database(engines: Engines) -> Iterator[str]:
    """A migrated, empty database, for as long as it is needed; its address."""
    name = f"test_{next(numbers)}"
    with psycopg.connect(engines.postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    yield engines.postgres.url(name)
    with psycopg.connect(engines.postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Browser(FlaskClient):
    """A client whose every request starts afresh: with the test's own context open, Flask would keep `g`, and with
    it the person and the language of the request before."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        if has_app_context():
            for name in list(g):
                g.pop(name)
        return super().open(*args, **kwargs)


# Every test has a shop of its own, and what is the same in all of them is made once in a process: what statements,
# templates and addresses compile to is most of what a short test costs.
_compiled: dict[Any, Any] = {}
_dialects: list[Dialect] = []
_builders: dict[Any, Any] = {}
_compile_builder = Rule._compile_builder


def _shared_builder(rule: Rule, append_unknown: bool = True) -> Any:
    key = tuple(rule._trace), append_unknown, tuple((rule.defaults or {}).items())
    if key not in _builders:
        _builders[key] = _compile_builder(rule, append_unknown)
    return _builders[key]


Rule._compile_builder = _shared_builder


class _Templates(BytecodeCache):
    """Compiled templates, kept in memory."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self._codes[bucket.key, bucket.checksum] = bucket.code


_templates = _Templates()
# Passwords are hashed by argon2id, with little of the work that the shop makes of it.
SHOPS_HASHER, passwords._hasher = passwords._hasher, PasswordHasher(time_cost=1, memory_cost=512, parallelism=1)


def _share_compiled(engine: Engine) -> None:
    if not _dialects:
        engine.connect().close()  # a dialect learns at its first connection what its server can do
        _dialects.append(engine.dialect)
    engine.dialect = _dialects[0]  # part of what a compiled statement is kept under
    engine.update_execution_options(compiled_cache=_compiled)


@contextmanager
def opened(settings: Settings) -> Iterator[Flask]:
    """The shop on those settings, with an application context open; forms need no token."""
    made = create_app(settings)
    made.config["WTF_CSRF_ENABLED"] = False
    made.test_client_class = Browser
    made.jinja_env.bytecode_cache = _templates
    with made.app_context():
        _share_compiled(db.engine)
        yield made
        db.session.remove()
        db.engine.dispose()


def settings_on(database_url: str, s3: SeaweedFS, *, prefix: str) -> Settings:
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
