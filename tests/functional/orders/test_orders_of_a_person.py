"""What orders and licenses tell a person of themselves, and what of it goes with them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from support import orders, rows
from support.orders import Sold
from support.shop import offer

from app.accounts import leaving
from app.accounts.models import Account
from app.core import clock
from app.core.db import db, transaction
from app.licenses import service as licenses
from app.orders import waiting
from app.orders.models import Order

BILLING = {"name": "Ada Harbour", "address": ["1 Quay", "Bergen"], "country": "NO", "vat_id": "NO995525828MVA"}


def told(account: Account, part: str) -> object:
    return leaving.on_export[part](account)


def forget(account: Account) -> None:
    with transaction():
        for each in leaving.on_close:
            each(account)
    db.session.expire_all()


def test_orders_are_told_as_they_were(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, today = rows.account("Ada"), clock.now()
    gift = Sold(rows.release("Mains"), gift_to="bo@example.org", more={"gift_from": "A.", "gift_message": "Hi"})
    first = orders.order(Sold(rows.release("Tides")), gift, account=ada, billing=BILLING)
    monkeypatch.setattr(clock, "now", lambda: today + timedelta(days=1))
    second = Order(account_id=ada.id, email="old@example.org", locale="en", currency="JPY", total_minor=500, billing={})
    db.session.add(second)
    db.session.commit()
    orders.order(Sold(rows.release("Another")), account=rows.account("Bo"))

    assert first.paid_at is not None
    assert told(ada, "orders") == [
        {
            "number": first.number,
            "state": "paid",
            "ordered_at": first.created_at.isoformat(),
            "paid_at": first.paid_at.isoformat(),
            "total_minor": 1980,
            "currency": "EUR",
            "email": ada.email,
            "billing": BILLING,
            "lines": [
                {"title": "Tides – Mira Sol", "price_minor": 990, "gift_to": None, "gift_message": None},
                {"title": "Mains – Mira Sol", "price_minor": 990, "gift_to": "bo@example.org", "gift_message": "Hi"},
            ],
        },
        {
            "number": second.number,
            "state": "pending",
            "ordered_at": (today + timedelta(days=1)).isoformat(),
            "paid_at": None,
            "total_minor": 500,
            "currency": "JPY",
            "email": "old@example.org",
            "billing": {},
            "lines": [],
        },
    ]


def test_licenses_are_told_oldest_first_with_their_end(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, today, tides, mains = rows.account("Ada"), clock.now(), rows.release("Tides"), rows.release("Mains")
    moments = [today + timedelta(hours=2), today, today + timedelta(hours=1)]
    things = [{"release_id": tides.id}, {"release_id": mains.id}, {"track_id": mains.tracks[0].id}]
    for number, (at, thing) in enumerate(zip(moments, things, strict=True)):
        monkeypatch.setattr(clock, "now", lambda at=at: at)
        with transaction():
            licenses.grant(ada.id, grant_key=f"grant{number}", **{"release_id": None, "track_id": None} | thing)
    monkeypatch.setattr(clock, "now", lambda: today + timedelta(hours=5))
    with transaction():
        licenses.set_standing("grant1", False, "refunded")

    def said(at: object, *, ended: object = None, **thing: str) -> dict[str, object]:
        return {"release": None, "track": None, "since": at.isoformat(), "ended_at": ended} | thing  # type: ignore[attr-defined]

    assert told(ada, "licenses") == [
        said(moments[1], release=mains.id, ended=(today + timedelta(hours=5)).isoformat()),
        said(moments[2], track=mains.tracks[0].id),
        said(moments[0], release=tides.id),
    ]


def test_gifts_are_told_to_who_claimed_them(app: Flask) -> None:
    bo, giver = rows.account("Bo"), rows.account("Giver")
    words = {"gift_from": "Your G.", "gift_message": "For you"}
    given = orders.gift(rows.release("Tides"), giver=giver, to="bo@example.org", more=words)
    orders.gift(rows.release("Another"), giver=giver)
    assert told(bo, "gifts") == []
    orders.claim(given, bo)
    assert given.claimed_at is not None
    assert told(bo, "gifts") == [
        {
            "title": "Tides – Mira Sol",
            "from": "Your G.",
            "message": "For you",
            "sent_to": "bo@example.org",
            "claimed_at": given.claimed_at.isoformat(),
        }
    ]
    assert told(giver, "gifts") == []


def test_a_giver_goes_and_what_nobody_claimed_yet_still_arrives(app: Flask) -> None:
    giver, bo = rows.account("Giver"), rows.account("Bo")
    words = {"gift_from": "Your G.", "gift_message": "For you"}
    waits, taken = (orders.gift(rows.release(), giver=giver, to="bo@example.org", more=words) for _number in range(2))
    orders.claim(taken, bo)
    for one in (waits, taken):
        one.order.billing = BILLING
    db.session.commit()

    forget(giver)

    for one in (waits, taken):
        assert (one.order.email, one.order.billing) == ("", {"country": "NO", "vat_id": "NO995525828MVA"})
    assert taken.line is not None
    assert waits.line is not None
    line = taken.line
    assert (taken.to_email, line.gift_to, line.gift_from, line.gift_message) == ("", "", None, None)
    line = waits.line
    assert (waits.to_email, line.gift_to) == ("bo@example.org", "bo@example.org")
    assert (line.gift_from, line.gift_message) == ("Your G.", "For you")


def test_who_was_given_something_goes_and_the_giver_s_name_stays_with_the_giver(app: Flask) -> None:
    giver, bo = rows.account("Giver"), rows.account("Bo")
    words = {"gift_from": "Your G.", "gift_message": "For you, Bo"}
    taken = orders.gift(rows.release(), giver=giver, to="bo@example.org", more=words)
    orders.claim(taken, bo)
    mail = giver.email

    forget(bo)

    assert taken.line is not None
    assert (taken.to_email, taken.line.gift_to, taken.line.gift_message) == ("", "", None)
    assert taken.line.gift_from == "Your G."
    assert taken.order.email == mail


def test_a_guest_s_order_that_was_claimed_goes_with_them(app: Flask) -> None:
    bo = rows.account("Bo")
    order = orders.claimable(Sold(offer(release=rows.release("Tides"))), email="guest@example.org", billing=BILLING)
    [found] = waiting.of_order(order.id)
    orders.claim(found, bo)

    forget(bo)

    assert found.to_email == ""
    assert found.line is None
