"""The second factor: six digits, recovery codes, and that staff get nowhere without one. Passkeys: tests/browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from html import unescape

import pyotp
import pytest
import segno
from cryptography.fernet import Fernet
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import select, text, update
from support import letters, rows
from support.ground import opened
from support.shop import offer

from app.accounts import factors, service, sessions
from app.accounts.models import Account, AccountSession, RecoveryCode, Role, Totp
from app.accounts.notices import Notice
from app.core import clock
from app.core.db import db, transaction
from app.settings import Settings

PASSWORD = "a quiet harbour"


@pytest.fixture
def ada(app: Flask) -> Account:
    with transaction():
        return service.register("ada@example.org", PASSWORD, "Ada")


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[timedelta]:
    """A clock that stands; add to it, and it is ahead by so much."""
    ahead: list[timedelta] = []
    began = clock.now()

    def now() -> datetime:
        return began + sum(ahead, timedelta())

    monkeypatch.setattr(clock, "now", now)
    return ahead


def code_of(account: Account) -> str:
    """What the person's app shows now."""
    held = factors.totp(account.id)
    assert held is not None
    return pyotp.TOTP(factors.secret_of(held)).at(int(clock.now().timestamp()))


def sign_in(client: FlaskClient, account: Account, **more: str) -> str | None:
    answer = client.post("/sign-in", data={"email": account.email, "password": PASSWORD, **more})
    assert answer.status_code == 303
    return answer.location


def with_app(client: FlaskClient, account: Account) -> list[str]:
    """Add an app by the pages; the recovery codes."""
    assert client.post("/account/second-factor/app").status_code == 303
    page = client.get("/account/second-factor").text
    secret = re.search(r'id="totp-secret">([A-Z2-7]{32})<', page)
    assert secret is not None
    assert f"secret={secret[1]}" in page
    address = re.search(r'href="(otpauth://[^"]+)"', page)
    assert address is not None
    drawn = segno.make(unescape(address[1]), error="m", micro=False)
    assert drawn.svg_inline(scale=4, border=4, dark="#000", light="#fff") in page
    shown = client.post("/account/second-factor/app/confirm", data={"code": code_of(account)})
    assert shown.headers["Cache-Control"] == "no-store"
    codes = re.findall(r"<code>([0-9a-z]{4}(?:-[0-9a-z]{4}){3})</code>", shown.text)
    assert len(set(codes)) == 10
    return codes


def test_with_an_app_a_password_alone_opens_nothing(
    app: Flask, client: FlaskClient, ada: Account, moved: list[timedelta]
) -> None:
    sign_in(client, ada)
    with letters.collected() as told:
        with_app(client, ada)
    assert [one.notice for one in told] == [Notice.SECOND_FACTOR_CHANGED]
    assert client.get("/orders").status_code == 200, "this session has just shown it"
    other = app.test_client()
    assert sign_in(other, ada, next="/orders") == "/sign-in/second?next=/orders"
    assert other.get("/orders").status_code == 302
    assert other.get("/account/second-factor").status_code == 302
    wrong = other.post("/sign-in/second", data={"code": "000000"})
    assert wrong.status_code == 422
    assert "does not open the account" in wrong.text
    moved.append(timedelta(seconds=60))
    right = other.post("/sign-in/second", data={"code": code_of(ada), "next": "/orders"})
    assert (right.status_code, right.location) == (303, "/orders")
    assert other.get("/orders").status_code == 200


def test_a_code_opens_once_and_the_step_beside_it_too(
    app: Flask, client: FlaskClient, ada: Account, moved: list[timedelta]
) -> None:
    sign_in(client, ada)
    with_app(client, ada)
    used = code_of(ada)
    assert not factors.check_code(ada, used), "it was used to confirm the app"
    moved.append(timedelta(seconds=90))
    late, present = code_of(ada), code_of(ada)
    moved.append(timedelta(seconds=30))
    assert factors.check_code(ada, late), "a clock may be half a minute off"
    assert not factors.check_code(ada, present)
    moved.append(timedelta(seconds=300))
    assert factors.check_code(ada, f" {code_of(ada)[:3]} {code_of(ada)[3:]} ")
    for nonsense in ("", "12345", "abcdef", "０１２３４５", "x" * 1000, "\0"):
        assert not factors.check_code(ada, nonsense)


