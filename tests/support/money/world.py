"""One shop and its gateway, in this process, on a database of their own, under one clock."""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import psycopg
from flask import Flask
from support.money import books, gateway, oracle, points, truth
from support.money.carrier import Carrier
from support.money.catalogue import Stock, fill
from support.money.lots import Lots
from support.money.points import Course, Plan
from support.money.timepiece import Timepiece
from support.sandbox import Controls

from app.core.db import db
from app.core.errors import WavecrateError
from app.engines.postgres import Postgres
from app.factory import create_app
from app.payments.sandbox import server
from app.payments.sandbox.bank import Bank
from app.settings import Settings

T = TypeVar("T")

_TEMPLATE, _ANY = "money_template", "ANY"
_numbers = itertools.count(1)


@dataclass
class World:
    """What actions happen to. Pages are those whose address a buyer was told."""

    app: Flask
    sandbox: Flask
    bank: Bank
    time: Timepiece
    stock: Stock
    database: str
    mistakes: list[str]
    befell: Counter[str] = field(default_factory=Counter)
    also: Counter[str] = field(default_factory=Counter)
    lengths: dict[str, list[int]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.carrier = Carrier(self, [], self.befell)
        self.controls = Controls(self.sandbox)

    def act(self, name: str, work: Callable[[], T], plan: Plan | None = None, **gate: Any) -> tuple[Course, T | None]:
        """Do something as a process of the shop's does it: in a context of its own, until it is done or killed.

        What the shop refuses in its own words is an end like any other; any other exception is a mistake and comes out.
        """
        result: T | None = None
        with points.following(plan, **gate) as course, self.app.app_context():
            try:
                result = work()
            except WavecrateError as refusal:
                if course.dead:
                    raise
                self.refused[f"{name}: {type(refusal).__name__}"] += 1
        self._note(name, course)
        return course, result

    def ask(
        self, path: str, body: bytes, headers: dict[str, str], plan: Plan | None = None
    ) -> tuple[Course, int | None]:
        """Post to the shop; the answer's status, or None where it died on the way. A mistake comes out."""
        status: int | None = None
        with points.following(plan) as course:
            answer = self.app.test_client().post(path, data=body, headers=headers, content_type="application/json")
            status = answer.status_code
        self._note(f"POST {path}", course)
        return course, status

    def _note(self, name: str, course: Course) -> None:
        if self.mistakes:
            raise AssertionError("the shop made a mistake:\n" + "\n".join(self.mistakes))
        self.befell.update(course.struck)
        if course.points and not course.dead:
            # How many points such actions came to lately: where the next one is killed is drawn from it.
            self.lengths[name] = [*self.lengths.get(name, [])[-19:], len(course.points)]

    @staticmethod
    def wall() -> int:
        """The machine's own time, by which webhooks are signed."""
        return int(time.time())

    def judge(self, *, at_rest: bool = False) -> oracle.Verdict:
        """What is wrong now."""
        return oracle.judge(books.read(self.database), truth.read(self.bank.state), at_rest=at_rest)

    def truth(self) -> truth.Truth:
        """What the gateway holds now."""
        return truth.read(self.bank.state)


@dataclass
class Ground:
    """A PostgreSQL server with a filled, migrated database to clone, and room for the gateways' files."""

    server: str
    directory: Path
    stock: Stock

    @classmethod
    def lay(cls, postgres: Postgres, directory: Path, migrated: str) -> Ground:
        """Fill a clone of the `migrated` database, once. What comes of it can be handed to another process."""
        made = cls(postgres.url(_ANY), directory, Stock())
        made._admin(f"DROP DATABASE IF EXISTS {_TEMPLATE}", f"CREATE DATABASE {_TEMPLATE} TEMPLATE {migrated}")
        app = create_app(_settings(made._url(_TEMPLATE)))
        with app.app_context(), Lots(0).ruling():
            made.stock = fill()
            db.session.remove()
            db.engine.dispose()
        return made

    @contextmanager
    def world(self, *, seed: int = 0, settle_delay: float = 20.0) -> Iterator[World]:
        """A new shop, gone afterwards."""
        name = f"money_{os.getpid()}_{next(_numbers)}"
        self._admin(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        settings = _settings(self._url(name))
        state = self.directory / f"{name}.sqlite"
        config = server.Config(
            state=state,
            public_url="http://sandbox",
            webhook_url=server.PULL,
            webhook_secret=settings.stripe_webhook_secret.get_secret_value(),
            settle_delay=settle_delay,
        )
        sandbox, app = server.create_sandbox(config), create_app(settings)
        app.config.update(WTF_CSRF_ENABLED=False, PROPAGATE_EXCEPTIONS=True)
        app.extensions["stripe"] = gateway.client(sandbox)
        with app.app_context():
            points.instrument(db.engine)
        bank: Bank = sandbox.extensions["sandbox"]
        piece = Timepiece()
        try:
            with piece.ruling(bank.state), Lots(seed).ruling(), _told() as mistakes:
                yield World(app, sandbox, bank, piece, self.stock, self._url(name), mistakes)
        finally:
            with app.app_context():
                db.engine.dispose()
            bank.state.close()
            for suffix in ("", "-wal", "-shm"):
                state.with_name(state.name + suffix).unlink(missing_ok=True)
            self._admin(f"DROP DATABASE {name} WITH (FORCE)")

    def _url(self, database: str) -> str:
        return self.server.replace(_ANY, database)

    def _admin(self, *statements: str) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True) as admin:
            for each in statements:
                admin.execute(each)  # type: ignore[arg-type]


class _Mistakes(logging.Handler):
    """The shop goes on where one thing of many fails, and logs it; here it is not to be overlooked."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what was logged with an exception."""
        if record.exc_info:
            self.told.append(self.format(record))


@contextmanager
def _told() -> Iterator[list[str]]:
    logger, handler = logging.getLogger("app"), _Mistakes()
    with mock.patch.multiple(logger, propagate=False, level=logging.ERROR, handlers=[handler]):
        logger.manager._clear_cache()  # type: ignore[attr-defined]  # who asked before remembers the former level
        yield handler.told
    logger.manager._clear_cache()  # type: ignore[attr-defined]


def _settings(database_url: str) -> Settings:
    return Settings(
        database_url=database_url,
        s3_endpoint_url="http://127.0.0.1:9",
        s3_access_key="none",
        s3_secret_key="nothing-is-stored-here",
        secret_key="money-secret-key-0123456789",
        signing_secret="money-signing-secret-0123",
        stripe_webhook_secret="whsec_money_0123456789",
        stripe_api_base="http://sandbox",
        staff_second_factor="offered",
        tax_home="DE",
        tax_countries="EU",
    )
