"""Coming in by a letter: an account, a new password, a new address; and that asking tells nobody anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select
from support import letters, rows

from app.accounts import passwords, service, sessions, tokens
from app.accounts.models import Account, AccountToken, TokenPurpose
from app.accounts.notices import Notice, Told
from app.audit.models import AuditEntry
from app.core import clock
from app.core.db import db, transaction

PASSWORD, NEW = "a quiet harbour", "nine white boats"


@pytest.fixture
def told() -> Iterator[list[Told]]:
    with letters.collected() as found:
        yield found


@pytest.fixture
def ada(app: Flask) -> Account:
    with transaction():
        return service.register("ada@example.org", PASSWORD, "Ada", locale="zh_Hans")


def sign_in(client: FlaskClient, email: str, password: str) -> bool:
    return client.post("/sign-in", data={"email": email, "password": password}).status_code == 303


def accounts() -> int:
    return db.session.scalar(select(func.count()).select_from(Account)) or 0


def test_a_letter_leads_to_an_account_and_back_to_where_one_was(
    client: FlaskClient, app: Flask, told: list[Told]
) -> None:
    answer = client.post("/sign-up", data={"email": " Ada@Example.org ", "next": "/cart"})
    assert answer.status_code == 200
    assert "We sent an e-mail to ada@example.org" in answer.text
    assert accounts() == 0, "nobody holds an address that is not shown to be theirs"
    [letter] = told
    assert (letter.notice, letter.to, letter.account_id) == (Notice.REGISTER, "ada@example.org", None)
    assert letter.facts["link"].startswith("http://127.0.0.1:8000/welcome/")
    path = letters.path_of(letter)
    page = client.get(path)
    assert "ada@example.org is yours" in page.text
    assert client.get(path).status_code == 200, "looking uses nothing up: mail programs look, too"
    done = client.post(path, data={"name": "Ada", "password": PASSWORD})
    assert (done.status_code, done.location) == (303, "/cart")
    assert "Welcome, Ada." in client.get("/cart").text
    assert client.get("/orders").status_code == 200
    assert client.get(path).status_code == 404
    assert "Ask for a new one" in client.post(path, data={"name": "Eve", "password": PASSWORD}).text
    assert accounts() == 1
    assert sign_in(app.test_client(), "ada@example.org", PASSWORD)


def test_errors_stand_by_their_fields_and_leave_the_link_good(client: FlaskClient, told: list[Told]) -> None:
    assert "This is no e-mail address" in client.post("/sign-up", data={"email": "ada"}).text
    client.post("/sign-up", data={"email": "ada@example.org"})
    path = letters.path_of(told[0])
    bad = client.post(path, data={"name": "", "password": "short"})
    assert bad.status_code == 422
    for message in ("Tell us your name.", "A password has 8 to 200 characters."):
        assert message in bad.text
    common = client.post(path, data={"name": "Ada", "password": "letmein123"[:8]})
    assert common.status_code == 422
    assert "thieves try first" in common.text
    assert client.post(path, data={"name": "Ada", "password": PASSWORD}).status_code == 303


def test_a_newer_letter_and_an_hour_end_the_older_link(app: Flask, client: FlaskClient, told: list[Told]) -> None:
    client.post("/sign-up", data={"email": "ada@example.org"})
    client.post("/sign-up", data={"email": "ada@example.org"})
    first, second = map(letters.path_of, told)
    assert told[0].key != told[1].key
    assert client.get(first).status_code == 404
    assert client.get(second).status_code == 200
    newest = db.session.scalars(select(AccountToken).where(AccountToken.used_at.is_(None))).one()
    assert newest.expires_at - newest.created_at == timedelta(hours=1)
    newest.expires_at = clock.now() - timedelta(seconds=1)
    db.session.commit()
    assert client.get(second).status_code == 404
    assert client.post(second, data={"name": "Ada", "password": PASSWORD}).status_code == 404
    assert accounts() == 0
    with transaction():
        assert tokens.forget(clock.now() - timedelta(hours=2)) == 0
        assert tokens.forget(clock.now()) == 1


@contextmanager
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the shop does meanwhile that takes time: every statement by its first words, every hash and every letter."""
    done: list[str] = []

    def statement(_connection: object, _cursor: object, text: str, *_rest: object) -> None:
        done.append(" ".join(text.split()[:3]))

    def hashing(name: str) -> None:
        real = getattr(PasswordHasher, name)

        def counted(*arguments: object, **more: object) -> object:
            done.append(f"argon2 {name}")
            return real(*arguments, **more)

        monkeypatch.setattr(PasswordHasher, name, counted)

    with letters.collected() as told, monkeypatch.context() as patched:
        monkeypatch = patched
        hashing("hash")
        hashing("verify")
        event.listen(db.engine, "before_cursor_execute", statement)
        try:
            yield done
        finally:
            event.remove(db.engine, "before_cursor_execute", statement)
            done += ["letter"] * len(told)


