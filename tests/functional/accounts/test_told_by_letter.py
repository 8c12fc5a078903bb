"""What accounts have to tell arrives: a letter of the right kind, in the right language, that leads where it should."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from support import rows
from support.drain import drain

from app.accounts import factors, leaving, registration, service, sessions
from app.accounts.models import Account
from app.accounts.notices import Notice
from app.core import queue
from app.core.db import db, transaction
from app.letters import service as letters
from app.letters.kinds import KINDS
from app.letters.models import Letter, LetterState
from app.settings import Settings

PASSWORD = "a quiet harbour"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
LATER = CHROME.replace("140", "141")
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile Safari/604.1"


@pytest.fixture
def ada(app: Flask) -> Account:
    with transaction():
        return service.register("ada@example.org", PASSWORD, "Ada", locale="zh_Hans")


def sent(app: Flask, settings: Settings) -> list[Letter]:
    """Every letter, the oldest first, put into words by a worker."""
    db.session.rollback()
    drain(app, settings, "app.letters.tasks", queue_name=queue.LETTERS)
    db.session.expire_all()
    found = list(db.session.scalars(select(Letter).order_by(Letter.created_at, Letter.id)))
    assert [one.error for one in found if one.state != LetterState.SENT] == []
    return found


def test_every_notice_is_a_kind_of_letter() -> None:
    assert {str(notice) for notice in Notice} <= set(KINDS)
    opens = {Notice.REGISTER, Notice.ALREADY_REGISTERED, Notice.RESET, Notice.UNKNOWN, Notice.CHANGE_EMAIL}
    assert {notice for notice in Notice if KINDS[notice].secret} == opens


def test_an_account_is_made_by_what_the_letter_says(app: Flask, client: FlaskClient, settings: Settings) -> None:
    client.post("/sign-up", data={"email": "ada@example.org", "next": "/cart"}, headers={"Accept-Language": "zh-CN"})
    [letter] = sent(app, settings)
    assert (letter.kind, letter.to_address, letter.locale, letter.account_id) == (
        "register",
        "ada@example.org",
        "zh_Hans",
        None,
    )
    found = re.search(r"http://\S+", letter.text or "")
    assert found is not None
    parts = urlsplit(found[0])
    done = client.post(f"{parts.path}?{parts.query}", data={"name": "Ada", "password": PASSWORD})
    assert (done.status_code, done.location) == (303, "/cart")


def test_everything_that_happens_to_an_account_is_told(app: Flask, ada: Account, settings: Settings) -> None:
    rows.account("Kay").email = "kay@example.org"
    db.session.commit()
    with transaction():
        registration.ask_for_account("ada@example.org", locale="en")
        registration.ask_for_password("ada@example.org", locale="en")
        registration.ask_for_password("nobody@example.org", locale="en")
        registration.ask_for_new_email(ada, "new@example.org")
        registration.ask_for_new_email(ada, "kay@example.org")
        service.change_password(ada, PASSWORD)
        for what in ("totp", "passkey"):
            factors._added(ada, what)
            factors._removed(ada, what)
        service.tell(ada, Notice.EMAIL_CHANGED, to="old@example.org", new_email=ada.email)
        leaving.close(ada)
    told = {letter.kind: letter for letter in sent(app, settings)}
    assert set(told) == {str(notice) for notice in Notice} - {Notice.REGISTER, Notice.NEW_SIGN_IN}
    assert {letter.locale for kind, letter in told.items() if kind != Notice.UNKNOWN} == {"zh_Hans"}
    assert told[Notice.UNKNOWN].locale == "en"
    for letter in told.values():
        assert letter.subject
        assert "127.0.0.1:8000" in (letter.text or "")
    for kind in (Notice.CHANGE_EMAIL, Notice.EMAIL_IN_USE):
        assert told[kind].account_id is None, "who asks for their data must not learn whose address it was"
    assert "Ada" not in (told[Notice.EMAIL_IN_USE].text or "")


def test_the_same_thing_is_told_once(app: Flask, ada: Account, settings: Settings) -> None:
    for _time in range(2):
        with transaction():
            service.tell(ada, Notice.CLOSED, key=ada.id)
    assert len(sent(app, settings)) == 1


def sign_in(app: Flask, user_agent: str) -> None:
    answer = app.test_client().post(
        "/sign-in", data={"email": "ada@example.org", "password": PASSWORD}, headers={"User-Agent": user_agent}
    )
    assert answer.status_code == 303


def test_a_sign_in_from_a_device_that_was_not_seen_before_is_told(app: Flask, ada: Account, settings: Settings) -> None:
    for user_agent in (CHROME, CHROME, LATER):
        sign_in(app, user_agent)
    assert sent(app, settings) == [], "the first device is how they came in, and a newer browser is the same one"
    for _time in range(2):
        sign_in(app, PHONE)
    [letter] = sent(app, settings)
    assert (letter.kind, letter.to_address) == ("new_sign_in", "ada@example.org")
    assert "iPhone" in (letter.text or "")
    assert "127.0.0.1\n" in (letter.text or "")
    assert "/account/devices" in (letter.text or "")


def test_half_a_sign_in_makes_no_device_known(app: Flask, ada: Account, settings: Settings) -> None:
    sign_in(app, CHROME)
    with transaction():
        service.by_email("ada@example.org").second_factor = True  # type: ignore[union-attr]
    sign_in(app, PHONE)
    db.session.expire_all()
    account = service.by_email("ada@example.org")
    assert account is not None
    assert sessions.user_agents(account) == set()


def test_of_who_has_gone_not_even_the_address_stays(app: Flask, ada: Account, settings: Settings) -> None:
    with transaction():
        leaving.close(ada)
    [letter] = sent(app, settings)
    assert letter.to_address == "ada@example.org", "a folder is read: there it stays"
    letter.state, letter.sent_at = LetterState.QUEUED, None
    db.session.commit()
    with transaction():
        letters.sent(letter)
    assert (letter.to_address, letter.subject, letter.text, letter.context) == ("", None, None, {})