def test_a_recovery_code_opens_once_and_new_ones_end_the_old(app: Flask, client: FlaskClient, ada: Account) -> None:
    sign_in(client, ada)
    codes = with_app(client, ada)
    held = db.session.scalars(select(RecoveryCode)).all()
    assert not [one for one in held for code in codes if code.replace("-", "").encode() in one.code_hash]
    for attempt, expected in ((1, 303), (2, 422)):
        other = app.test_client()
        sign_in(other, ada)
        answer = other.post("/sign-in/second", data={"code": codes[0].upper()})
        assert answer.status_code == expected, attempt
    assert factors.codes_left(ada.id) == 9
    assert "9 codes are unused." in client.get("/account/second-factor").text
    fresh = client.post("/account/second-factor/codes").text
    assert factors.codes_left(ada.id) == 10
    assert codes[1] not in fresh
    assert not factors.check_code(ada, codes[1])


def test_half_a_sign_in_ends_after_ten_minutes_and_at_any_sign_of_it_going_wrong(
    app: Flask, client: FlaskClient, ada: Account, moved: list[timedelta]
) -> None:
    sign_in(client, ada)
    with_app(client, ada)
    slow = app.test_client()
    sign_in(slow, ada)
    moved.append(timedelta(minutes=11))
    answer = slow.post("/sign-in/second", data={"code": code_of(ada)})
    assert answer.status_code == 403
    assert "Sign in once more" in answer.text
    assert app.test_client().get("/sign-in/second").status_code == 403


def test_codes_are_not_guessed(app: Flask, client: FlaskClient, ada: Account, moved: list[timedelta]) -> None:
    sign_in(client, ada)
    with_app(client, ada)
    thief = app.test_client()
    sign_in(thief, ada)
    answers = [thief.post("/sign-in/second", data={"code": f"{number:06}"}).status_code for number in range(9)]
    assert answers == [422] * 8 + [429]
    moved.append(timedelta(minutes=5))
    assert thief.post("/sign-in/second", data={"code": code_of(ada)}).status_code == 429, "nor by who knows it now"


def test_the_guests_cart_comes_along_only_with_the_whole_sign_in(app: Flask, client: FlaskClient, ada: Account) -> None:
    sign_in(client, ada)
    codes = with_app(client, ada)
    sold = offer(release=rows.release("Tides"))
    guest = app.test_client()
    guest.post("/cart/items", data={"offer_id": sold.id})
    sign_in(guest, ada)
    assert "Tides" in guest.get("/cart").text, "still the guest's"
    assert "Tides" not in client.get("/cart").text
    guest.post("/sign-in/second", data={"code": codes[0]})
    assert "Tides" in guest.get("/cart").text
    assert "Tides" in client.get("/cart").text


def test_what_is_removed_counts_no_longer(app: Flask, client: FlaskClient, ada: Account) -> None:
    sign_in(client, ada)
    with_app(client, ada)
    assert client.post("/account/second-factor/app/remove").status_code == 303
    assert factors.codes_left(ada.id) == 0
    assert sign_in(app.test_client(), ada) == "/"


def test_a_change_of_factors_asks_for_the_password_first(client: FlaskClient, ada: Account) -> None:
    sign_in(client, ada)
    [present] = sessions.of_account(ada.id)
    present.proved_at = clock.now() - timedelta(minutes=16)
    db.session.commit()
    there = "/account/prove?next=/account/second-factor"
    for path in ("app", "app/confirm", "app/remove", "codes", "passkey/none/remove"):
        assert client.post(f"/account/second-factor/{path}", data={"code": "123456"}).location == there
    assert client.get("/account/second-factor").location == there
    for path in ("passkey", "passkey/options"):
        assert client.post(f"/account/second-factor/{path}", json={}).status_code == 403
    assert not ada.second_factor


def test_a_passkey_that_was_made_up_is_refused(client: FlaskClient, ada: Account) -> None:
    sign_in(client, ada)
    options = client.post("/account/second-factor/passkey/options", json={}).get_json()
    assert options["rp"]["id"] == "localhost"
    assert options["user"]["name"] == "ada@example.org"
    for answer in ({}, {"id": "x", "rawId": "eA", "type": "public-key", "response": {}}, {"rawId": 5}):
        refused = client.post("/account/second-factor/passkey", json=answer)
        assert refused.status_code == 400
    assert not ada.second_factor


