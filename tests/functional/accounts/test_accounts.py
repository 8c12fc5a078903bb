"""Sign-up, sign-in, sign-out, language; and where one is led back to."""

from __future__ import annotations

import re

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from support import rows
from support.ground import SHOPS_HASHER

from app.accounts import service
from app.accounts.models import Account, Role
from app.accounts.redirects import own_path, without_language
from app.core.db import db, transaction
from app.core.i18n import COOKIE

PASSWORD = "a quiet harbour"


def register(email: str = "ada@example.org") -> Account:
    with transaction():
        return service.register(email, PASSWORD, "Ada")


def test_a_password_is_kept_as_argon2id_and_opens_the_account_however_the_address_is_written(app: Flask) -> None:
    ada = register("  Ada@Example.ORG ")
    assert ada.email == "ada@example.org"
    assert ada.password_hash.startswith("$argon2id$")
    assert service.authenticate("ADA@example.org", PASSWORD) == ada
    assert service.authenticate("ada@example.org", "another") is None
    assert service.authenticate("bo@example.org", PASSWORD) is None
    assert service.authenticate("no address", PASSWORD) is None
    assert service.authenticate("ada@example.org", "x" * 100_000) is None


def test_a_hash_costs_a_thief_what_rfc_9106_recommends() -> None:
    assert (SHOPS_HASHER.memory_cost, SHOPS_HASHER.time_cost, SHOPS_HASHER.parallelism) == (64 * 1024, 3, 4)


def test_a_weak_hash_is_replaced_at_sign_in(app: Flask) -> None:
    ada = register()
    ada.password_hash = weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    db.session.commit()
    with transaction():
        assert service.authenticate(ada.email, PASSWORD) == ada
    assert ada.password_hash != weak
    assert service.authenticate(ada.email, PASSWORD) == ada


def test_an_address_has_one_account(app: Flask) -> None:
    register()
    with pytest.raises(service.EmailTaken, match="Sign in instead"):
        register("ADA@example.org")
    assert db.session.scalar(select(func.count()).select_from(Account)) == 1


@pytest.mark.parametrize("email", ["", "ada", "ada@", "@example.org", "a b@example.org", "ada@localhost", "a@b..c"])
def test_what_is_no_address_is_refused(app: Flask, email: str) -> None:
    with pytest.raises(service.BadAccount, match="e-mail"):
        service.register(email, PASSWORD, "Ada")


def test_addresses_of_other_scripts_have_one_form(app: Flask) -> None:
    ada = register("Jose\u0301@müsik.example")
    assert ada.email == "josé@xn--msik-0ra.example"
    assert service.authenticate("JOSÉ@MÜSIK.example", PASSWORD) == ada


@pytest.mark.parametrize("password", ["", "seven77", "x" * 201])
def test_passwords_have_8_to_200_characters(app: Flask, password: str) -> None:
    with pytest.raises(service.BadAccount, match="8 to 200"):
        service.register("ada@example.org", password, "Ada")


def test_a_login_for_the_demo_is_made_once_and_brought_up_to_date(app: Flask) -> None:
    first = service.ensure_account("root@example.org", PASSWORD, "Root")
    again = service.ensure_account("Root@example.org", "another password", "Root", role=Role.ADMIN)
    assert first == again
    assert again.role == Role.ADMIN
    assert service.authenticate("root@example.org", "another password") == again


def sign_in(client: FlaskClient, email: str, password: str, **fields: str):  # type: ignore[no-untyped-def]
    return client.post("/sign-in", data={"email": email, "password": password, **fields})


def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(app: Flask, client: FlaskClient) -> None:
    register()
    unknown, wrong = sign_in(client, "bo@example.org", PASSWORD), sign_in(client, "ada@example.org", "another one")
    assert unknown.status_code == wrong.status_code == 422
    assert "do not go together" in unknown.text
    assert _without_tokens(unknown.text).replace("bo@example.org", "ada@example.org") == _without_tokens(wrong.text)


def _without_tokens(page: str) -> str:
    """The page without its CSRF tokens, which carry the second they were made in."""
    return re.sub(r"[\w-]{40,}\.[\w-]{6}\.[\w-]{27}", "TOKEN", page)


def test_signing_in_begins_a_new_session_and_signing_out_ends_it(app: Flask, client: FlaskClient) -> None:
    ada = register()
    with client.session_transaction() as session:
        session["planted"] = "before"
    answer = sign_in(client, ada.email, PASSWORD, next="/cart")
    assert (answer.status_code, answer.location) == (303, "/cart")
    with client.session_transaction() as session:
        assert "planted" not in session
        assert not [name for name in session if name.startswith("_user") or ada.id in str(session[name])]
    assert client.get("/orders").status_code == 200
    assert client.get("/sign-in?next=/orders").location == "/orders"
    assert client.post("/sign-out").status_code == 303
    assert client.get("/orders", headers={"Accept": "text/html"}).location == "/sign-in?next=/orders"
    assert client.get("/sign-out").status_code == 405


@pytest.mark.parametrize(
    "target",
    [
        None,
        "",
        "https://evil.test/",
        "//evil.test/",
        "///evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "/\t/evil.test",
        "/a\nb",
        "javascript:alert(1)",
        "evil",
        " /cart",
        "http:/cart",
    ],
)
def test_no_way_back_leads_elsewhere(target: str | None) -> None:
    assert own_path(target) is None


def test_ways_back_within_the_shop_are_kept_whole() -> None:
    assert own_path("/search?q=a%20b&page=2#results") == "/search?q=a%20b&page=2#results"
    assert without_language("/search?q=%E6%BD%AE&lang=en&page=") == "/search?q=%E6%BD%AE&page="


def test_the_language_is_chosen_here_and_for_the_account_and_one_stays_on_the_page(
    app: Flask, client: FlaskClient
) -> None:
    answer = client.post("/language", data={"locale": "zh_Hans", "next": "/cart?lang=en"})
    assert (answer.status_code, answer.location) == (303, "/cart")
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    assert cookie.value == "zh_Hans"
    assert 'lang="zh-Hans"' in client.get("/cart").text
    ada = rows.account()
    rows.sign_in(client, ada)
    answer = client.get("/language/en", headers={"Referer": "http://localhost/orders?x=1"})
    assert answer.location == "/orders?x=1"
    db.session.refresh(ada)
    assert ada.locale == "en"
    assert client.get("/language/en", headers={"Referer": "http://evil.test/orders"}).location == "/"
    assert client.post("/language", data={"locale": "en", "next": "//evil.test"}).location == "/"
    assert client.get("/language/tlh").status_code == 404
