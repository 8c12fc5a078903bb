"""What is read of orders: whose, which, and in which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from support import orders, rows
from support.orders import Sold
from support.selling import placed, sold

from app.accounts.models import Account, Role
from app.core import clock
from app.core.db import db, transaction
from app.licenses import service as licenses
from app.orders import cases, queries
from app.orders.models import CaseKind, Order, OrderRefund, OrderState, RefundState

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
_PAID = (OrderState.PAID, OrderState.REFUNDED)


def made(account: Account | None = None, *, ago: int = 0, **more: Any) -> Order:
    """An order without lines, placed so many minutes ago."""
    values: dict[str, Any] = {
        "email": account.email if account else "guest@example.org",
        "locale": "en",
        "currency": "EUR",
    }
    if more.get("state") in _PAID:
        values["paid_at"] = NOW
    order = Order(account_id=account.id if account else None, total_minor=0, billing={}, **(values | more))
    order.created_at = NOW - timedelta(minutes=ago)
    db.session.add(order)
    db.session.commit()
    return order


def refund(order: Order, *, ago: int = 0, **more: Any) -> OrderRefund:
    row = OrderRefund(
        order_id=order.id,
        payment_id="pi",
        origin="staff",
        reason="asked",
        currency="EUR",
        amount_minor=1,
        **more,
    )
    row.created_at = NOW - timedelta(minutes=ago)
    db.session.add(row)
    db.session.commit()
    return row


def test_an_order_is_shown_to_whose_it_is_and_to_who_may_read_all(app: Flask) -> None:
    ada, bo, support = rows.account("Ada"), rows.account("Bo"), rows.account("Pia")
    support.role = Role.SUPPORT
    order, guests = made(ada), made()
    assert queries.order_for(ada, order.id) is order
    assert queries.order_for(bo, order.id) is None
    assert queries.order_for(ada, "no such order") is None
    assert queries.order_for(bo, guests.id) is None
    assert queries.order_for(support, order.id) is order
    assert queries.order_for(support, guests.id) is guests


def test_a_person_s_history_is_theirs_newest_first_without_what_they_gave_up(app: Flask) -> None:
    ada = rows.account("Ada")
    first, second = made(ada), made(ada, state=OrderState.REFUNDED)
    made(ada, state=OrderState.CANCELLED)
    made(rows.account("Bo"))
    made()
    assert queries.history(ada.id) == [second, first]


def test_pages_that_may_be_open_are_the_account_s_or_those_a_guest_names(app: Flask) -> None:
    ada, bo = rows.account("Ada"), rows.account("Bo")
    open_, later = made(ada, checkout_id="cs_1"), made(ada, checkout_id="cs_2")
    made(ada)
    made(ada, checkout_id="cs_3", state=OrderState.PAID)
    made(bo, checkout_id="cs_4")
    named, other = made(checkout_id="cs_5"), made(checkout_id="cs_6")
    assert queries.unfinished(ada.id, [named.id]) == [open_, later]
    assert queries.unfinished(None, [named.id, open_.id]) == [named]
    assert queries.unfinished(None, [other.id, named.id]) == [named, other]
    assert queries.unfinished(None) == []


def test_refunds_are_told_oldest_first_and_what_is_asked_for_by_order(app: Flask) -> None:
    first, second, third = made(), made(), made()
    late, early = refund(first), refund(first, ago=5)
    done, asked = refund(second, state=RefundState.DONE), refund(second)
    refund(third)
    assert queries.refunds_of(first.id) == [early, late]
    assert queries.refunds_of(second.id) == sorted([done, asked], key=lambda each: (each.created_at, each.id))
    found = queries.asked_of([first.id, second.id])
    assert {order_id: {each.id for each in each_s} for order_id, each_s in found.items()} == {
        first.id: {early.id, late.id},
        second.id: {asked.id},
    }


def test_refunds_are_read_afresh(app: Flask) -> None:
    row = refund(made())
    with db.engine.begin() as another:
        another.execute(OrderRefund.__table__.update().values(reason="as another process wrote it"))
    assert queries.refunds_of(row.order_id)[0].reason == "as another process wrote it"


def test_tax_is_summed_by_rate(app: Flask) -> None:
    order = placed(rows.account(), sold(minor=119, tax=19), sold(minor=238, tax=38), sold(minor=107, tax=7), sold())
    rated = (("DE", "19", "MwSt"), ("DE", "19", "MwSt"), (None, "7", None))
    for line, (country, rate, name) in zip(order.lines, rated, strict=False):
        line.tax_country, line.tax_rate, line.tax_name = country, Decimal(rate), name
    assert queries.tax_of(order) == [
        queries.TaxOf("", Decimal(7), "VAT", 100, 7),
        queries.TaxOf("DE", Decimal(19), "MwSt", 300, 57),
    ]


def test_what_can_be_played_of_an_order_is_what_stands(app: Flask) -> None:
    ada = rows.account("Ada")
    order = orders.order(Sold(rows.release("Tides")), Sold(rows.release("Mains")), account=ada)
    orders.order(Sold(rows.release("Another")), account=ada)
    first, second = order.lines
    assert queries.playable(order) == {first.id, second.id}
    [(key, *_thing)] = first.grants
    with transaction():
        licenses.set_standing(key, False, "refunded")
    assert queries.playable(order) == {second.id}


@pytest.mark.parametrize(
    ("state", "counts"),
    [(OrderState.PENDING, True), (OrderState.PAID, True), (OrderState.CANCELLED, False), (OrderState.REFUNDED, False)],
)
def test_lines_that_took_something_off_for_an_order_of_the_same_account(
    app: Flask, state: OrderState, counts: bool
) -> None:
    ada = rows.account("Ada")
    tracks, others = placed(ada, sold(), sold()), placed(ada, sold())
    album, strangers = placed(ada, sold(), sold()), placed(rows.account("Bo"), sold())
    album.state, album.paid_at = state, NOW if state in _PAID else None
    for line in (album.lines[1], strangers.lines[0]):
        line.credits = [{"line": tracks.lines[1].id, "track": "track", "minor": 99}]
    db.session.commit()
    assert queries.crediting(tracks) == ([album.lines[1]] if counts else [])
    assert queries.crediting(others) == []
    assert queries.crediting(placed(None, sold())) == []


def test_what_the_same_buyer_paid_later(app: Flask) -> None:
    ada, bo = rows.account("Ada"), rows.account("Bo")
    paid = [made(ada, paid_at=NOW + timedelta(minutes=at)) for at in (0, 3, 2, -1)]
    made(ada)
    made(bo, paid_at=NOW + timedelta(minutes=1))
    assert queries.paid_after(paid[0]) == [paid[2].id, paid[1].id]
    assert queries.paid_after(paid[1]) == []
    guest = made(email="Guest@example.org", paid_at=NOW)
    same = made(email="guest@EXAMPLE.org", paid_at=NOW)
    made(email="another@example.org", paid_at=NOW)
    made(ada, email="guest@example.org", paid_at=NOW)
    assert (queries.paid_after(guest), queries.paid_after(same)) == ([same.id], [guest.id])


def test_the_oldest_and_those_that_wait_longest(app: Flask) -> None:
    assert queries.oldest() is None
    older, oldest = made(ago=20), made(ago=30)
    asked = made(ago=60, settled_at=NOW - timedelta(minutes=25))
    made(ago=90, state=OrderState.PAID)
    made(ago=10)
    assert queries.oldest() == NOW - timedelta(minutes=90)
    before = NOW - timedelta(minutes=10)
    assert queries.waiting(before, 9) == [oldest, asked, older]
    assert queries.waiting(before, 2) == [oldest, asked]


def test_open_cases_are_told_oldest_first_and_closed_ones_latest_first(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff = rows.account("Staff")
    assert queries.open_cases() == 0
    with transaction():
        for number in range(queries.CASES_PAGE + 4):
            cases.raise_case(CaseKind.BOOKS, f"books:{number}")
    everything = queries.cases(closed=False).items + queries.cases(closed=False, page=2).items
    assert [each.key for each in everything] == [f"books:{number}" for number in range(queries.CASES_PAGE + 4)]
    assert len(queries.cases(closed=False, page=2).items) == 4
    for minutes, case in ((1, everything[0]), (3, everything[2]), (2, everything[1]), (3, everything[3])):
        monkeypatch.setattr(clock, "now", lambda minutes=minutes: NOW + timedelta(minutes=minutes))
        with transaction():
            cases.close(case, "done", staff.id)
    assert [each.key for each in queries.cases(closed=True).items] == ["books:3", "books:2", "books:1", "books:0"]
    assert queries.open_cases() == queries.CASES_PAGE
    assert [each.key for each in queries.cases(closed=False).items[:1]] == ["books:4"]