@pytest.fixture
def strict(settings: Settings) -> Iterator[Flask]:
    """The shop as it is in production: staff need a second factor."""
    with opened(settings.model_copy(update={"staff_second_factor": "required"})) as made:
        yield made


def test_staff_get_only_the_page_that_gives_them_a_second_factor(strict: Flask) -> None:
    with transaction():
        boss = service.register("bo@example.org", PASSWORD, "Bo", role=Role.ADMIN)
    client = strict.test_client()
    client.post("/sign-in", data={"email": boss.email, "password": PASSWORD})
    for path in ("/studio", "/staff/people", "/staff/audit", "/orders", "/account"):
        assert client.get(path).location == "/account/second-factor"
    assert client.get("/staff/people", headers={"Accept": "application/json"}).status_code == 403
    assert client.get("/browse").status_code == 200
    assert client.get("/account/second-factor").status_code == 200


def test_production_does_not_let_staff_in_without(settings: Settings) -> None:
    live = {
        "environment": "production",
        "base_url": "https://shop.example",
        "stripe_secret_key": "sk_live_0123456789",
        "mail_url": "smtp://mail.shop.example",
        "mail_from": "shop@shop.example",
        "seller_name": "Shop Ltd",
        "seller_address": "1 Quay | Bergen",
    }
    with pytest.raises(ValueError, match="STAFF_SECOND_FACTOR must be required in production"):
        Settings.model_validate(settings.model_dump() | live)
    assert Settings.model_validate(settings.model_dump() | live | {"staff_second_factor": "required"})


def test_a_session_begun_before_the_factor_does_not_go_on_without_it(
    app: Flask, client: FlaskClient, ada: Account
) -> None:
    elsewhere = app.test_client()
    sign_in(elsewhere, ada)
    sign_in(client, ada)
    with_app(client, ada)
    assert elsewhere.get("/orders").status_code == 302
    assert db.session.scalars(select(AccountSession)).all()


def test_a_copy_of_the_database_opens_no_second_factor(app: Flask, client: FlaskClient, ada: Account) -> None:
    sign_in(client, ada)
    with_app(client, ada)

    held = factors.totp(ada.id)
    assert held is not None
    kept = db.session.execute(text("SELECT secret FROM account_totp")).scalar_one()
    assert factors.secret_of(held) not in kept
    assert len(factors.secret_of(held)) == 32


def test_a_new_secret_key_takes_the_apps_over(
    app: Flask, client: FlaskClient, ada: Account, moved: list[timedelta]
) -> None:
    """The key before still opens; the nightly round seals anew, also what was kept before secrets were sealed."""
    sign_in(client, ada)
    with_app(client, ada)
    held = factors.totp(ada.id)
    assert held is not None
    secret = factors.secret_of(held)
    old = app.extensions["settings"]
    both = old.model_copy(update={"secret_key": SecretStr("b" * 32), "secret_key_previous": old.secret_key})
    only = old.model_copy(update={"secret_key": SecretStr("b" * 32), "secret_key_previous": None})

    app.extensions["settings"] = only
    with transaction():
        assert factors.seal_anew() == 0, "what nothing opens must stay as it is"
    moved.append(timedelta(minutes=5))
    typed = pyotp.TOTP(secret).at(int(clock.now().timestamp()))
    with transaction():
        assert not factors.check_code(ada, typed)
    app.extensions["settings"] = both
    with transaction():
        assert factors.check_code(ada, typed)
    with transaction():
        assert factors.seal_anew() == 1
        assert factors.seal_anew() == 0
    app.extensions["settings"] = only
    held = factors.totp(ada.id)
    assert held is not None
    assert factors.secret_of(held) == secret

    with transaction():
        db.session.execute(update(Totp).values(secret=secret))
    held = factors.totp(ada.id)
    assert held is not None
    assert factors.secret_of(held) == secret
    with transaction():
        assert factors.seal_anew() == 1
    kept = db.session.execute(text("SELECT secret FROM account_totp")).scalar_one()
    assert secret not in kept


def test_an_app_that_was_begun_under_a_lost_key_is_begun_anew(app: Flask, client: FlaskClient, ada: Account) -> None:
    sign_in(client, ada)
    assert client.post("/account/second-factor/app").status_code == 303
    with transaction():
        db.session.execute(update(Totp).values(secret=Fernet(Fernet.generate_key()).encrypt(b"A" * 32).decode()))
    assert "totp-secret" not in client.get("/account/second-factor").text
    with_app(client, ada)