def without_tokens(page: str) -> str:
    """The page without its CSRF tokens, which carry the second they were made in."""
    return re.sub(r"[\w-]{40,}\.[\w-]{6}\.[\w-]{27}", "TOKEN", page)


@pytest.mark.parametrize(
    ("path", "form"), [("/sign-up", {}), ("/password", {}), ("/sign-in", {"password": "another one"})]
)
def test_known_and_unknown_addresses_get_the_same_answer_after_the_same_work(
    app: Flask, ada: Account, monkeypatch: pytest.MonkeyPatch, path: str, form: dict[str, str]
) -> None:
    passwords.matches(passwords.UNUSABLE, "warm")  # what is made once in a process
    pages, efforts, headers = [], [], []
    for email in ("ada@example.org", "eve@example.org"):
        client = app.test_client()
        client.get(path)
        with work(monkeypatch) as done:
            answer = client.post(path, data={"email": email, **form})
        pages.append(without_tokens(answer.text).replace(email, "E-MAIL"))
        efforts.append(sorted(done))
        headers.append({name for name, _value in answer.headers} | {str(answer.status_code)})
    assert pages[0] == pages[1]
    assert headers[0] == headers[1]
    assert efforts[0] == efforts[1]
    assert len(efforts[0]) > 3


def test_who_has_an_account_is_told_so_by_letter_alone(client: FlaskClient, ada: Account, told: list[Told]) -> None:
    answer = client.post("/sign-up", data={"email": "ADA@example.org"})
    assert "We sent an e-mail to ada@example.org" in answer.text
    [letter] = told
    assert (letter.notice, letter.locale, letter.account_id) == (Notice.ALREADY_REGISTERED, "zh_Hans", ada.id)
    assert letter.facts["name"] == "Ada"
    assert "/password/" in letter.facts["link"]
    client.post("/password", data={"email": "eve@example.org"})
    assert told[-1].notice == Notice.UNKNOWN
    assert "/welcome/" in told[-1].facts["link"]


def test_a_reset_takes_the_password_and_every_session_from_whoever_had_them(
    app: Flask, ada: Account, told: list[Told]
) -> None:
    thief, owner = app.test_client(), app.test_client()
    assert sign_in(thief, ada.email, PASSWORD)
    owner.post("/password", data={"email": ada.email, "next": "/orders"})
    path = letters.path_of(told[0])
    assert told[0].notice == Notice.RESET
    assert "For ada@example.org." in owner.get(path).text
    assert owner.post(path, data={"password": "password1"}).status_code == 422
    done = owner.post(path, data={"password": NEW})
    assert (done.status_code, done.location) == (303, "/sign-in?next=/orders")
    assert thief.get("/orders").status_code == 302
    assert not sign_in(app.test_client(), ada.email, PASSWORD)
    assert sign_in(app.test_client(), ada.email, NEW)
    assert told[-1].notice == Notice.PASSWORD_CHANGED
    assert owner.post(path, data={"password": PASSWORD}).status_code == 404
    assert [entry.action for entry in db.session.scalars(select(AuditEntry))] == ["account.password"]


