"""Taking one's data along, and going: what stays is what the books must keep, and it names nobody."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from support import letters, rows
from support.shop import offer

from app.accounts import addresses, leaving, service, sessions
from app.accounts.models import Account, Role
from app.accounts.notices import Notice
from app.cart import service as carts
from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.discovery import service as discovery
from app.discovery.models import EventKind
from app.letters import service as outbox
from app.letters.models import Letter
from app.licenses.models import License
from app.orders.models import Order, OrderLine, OrderState
from app.playback.models import PlaySession, ResumePosition
from app.pricing import coupons
from app.pricing.coupons import CouponWish, Customer
from app.wishlist import service as wishes

PASSWORD = "a quiet harbour"
PARTS = {
    "account",
    "activity",
    "cart",
    "coupons",
    "gifts",
    "letters",
    "licenses",
    "orders",
    "plays",
    "shelves",
    "taste",
    "wishlist",
}


@pytest.fixture
def ada(app: Flask) -> Account:
    """Somebody who has been about."""
    with transaction():
        account = service.register("ada@harbour.example", PASSWORD, "Ada of the Harbour")
    release, other = rows.release("Tides"), rows.release("Mains")
    track, sold = release.tracks[0], offer(release=release)
    rows.own(account, release=release)
    order = Order(
        account_id=account.id,
        email="ada@harbour.example",
        locale="en",
        billing={"name": "Ada Harbour", "address": ["1 Quay", "Bergen"], "country": "NO"},
        state=OrderState.PAID,
        currency="EUR",
        total_minor=990,
        paid_at=clock.now(),
    )
    order.lines = [OrderLine(offer_id=sold.id, title="Tides", list_minor=990, net_minor=990, price_minor=990)]
    db.session.add_all(
        [
            order,
            PlaySession(account_id=account.id, track_id=track.id, expires_at=clock.now()),
            ResumePosition(account_id=account.id, track_id=track.id, position_ms=5000),
        ]
    )
    discovery.record(account.id, release.id, EventKind.PLAY, track_id=track.id)
    addresses.add(account.id, addresses.Address("Ada", "1 Quay", "Bergen", "NO"))
    carts.add(carts.open_cart(account.id), offer(release=other).id)
    wishes.add(account.id, other)
    meant = coupons.create(CouponWish("For Ada", percent=Decimal(10), account_ids=[account.id], max_uses_each=1))
    coupons.add_code(meant, "ADA10")
    coupons.reserve("bcdfghjkmnpqrstv", "ADA10", Customer(account.id, account.email), Money(99, "EUR"))
    service.change_password(account, PASSWORD)
    outbox.sent(db.session.scalars(select(Letter)).one(), keep=True)
    db.session.commit()
    with transaction():
        discovery.train()
    return account


def test_all_that_the_shop_holds_comes_as_one_file(app: Flask, client: FlaskClient, ada: Account) -> None:
    rows.sign_in(client, ada)
    answer = client.post("/account/export")
    assert answer.content_type == "application/zip"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.headers["Cache-Control"] == "private, no-store"
    packed = zipfile.ZipFile(io.BytesIO(answer.data))
    parts = {name.partition("/")[2].removesuffix(".json"): json.loads(packed.read(name)) for name in packed.namelist()}
    assert set(parts) == PARTS
    assert parts["account"]["email"] == "ada@harbour.example"
    assert parts["account"]["addresses"][0]["city"] == "Bergen"
    [bought] = parts["orders"]
    assert bought["billing"]["name"] == "Ada Harbour"
    assert [(line["title"], line["price_minor"]) for line in bought["lines"]] == [("Tides", 990)]
    assert [one["title"] for one in parts["cart"]] == ["Mains"]
    assert parts["plays"]["left_off"][0]["at_ms"] == 5000
    assert {one["what"] for one in parts["activity"]} >= {"play"}
    assert len(parts["licenses"]) == 1
    assert [one["title"] for one in parts["wishlist"]] == ["Mains"]
    assert [one["what"] for one in parts["letters"]] == ["password_changed"]
    assert [(one["code"], one["off_minor"]) for one in parts["coupons"]["used"]] == [("ADA10", 99)]
    assert [one["name"] for one in parts["coupons"]["for_you"]] == ["For Ada"]
    assert ada.password_hash not in str(parts)


def test_a_file_of_ones_data_is_asked_for_with_the_password(client: FlaskClient, ada: Account) -> None:
    present = rows.sign_in(client, ada)
    present.proved_at = clock.now() - timedelta(hours=1)
    db.session.commit()
    for path in ("/account/export", "/account/close"):
        assert client.post(path, data={"sure": "yes"}).location == "/account/prove?next=/account/security"


def test_going_leaves_the_books_and_nothing_that_names_the_person(
    app: Flask, client: FlaskClient, ada: Account
) -> None:
    account_id, elsewhere = ada.id, app.test_client()
    rows.sign_in(client, ada)
    rows.sign_in(elsewhere, ada)
    assert client.post("/account/close").location == "/account/security"
    assert client.get("/orders").status_code == 200
    with letters.collected() as told:
        assert client.post("/account/close", data={"sure": "yes"}).location == "/"
    assert [(one.notice, one.to) for one in told] == [(Notice.CLOSED, "ada@harbour.example")]
    for browser in (client, elsewhere):
        assert browser.get("/orders").status_code == 302
    assert client.post("/sign-in", data={"email": "ada@harbour.example", "password": PASSWORD}).status_code == 422
    db.session.expire_all()
    assert db.session.scalar(select(func.count()).select_from(Order).where(Order.account_id == account_id)) == 1
    assert db.session.scalar(select(func.count()).select_from(License).where(License.account_id == account_id)) == 1
    for table in ("event", "account_vector", "play_session", "resume_position", "cart", "account_session", "wish"):
        left = db.session.scalar(text(f"SELECT count(*) FROM {table} WHERE account_id = :id"), {"id": account_id})  # noqa: S608
        assert left == 0, table
    [farewell] = db.session.scalars(select(Letter).where(Letter.to_address != ""))
    assert (farewell.kind, farewell.state) == ("closed", "queued")
    with transaction():
        outbox.sent(farewell)
    hashed = Customer(email="ada@harbour.example").keys[0]
    names = db.session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
    for table in names:
        rows_left = db.session.scalars(text(f"SELECT t::text FROM {table} t")).all()  # noqa: S608
        assert not [one for one in rows_left if "harbour" in one.lower() or "Bergen" in one or hashed in one], table


def test_the_address_is_free_again(app: Flask, client: FlaskClient, ada: Account) -> None:
    rows.sign_in(client, ada)
    client.post("/account/close", data={"sure": "yes"})
    link = letters.invitation("ada@harbour.example")
    assert app.test_client().post(link, data={"name": "Ada", "password": PASSWORD}).status_code == 303


def test_staff_do_not_simply_go(app: Flask, client: FlaskClient, ada: Account) -> None:
    with transaction():
        service.set_role(ada, Role.ADMIN, by=None)
    rows.sign_in(client, ada)
    client.post("/account/close", data={"sure": "yes"})
    assert "cannot simply go" in client.get("/account/security").text
    assert sessions.of_account(ada.id)


def test_every_room_that_names_an_account_tells_what_it_holds(app: Flask) -> None:
    """A table that gains a person's number gains a room that tells and forgets it, or is named here."""
    naming = set(
        db.session.scalars(
            text(
                "SELECT DISTINCT table_name FROM information_schema.columns"
                " WHERE table_schema = 'public' AND column_name = 'account_id'"
            )
        )
    )
    told = {
        "account_vector",
        "cart",
        "customer_order",
        "event",
        "letter",
        "license",
        "opinion",
        "play_session",
        "resume_position",
        "taste",
        "wish",
    }
    # For whom a coupon is: told, and kept, for without it the coupon would be for everybody.
    told_and_kept = {"coupon_scope"}
    in_accounts = {
        "account_session",
        "account_token",
        "account_address",
        "account_totp",
        "account_passkey",
        "account_recovery_code",
    }
    of_staff = {"upload", "editor_label"}  # what somebody did for the shop
    assert naming == told | told_and_kept | in_accounts | of_staff
    assert set(leaving.on_export) == PARTS - {"account"}
