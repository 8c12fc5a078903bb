"""How often something may be tried: a window that slides, the same for all processes, and when to come back."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import letters

from app.accounts import limits, service
from app.accounts.limits import Limit, TooMany
from app.core import clock
from app.core.db import db, transaction

PASSWORD = "a quiet harbour"
FEW = Limit("few", 3, 5, 600)


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[timedelta]:
    """A clock that stands; add to it, and it is ahead by so much."""
    ahead: list[timedelta] = []
    began = clock.now()

    def now() -> datetime:
        return began + sum(ahead, timedelta())

    monkeypatch.setattr(clock, "now", now)
    return ahead


def tried(account: str | None, address: str | None, scale: int = 1) -> int:
    """In how many seconds it may be tried again; 0 where it may be now."""
    try:
        with transaction():
            limits.note(FEW, account=account, address=address, scale=scale)
    except TooMany as error:
        return error.retry_after
    return 0


def test_the_window_slides(app: Flask, moved: list[timedelta]) -> None:
    assert tried("ada", None) == 0
    moved.append(timedelta(seconds=200))
    assert [tried("ada", None), tried("ada", None)] == [0, 0]
    assert 398 <= tried("ada", None) <= 400
    assert limits.tries(FEW, account="ada") == 3, "a try that is refused does not count"
    moved.append(timedelta(seconds=401))
    assert tried("ada", None) == 0
    assert 198 <= tried("ada", None) <= 200
    assert tried("bo", None) == 0, "each account for itself"


def test_one_network_address_tries_many_accounts_in_vain(app: Flask) -> None:
    assert [tried(f"person{number}", "192.0.2.1") for number in range(6)][:5] == [0] * 5
    assert tried("another", "192.0.2.1") > 0
    assert tried("another", "192.0.2.2") == 0
    assert [tried(None, f"2001:db8::{number}") for number in range(1, 6)] == [0] * 5
    assert tried(None, "2001:db8::ffff") > 0, "an IPv6 customer has a whole /64"
    assert tried(None, "2001:db8:0:1::1") == 0
    assert [tried(None, "198.51.100.1", scale=2) for _ in range(10)] == [0] * 10
    assert tried(None, "::ffff:198.51.100.1") > 0, "the same address, written as IPv6"


def test_of_many_at_once_no_more_get_through_than_may(app: Flask) -> None:
    through: list[int] = []

    def work() -> None:
        with app.app_context():
            for _ in range(4):
                through.append(tried("ada", "192.0.2.1"))
            db.session.remove()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(through) == 24
    assert through.count(0) == 3


def test_guessing_a_password_ends_in_a_pause_that_is_named(
    app: Flask, client: FlaskClient, moved: list[timedelta]
) -> None:
    with transaction():
        service.register("ada@example.org", PASSWORD, "Ada")

    def sign_in(email: str, password: str) -> int:
        return client.post("/sign-in", data={"email": email, "password": password}).status_code

    for email in ("ada@example.org", "nobody@example.org"):
        assert [sign_in(email, f"guess number {number}") for number in range(10)] == [422] * 10
        answer = client.post("/sign-in", data={"email": email.upper(), "password": PASSWORD})
        assert answer.status_code == 429, "known or not, and the right password, too"
        assert 0 < int(answer.headers["Retry-After"]) <= 900
        assert "That was tried too often. Try again in 15 minutes." in answer.text
    moved.append(timedelta(minutes=15, seconds=1))
    assert sign_in("ada@example.org", PASSWORD) == 303
    assert limits.tries(limits.SIGN_IN, account="ada@example.org") == 0, "who is in starts afresh"


def test_no_mailbox_is_flooded(client: FlaskClient) -> None:
    with letters.collected() as told:
        answers = [client.post("/sign-up", data={"email": "ada@example.org"}).status_code for _ in range(4)]
        answers += [client.post("/password", data={"email": "ada@example.org"}).status_code for _ in range(3)]
    assert answers == [200] * 5 + [429] * 2
    assert len(told) == 5


def test_links_are_not_guessed(client: FlaskClient) -> None:
    answers = [client.post(f"/password/{'x' * 43}", data={"password": PASSWORD}).status_code for _ in range(61)]
    assert answers == [404] * 60 + [429]


def test_tries_are_forgotten(app: Flask, moved: list[timedelta]) -> None:
    assert tried("ada", "192.0.2.1") == 0
    moved.append(timedelta(days=2))
    with transaction():
        assert limits.forget(clock.now() - timedelta(days=1)) == 2