def test_changing_the_password_keeps_this_device_and_no_other(app: Flask, ada: Account, told: list[Told]) -> None:
    here, there = app.test_client(), app.test_client()
    assert sign_in(here, ada.email, PASSWORD)
    assert sign_in(there, ada.email, PASSWORD)
    there.post("/password", data={"email": ada.email})
    wrong = here.post("/account/password?lang=en", data={"present": "not this one", "password": NEW})
    assert wrong.status_code == 422
    assert "not your present password" in wrong.text
    own = here.post("/account/password?lang=en", data={"present": PASSWORD, "password": ada.email})
    assert "first that anybody would try" in own.text
    assert here.post("/account/password", data={"present": PASSWORD, "password": NEW}).status_code == 303
    assert here.get("/orders").status_code == 200
    assert there.get("/orders").status_code == 302
    assert there.get(letters.path_of(told[0])).status_code == 404, "links that went out end, too"
    assert sign_in(app.test_client(), ada.email, NEW)


def test_a_new_address_is_proved_by_its_owner_and_the_old_one_is_told(
    app: Flask, client: FlaskClient, ada: Account, told: list[Told]
) -> None:
    other = app.test_client()
    assert sign_in(client, ada.email, PASSWORD)
    assert sign_in(other, ada.email, PASSWORD)
    assert "your address already" in client.post("/account/email?lang=en", data={"email": "ADA@example.org"}).text
    assert client.post("/account/email", data={"email": "ada@new.example"}).status_code == 303
    [letter] = told
    assert (letter.notice, letter.to) == (Notice.CHANGE_EMAIL, "ada@new.example")
    assert sign_in(app.test_client(), "ada@example.org", PASSWORD), "nothing has changed yet"
    path = letters.path_of(letter)
    assert "ada@new.example" in client.get(path).text
    assert client.post(path).status_code == 303
    assert client.post(path).status_code == 404
    assert (told[-1].notice, told[-1].to) == (Notice.EMAIL_CHANGED, "ada@example.org")
    assert told[-1].facts["new_email"] == "ada@new.example"
    assert client.get("/orders").status_code == 200
    assert other.get("/orders").status_code == 302
    assert not sign_in(app.test_client(), "ada@example.org", PASSWORD)
    assert sign_in(app.test_client(), "ada@new.example", PASSWORD)


def test_somebody_elses_address_cannot_be_taken_nor_found_out(
    app: Flask, client: FlaskClient, ada: Account, told: list[Told]
) -> None:
    eve = rows.account("Eve")
    rows.sign_in(client, eve)
    taken = client.post("/account/email", data={"email": ada.email}, follow_redirects=True)
    free = client.post("/account/email", data={"email": "free@example.org"}, follow_redirects=True)
    assert without_tokens(taken.text) == without_tokens(free.text)
    assert [letter.notice for letter in told] == [Notice.EMAIL_IN_USE, Notice.CHANGE_EMAIL]
    assert "link" not in told[0].facts
    with transaction():
        service.register("free@example.org", PASSWORD, "Flo")
    late = client.post(letters.path_of(told[1]))
    assert late.status_code == 409
    db.session.refresh(eve)
    assert eve.email != "free@example.org"


def test_the_password_is_asked_for_again_before_what_matters(
    client: FlaskClient, ada: Account, told: list[Told]
) -> None:
    assert sign_in(client, ada.email, PASSWORD)
    [present] = sessions.of_account(ada.id)
    present.proved_at = clock.now() - timedelta(minutes=16)
    db.session.commit()
    asked = client.post("/account/email", data={"email": "ada@new.example"})
    assert asked.location == "/account/prove?next=/account/security"
    assert told == []
    assert client.post("/account/prove", data={"password": "wrong one"}).status_code == 422
    done = client.post("/account/prove", data={"password": PASSWORD, "next": "/account/security"})
    assert (done.status_code, done.location) == (303, "/account/security")
    assert client.post("/account/email", data={"email": "ada@new.example"}).location == "/account/security"
    assert len(told) == 1


