"""Gifts and guests' orders from the payment to the claim and back, as the gateway tells of it."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from datetime import timedelta
from io import BytesIO

import pytest
from flask import Flask
from support import orders, rows, selling
from support.orders import at_once, claim, license_of

from app.accounts import leaving
from app.accounts.models import Account
from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.ledger.models import Book
from app.orders import claims, locks, refunds, waiting
from app.orders.models import Claim, Order, RefundOrigin
from app.payments.contract import Dispute, DisputeState, Refund, RefundState


def given(giver: Account | None = None) -> tuple[Order, Claim]:
    """A gift that was paid, as the gateway told."""
    order = selling.bought(giver or rows.account("Ada"), selling.sold(tax=158, gift_to="kay@example.org"))
    [found] = waiting.of_order(order.id)
    return order, found


def given_back(order: Order, minor: int, state: RefundState = RefundState.SUCCEEDED) -> Refund:
    """A refund that somebody made at the gateway."""
    return Refund("re_1", f"pi_{order.id}", Money(minor, "EUR"), state, None, clock.now())


def told(order: Order, **changes: object) -> None:
    db.session.rollback()
    order = db.session.get_one(Order, order.id, populate_existing=True)
    selling.follow(order, replace(selling.payment(order), **changes))  # type: ignore[arg-type]


def on_books() -> tuple[int, int, int]:
    return orders.on_book(Book.GIFTS), orders.on_book(Book.SALES), orders.on_book(Book.TAX)


def test_a_paid_gift_waits_has_its_letter_and_earns_when_it_is_claimed(app: Flask) -> None:
    order, found = given()
    assert on_books() == (-832, 0, -158)
    assert [letter.kind for letter in orders.written()] == ["gift", "receipt"]
    kay = rows.account("Kay")
    claim(found, kay)
    assert on_books() == (0, -832, -158)
    told(order)
    assert on_books() == (0, -832, -158)
    assert license_of(found).account_id == kay.id


def test_a_claimed_gift_can_be_refunded_and_disputed_like_anything_else(app: Flask) -> None:
    order, found = given()
    kay = rows.account("Kay")
    claim(found, kay)
    open_ = Dispute("dp_1", f"pi_{order.id}", Money(990, "EUR"), DisputeState.OPEN, "fraudulent", clock.now())
    told(order, disputes=(open_,), disputed=Money(990, "EUR"))
    assert license_of(found).revoked_at is not None
    told(order, disputes=(replace(open_, state=DisputeState.WON),))
    assert (license_of(found).revoked_at, license_of(found).account_id) == (None, kay.id)
    told(order, disputes=(replace(open_, state=DisputeState.WON),), refunds=(given_back(order, 990),))
    assert license_of(found).revoked_at is not None
    assert on_books() == (0, 0, 0)


def test_a_gift_whose_dispute_is_won_can_be_claimed_again(app: Flask) -> None:
    order, found = given()
    dispute = Dispute("dp_1", f"pi_{order.id}", Money(990, "EUR"), DisputeState.OPEN, "fraudulent", clock.now())
    told(order, disputes=(dispute,), disputed=Money(990, "EUR"))
    with pytest.raises(claims.ClaimRefused):
        claim(found, rows.account())
    told(order, disputes=(replace(dispute, state=DisputeState.WON),))
    claim(found, rows.account("Kay"))
    assert on_books() == (0, -832, -158)


def test_money_of_a_failed_refund_of_a_claimed_gift_is_earned(app: Flask) -> None:
    """Part of it went back before the claim, and that part comes back after it."""
    order, found = given()
    told(order, refunds=(given_back(order, 330),), refunded=Money(330, "EUR"))
    claim(found, rows.account("Kay"))
    assert on_books() == (0, -555, -105)
    for _time in range(2):
        told(order, refunds=(given_back(order, 330, RefundState.FAILED),))
        assert on_books() == (0, -832, -158)


def test_a_refund_made_at_the_gateway_is_told_once_with_its_credit_note(app: Flask) -> None:
    order = selling.bought(rows.account("Ada"), selling.sold("Tides", tax=158))
    for _time in range(2):
        told(order, refunds=(given_back(order, 330),), refunded=Money(330, "EUR"))
    [letter] = orders.written("refund")
    [note] = letter.attachments
    assert [(line["net"], line["tax"]) for line in note["lines"]] == [(277, 53)]


def test_a_claim_and_a_wish_for_the_money_at_once_leave_no_gift_without_its_money(app: Flask) -> None:
    for _number in range(8):
        order, found = given()
        kay = rows.account("Kay")

        def wish(order_id: str = order.id, line_id: str = str(found.line_id)) -> str:
            held = locks.locked(order_id)
            assert held is not None
            refunds.ask(held, {line_id: 990}, reason="changed my mind", origin=RefundOrigin.CUSTOMER)
            return "asked"

        came_to = at_once(app, lambda one=found, who=kay: claims.claim(one.id, who).id, wish)
        assert came_to[1] == "asked", came_to
        claimed = came_to[0] == found.id
        assert claimed or isinstance(came_to[0], claims.ClaimRefused), came_to
        assert license_of(found).revoked_at is not None
        assert license_of(found).account_id == (kay.id if claimed else None)


def test_a_guest_who_paid_has_a_claim_and_the_order_once_they_took_it(app: Flask) -> None:
    order = selling.bought(None, selling.sold("Tides"), email="guest@example.org")
    assert [letter.kind for letter in orders.written()] == ["guest_order", "receipt"]
    [found], ada = waiting.of_order(order.id), rows.account("Ada")
    claim(found, ada)
    told(order)
    assert db.session.get_one(Order, order.id, populate_existing=True).account_id == ada.id
    assert len(waiting.of_order(order.id)) == 1


# Whoever goes


def test_who_goes_leaves_neither_name_nor_address_behind_and_what_they_gave_still_arrives(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, kay = rows.account("Ada"), rows.account("Kay")
    note = {"gift_from": "Ada", "gift_message": "Happy day!"}
    billing = {"name": "Ada L", "address": ["1 Quay"], "country": "NO", "vat_id": "NO1"}
    made = orders.claimable(
        orders.Sold(rows.release("A"), gift_to="kay@example.org", more=dict(note)),
        orders.Sold(rows.release("B"), gift_to="lin@example.org", gift_on=orders.in_days(3), more=dict(note)),
        account=ada,
        billing=billing,
    )
    taken, waits = sorted(waiting.of_order(made.id), key=lambda each: each.to_email)
    claim(taken, kay)
    with transaction():
        leaving.close(ada)
    order = db.session.get_one(Order, made.id, populate_existing=True)
    assert (order.email, order.billing) == ("", {"country": "NO", "vat_id": "NO1"})
    assert (order.lines[0].gift_to, order.lines[0].gift_message, order.lines[0].is_gift) == ("", None, True)
    assert db.session.get_one(Claim, taken.id, populate_existing=True).to_email == ""
    later = clock.now() + timedelta(days=4)
    monkeypatch.setattr(clock, "now", lambda: later)
    with transaction():
        assert claims.send_due() == 1
    letter = orders.written("gift")[-1]
    assert (letter.to_address, letter.context["message"]) == ("lin@example.org", "Happy day!")
    lin = rows.account("Lin")
    claim(waits, lin)
    assert len(orders.written("gift_claimed")) == 1
    with transaction():
        leaving.close(lin)
    assert db.session.get_one(Claim, waits.id, populate_existing=True).to_email == ""
    assert license_of(taken).account_id == kay.id


def test_what_one_gave_and_was_given_is_among_ones_data(app: Flask) -> None:
    ada, kay = rows.account("Ada"), rows.account("Kay")
    found = orders.gift(rows.release("Tides"), giver=ada, more={"gift_message": "Happy day!"})
    claim(found, kay)
    told_ada, told_kay = (
        {
            name: json.loads(zipfile.ZipFile(BytesIO(leaving.export(person))).read(f"wavecrate/{name}.json"))
            for name in ("orders", "gifts")
        }
        for person in (ada, kay)
    )
    assert told_ada["orders"][0]["lines"][0]["gift_to"] == "friend@example.org"
    assert told_ada["gifts"] == told_kay["orders"] == []
    [gift] = told_kay["gifts"]
    assert (gift["title"], gift["from"], gift["message"]) == ("Tides – Mira Sol", "Ada", "Happy day!")
