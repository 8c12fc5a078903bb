"""Where one is signed in: rows behind a random token, ended from anywhere, and what a cookie is good for."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from support import rows

from app.accounts import login, service, sessions
from app.accounts.models import Account, AccountSession, Role
from app.audit.models import AuditEntry
from app.core import clock
from app.core.db import db, transaction
from app.factory import create_app
from app.settings import Settings
from media_store.s3 import S3Store

PASSWORD = "a quiet harbour"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile Safari/604.1"


@pytest.fixture
def ada(app: Flask) -> Account:
    with transaction():
        return service.register("ada@example.org", PASSWORD, "Ada")


def sign_in(client: FlaskClient, account: Account, **more: str) -> None:
    answer = client.post("/sign-in", data={"email": account.email, "password": PASSWORD, **more})
    assert answer.status_code == 303, answer.text


def is_in(client: FlaskClient) -> bool:
    return client.get("/orders").status_code == 200


def the_session() -> AccountSession:
    db.session.expire_all()
    return db.session.scalars(select(AccountSession).order_by(AccountSession.created_at.desc())).first()  # type: ignore[return-value]


def test_the_cookie_is_a_random_token_of_which_the_shop_keeps_the_hash(client: FlaskClient, ada: Account) -> None:
    answer = client.post("/sign-in", data={"email": ada.email, "password": PASSWORD})
    [header] = [one for one in answer.headers.getlist("Set-Cookie") if one.startswith("wavecrate-id=")]
    assert "HttpOnly" in header
    assert "SameSite=Lax" in header
    assert "Max-Age" not in header
    cookie = client.get_cookie("wavecrate-id")
    assert cookie is not None
    assert len(cookie.value) >= 43
    row = the_session()
    assert row.token_hash == hashlib.sha256(cookie.value.encode()).digest()
    assert cookie.value not in str(row.__dict__)
    assert is_in(client)


def test_over_https_browsers_are_told_to_take_the_cookie_from_this_host_alone(settings: Settings) -> None:
    secure = create_app(settings.model_copy(update={"base_url": "https://shop.example"}))
    secure.config["WTF_CSRF_ENABLED"] = False
    with secure.app_context():
        with transaction():
            account = service.register("ada@example.org", PASSWORD, "Ada")
        answer = secure.test_client().post(
            "/sign-in", data={"email": account.email, "password": PASSWORD}, base_url="https://shop.example"
        )
        set_here = {one.partition("=")[0]: one for one in answer.headers.getlist("Set-Cookie")}
        assert set(set_here) == {"__Host-wavecrate", "__Host-wavecrate-id"}
        for header in set_here.values():
            assert "Secure" in header
            assert "Path=/" in header
            assert "Domain" not in header
            assert "SameSite=Lax" in header
            assert "HttpOnly" in header
        db.session.remove()
        db.engine.dispose()


def test_nothing_that_a_signed_session_says_signs_anybody_in(client: FlaskClient, ada: Account) -> None:
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"] = ada.id, True
    assert not is_in(client)
    client.set_cookie("wavecrate-id", ada.id)
    assert not is_in(client)
    client.set_cookie("wavecrate-id", "x" * 5000)
    assert not is_in(client)


def test_who_asks_to_be_remembered_is_and_is_forgotten_at_sign_out(client: FlaskClient, ada: Account) -> None:
    answer = client.post("/sign-in", data={"email": ada.email, "password": PASSWORD, "remember": "y"})
    [header] = [one for one in answer.headers.getlist("Set-Cookie") if one.startswith("wavecrate-id=")]
    assert f"Max-Age={180 * 24 * 3600}" in header
    assert the_session().expires_at - clock.now() > timedelta(days=59)
    cookie = client.get_cookie("wavecrate-id")
    assert cookie is not None
    client.post("/sign-out")
    assert client.get_cookie("wavecrate-id") is None
    client.set_cookie("wavecrate-id", cookie.value)
    assert not is_in(client), "a copy of the cookie is worth nothing"


def test_signing_in_again_ends_the_session_before(client: FlaskClient, ada: Account) -> None:
    sign_in(client, ada)
    old = client.get_cookie("wavecrate-id")
    assert old is not None
    client.post("/sign-out")
    rows.sign_in(client, ada)
    planted = client.get_cookie("wavecrate-id")
    assert planted is not None
    client.delete_cookie("wavecrate-id")
    sign_in(client, ada)
    fresh = client.get_cookie("wavecrate-id")
    assert fresh is not None
    assert fresh.value not in (old.value, planted.value)


def test_a_session_ends_by_itself_sooner_for_staff(app: Flask, client: FlaskClient, ada: Account) -> None:
    sign_in(client, ada, remember="y")
    row = the_session()
    row.expires_at = clock.now() - timedelta(seconds=1)
    db.session.commit()
    assert not is_in(client)
    ada.role = Role.ADMIN
    db.session.commit()
    made, _token = sessions.begin(ada, remembered=True, address=None, user_agent=None)
    assert made.expires_at - made.created_at == timedelta(days=1)
    made.seen_at = made.created_at = clock.now() - timedelta(hours=23)
    sessions.touch(made, ada, address=None, user_agent=None)
    assert made.expires_at - clock.now() < timedelta(hours=2), "used or not"


def test_it_is_noted_now_and_then_that_a_session_is_used(client: FlaskClient, ada: Account) -> None:
    sign_in(client, ada)
    row = the_session()
    seen = row.seen_at
    assert is_in(client)
    assert the_session().seen_at == seen, "a page is no reason to write"
    row = the_session()
    row.seen_at = seen - timedelta(minutes=6)
    row.expires_at = seen + timedelta(hours=1)
    db.session.commit()
    assert client.get("/cart", headers={"User-Agent": PHONE}).status_code == 200
    again = the_session()
    assert again.seen_at > seen
    assert again.expires_at > seen + timedelta(hours=20)
    assert again.user_agent == PHONE


def test_devices_are_shown_and_one_is_signed_out_from_another(app: Flask, ada: Account) -> None:
    here, there = app.test_client(), app.test_client()
    for client, agent in ((here, CHROME), (there, PHONE)):
        client.environ_base["HTTP_USER_AGENT"] = agent
        sign_in(client, ada)
    page = here.get("/account/devices").text
    assert "Chrome on Windows" in page
    assert "Safari on iPhone" in page
    assert page.count("This device") == 1
    phone = db.session.scalars(select(AccountSession).where(AccountSession.user_agent == PHONE)).one()
    assert here.post(f"/account/devices/{phone.id}/sign-out").status_code == 303
    assert is_in(here)
    assert not is_in(there)
    assert "Safari on iPhone" not in here.get("/account/devices").text
    assert here.post(f"/account/devices/{phone.id}/sign-out").status_code == 404


def test_nobody_signs_out_somebody_elses_device(app: Flask, client: FlaskClient, ada: Account) -> None:
    bo, his = rows.account("Bo"), app.test_client()
    rows.sign_in(his, bo)
    sign_in(client, ada)
    of_bo = sessions.of_account(bo.id)[0]
    assert client.post(f"/account/devices/{of_bo.id}/sign-out").status_code == 404
    assert is_in(his)


def test_signing_out_this_device_is_signing_out(client: FlaskClient, ada: Account) -> None:
    sign_in(client, ada)
    answer = client.post(f"/account/devices/{the_session().id}/sign-out")
    assert answer.location == "/"
    assert client.get_cookie("wavecrate-id") is None
    assert not is_in(client)


def test_one_signs_out_everywhere_at_once(app: Flask, ada: Account) -> None:
    browsers = [app.test_client() for _ in range(4)]
    for browser in browsers:
        sign_in(browser, ada)
    assert all(is_in(browser) for browser in browsers)
    assert browsers[0].post("/account/devices/sign-out").status_code == 303
    assert not any(is_in(browser) for browser in browsers)
    assert sessions.of_account(ada.id) == []


def test_a_stream_ends_with_its_session(app: Flask, ada: Account, store: S3Store) -> None:
    release = rows.release("Tides")
    rows.stream(release.tracks[0], store)
    rows.own(ada, release=release)
    player, elsewhere = app.test_client(), app.test_client()
    sign_in(player, ada)
    sign_in(elsewhere, ada)
    playlist = player.post(f"/play/{release.tracks[0].id}").get_json()["playlist"]
    key = playlist.replace("multivariant.m3u8", "key/0.key")
    assert player.get(key).status_code == 200
    elsewhere.post("/account/devices/sign-out")
    assert player.get(key).status_code == 403, "the next minute stays locked"


def test_staffs_sign_ins_are_on_record_and_customers_are_not(app: Flask, ada: Account) -> None:
    sign_in(app.test_client(), ada)
    assert db.session.scalars(select(AuditEntry)).all() == []
    with transaction():
        service.set_role(ada, Role.SUPPORT, by=None)
    sign_in(app.test_client(), ada)
    assert [entry.action for entry in db.session.scalars(select(AuditEntry).order_by(AuditEntry.seq))] == [
        "account.role",
        "session.begin",
    ]


def test_a_new_role_is_signed_in_anew(client: FlaskClient, ada: Account) -> None:
    sign_in(client, ada)
    with transaction():
        service.set_role(ada, Role.SUPPORT, by=None)
    assert not is_in(client)


def test_what_ended_long_ago_is_forgotten(app: Flask, ada: Account) -> None:
    rows.sign_in(app.test_client(), ada)
    rows.sign_in(app.test_client(), ada)
    gone = the_session()
    gone.revoked_at = clock.now() - timedelta(days=31)
    db.session.commit()
    with transaction():
        assert sessions.forget(clock.now() - timedelta(days=30)) == 1
    assert len(sessions.of_account(ada.id)) == 1


def test_the_cookies_name_says_what_protects_it(app: Flask) -> None:
    assert login.cookie_name() == "wavecrate-id"
    app.config["SESSION_COOKIE_SECURE"] = True
    assert login.cookie_name() == "__Host-wavecrate-id"