def test_a_link_opens_only_what_it_was_made_for(
    app: Flask, client: FlaskClient, ada: Account, told: list[Told]
) -> None:
    client.post("/password", data={"email": ada.email})
    text = letters.path_of(told[0]).rpartition("/")[2]
    for path in (f"/welcome/{text}", f"/account/email/{text}", f"/password/{text[:-1]}", f"/password/{text.upper()}"):
        assert client.get(path).status_code == 404
        assert client.post(path, data={"name": "Eve", "password": NEW}).status_code == 404
    assert tokens.look_at(TokenPurpose.RESET, text).account_id == ada.id
    held = db.session.scalars(select(AccountToken)).one()
    assert text not in str(held.__dict__)


def test_profile_and_address_book(app: Flask, client: FlaskClient, ada: Account) -> None:
    assert sign_in(client, ada.email, PASSWORD)
    client.post("/language", data={"locale": "en"})
    saved = client.post("/account", data={"name": " Ada  L. ", "locale": "en", "currency": "CNY"})
    assert saved.status_code == 303
    db.session.refresh(ada)
    assert (ada.name, ada.locale, ada.currency) == ("Ada L.", "en", "CNY")
    assert client.post("/account", data={"name": "Ada", "locale": "tlh", "currency": "CNY"}).status_code == 422
    assert client.post("/account", data={"name": "Ada", "locale": "en", "currency": "XXQ"}).status_code == 422
    home = {"name": "Ada", "line1": "1 Quay", "city": "Bergen", "postal_code": "5003", "country": "NO"}
    assert client.post("/account/addresses/new", data=home).status_code == 303
    page = client.get("/account/addresses").text
    assert "5003 Bergen" in page
    assert "Norway" in page
    for wrong in ({"country": "ZZ"}, {"city": ""}, {"line1": ""}, {"name": "x" * 121}):
        assert client.post("/account/addresses/new", data=home | wrong).status_code == 422
    address = re.search(r"/account/addresses/(\w{16})/remove", page)
    assert address is not None
    path = f"/account/addresses/{address[1]}"
    assert "Bergen" in client.get(path).text
    assert client.post(path, data=home | {"city": "Oslo"}).status_code == 303
    assert "Oslo" in client.get("/account/addresses").text
    stranger = app.test_client()
    rows.sign_in(stranger, rows.account("Eve"))
    assert stranger.get(path).status_code == 404
    assert stranger.post(path, data=home).status_code == 404
    assert stranger.post(f"{path}/remove").status_code == 404
    assert client.post(f"{path}/remove").status_code == 303
    assert "No addresses yet" in client.get("/account/addresses").text


@pytest.mark.parametrize(
    ("password", "common"),
    [
        ("password", True),
        ("PassWord1", True),
        ("iloveyou", True),
        ("12345678", True),
        ("qwertyuiop", True),
        ("letmein99", True),
        ("monkeymonkey", True),
        ("aaaaaaaaaaaa", True),
        ("abababab", True),
        ("a quiet harbour", False),
        ("xk7-pelican-lorry", False),
    ],
)
def test_the_commonest_passwords_are_refused_however_they_are_dressed(app: Flask, password: str, common: bool) -> None:
    assert passwords.is_common(password) is common
    if common:
        with pytest.raises(service.BadPassword, match="thieves try first"):
            service.register("ada@example.org", password, "Ada")
    for own in ("ada@example.org", "Wavecrate", "Ada Lovelace"):
        with pytest.raises(service.BadPassword):
            passwords.hash_new(own, of=("ada@example.org", "Ada Lovelace"))
