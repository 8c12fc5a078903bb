"""What can be given back, by whose wish, and what the shop says, notes and asks of the gateway for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text
from support import rows
from support.selling import Sold, bought, follow, payment, placed, sold

from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.discovery.models import Event, EventKind
from app.ledger import queries as ledger
from app.letters.models import Letter
from app.licenses import queries as held
from app.licenses import service as licenses
from app.licenses.models import License
from app.orders import cases, entitlement, fulfilment, locks, queries, refunds
from app.orders.models import Case, CaseKind, Order, OrderRefund, OrderState, RefundOrigin, RefundState
from app.payments.contract import Dispute, DisputeState, Refund
from app.payments.contract import RefundState as Told

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The time, to be moved."""
    moment = [NOW]
    monkeypatch.setattr(clock, "now", lambda: moment[0])
    return moment


def ask(order: Order, lines: dict[str, int], **more: Any) -> OrderRefund:
    with transaction():
        found = locks.locked(order.id)
        assert found is not None
        return refunds.ask(found, lines, **({"reason": "asked", "origin": RefundOrigin.STAFF} | more))


def two() -> tuple[Order, str, str]:
    order = bought(rows.account(), sold(tax=158), sold(minor=310))
    return order, order.lines[0].id, order.lines[1].id


def license_of(order: Order, number: int = 0) -> License:
    db.session.expire_all()
    return held.granted([order.lines[number].id])[order.lines[number].id]


def jobs() -> list[tuple[str, str, dict]]:
    found = db.session.execute(text("SELECT task_name, queue_name, args FROM procrastinate_jobs ORDER BY id"))
    return [tuple(row) for row in found if row[0].startswith("orders.")]  # type: ignore[misc]


def made(order: Order, row: OrderRefund | None, minor: int, state: Told = Told.SUCCEEDED, number: int = 1) -> Refund:
    key = row.id if row is not None else None
    return Refund(f"re_{number}", order.payment_id or "", Money(minor, "EUR"), state, key, clock.now())


# --- asking ---


def test_a_refund_that_is_asked_for_is_a_row_and_a_job(app: Flask) -> None:
    order, first, second = two()
    manager = rows.account("Staff")
    before = len(jobs())
    row = ask(order, {first: 990, second: 0}, reason="x" * 600, origin=RefundOrigin.CUSTOMER, asked_by=manager.id)
    assert (row.order_id, row.payment_id, row.origin, row.asked_by) == (
        order.id,
        order.payment_id,
        RefundOrigin.CUSTOMER,
        manager.id,
    )
    assert (row.reason, row.amount, row.lines) == ("x" * 500, Money(990, "EUR"), {first: 990})
    assert (row.state, row.settled_at, row.gateway_id) == (RefundState.ASKED, None, None)
    assert jobs()[before:] == [("orders.refund", "default", {"refund_id": row.id})]
    assert license_of(order).revoked_reason == "refunded"
    assert license_of(order, 1).revoked_at is None


def test_what_can_not_be_asked_for_is_said(app: Flask) -> None:
    order, first, second = two()
    nothing = r"^Choose what to give back: there is nothing left of this, or nothing was chosen\.$"
    for lines in ({}, {first: 0}, {first: -1}, {first: 10, second: -10}):
        with pytest.raises(refunds.NotRefundable, match=nothing):
            ask(order, lines)
    with pytest.raises(refunds.NotRefundable, match=r"^No more than 9\.90 EUR can be given back of this\. Load the"):
        ask(order, {first: 991})
    with pytest.raises(refunds.NotRefundable, match=r"^No more than 0\.00 EUR can be given back"):
        ask(order, {"another line": 1})
    unpaid = placed(rows.account(), sold())
    with pytest.raises(refunds.NotRefundable, match=r"^Nothing was paid for this order, so there is nothing to give"):
        ask(unpaid, {unpaid.lines[0].id: 990})
    free = placed(rows.account(), sold(minor=0))
    with transaction():
        fulfilment.free(free)
    with pytest.raises(refunds.NotRefundable, match=r"^Nothing was paid"):
        ask(free, {free.lines[0].id: 1})
    assert db.session.scalars(select(OrderRefund)).all() == []


def test_no_more_can_be_asked_for_than_is_left(app: Flask) -> None:
    order, first, second = two()
    assert refunds.refundable(order) == {first: 990, second: 310}
    ask(order, {first: 400})
    assert refunds.refundable(order) == {first: 590, second: 310}
    assert license_of(order).revoked_at is None
    ask(order, {first: 590, second: 10})
    assert refunds.refundable(order) == {first: 0, second: 300}
    assert entitlement.left(order) == {first: 0, second: 300}
    with pytest.raises(refunds.NotRefundable):
        ask(order, {first: 1})
    assert license_of(order).revoked_at is not None


def test_what_a_bank_holds_can_not_be_given_back(app: Flask) -> None:
    order, first, second = two()
    dispute = Dispute("du_1", "pi", Money(1300, "EUR"), DisputeState.OPEN, "fraudulent", clock.now())
    follow(order, payment(order, disputes=(dispute,)))
    assert refunds.refundable(order) == {first: 0, second: 0}
    assert license_of(order).revoked_reason == "the buyer's bank took the money back"


def test_an_amount_is_spread_over_what_is_left(app: Flask) -> None:
    order, first, second = two()
    assert refunds.spread(order, Money(130, "EUR")) == {first: 99, second: 31}
    assert refunds.spread(order, Money(1300, "EUR")) == {first: 990, second: 310}
    ask(order, {first: 990})
    assert refunds.spread(order, Money(1, "EUR")) == {first: 0, second: 1}
    assert refunds.spread(order, Money(310, "EUR")) == {first: 0, second: 310}
    for money in (Money(311, "EUR"), Money(0, "EUR"), Money(-1, "EUR"), Money(100, "USD")):
        with pytest.raises(refunds.NotRefundable, match=r"^Give back an amount up to 3\.10 EUR\.$"):
            refunds.spread(order, money)


def test_a_stray_payment_goes_back_whole_and_once(app: Flask) -> None:
    order, _first, _second = two()
    stray = payment(order, id="pi_2", captured=Money(500, "EUR"), refunded=Money(120, "EUR"), disputed=Money(30, "EUR"))
    row = refunds.ask_stray(order, stray, "paid twice")
    assert row is not None
    assert (row.payment_id, row.amount, row.lines, row.reason) == ("pi_2", Money(350, "EUR"), {}, "paid twice")
    assert (row.origin, row.asked_by) == (RefundOrigin.DUPLICATE, None)
    assert refunds.ask_stray(order, stray, "paid twice") is None
    for gone in ({"refunded": Money(1300, "EUR")}, {"disputed": Money(1300, "EUR")}, {"captured": Money(0, "EUR")}):
        assert refunds.ask_stray(order, payment(order, id="pi_3", **gone), "r") is None
    last = refunds.ask_stray(order, payment(order, id="pi_3", refunded=Money(1299, "EUR")), "r")
    assert last is not None
    assert last.amount == Money(1, "EUR")
    assert entitlement.left(order) == {line.id: line.price_minor for line in order.lines}


# --- what became of it ---


def test_a_refund_that_was_made_is_noted_and_told_once(app: Flask, at: list[datetime]) -> None:
    order, first, _second = two()
    row = ask(order, {first: 990})
    at[0] = NOW + timedelta(minutes=5)
    told = made(order, row, 990)
    follow(order, payment(order, refunds=(told,), refunded=Money(990, "EUR")))
    assert (row.state, row.gateway_id, row.settled_at, row.error) == (RefundState.DONE, "re_1", at[0], None)
    letters = [each for each in db.session.scalars(select(Letter)) if each.kind == "refund"]
    assert len(letters) == 1
    at[0] = NOW + timedelta(minutes=9)
    with transaction():
        refunds.carried_out(row, order, told)
        refunds.refused(row, order, "too late")
    assert (row.state, row.settled_at, row.error) == (RefundState.DONE, NOW + timedelta(minutes=5), None)
    follow(order, payment(order, refunds=(told,), refunded=Money(990, "EUR")))
    assert row.settled_at == NOW + timedelta(minutes=5)
    assert len([each for each in db.session.scalars(select(Letter)) if each.kind == "refund"]) == 1


def test_what_the_gateway_answers_is_noted_at_once(app: Flask, at: list[datetime]) -> None:
    order, first, second = two()
    one, other = ask(order, {first: 990}), ask(order, {second: 310})
    with transaction():
        refunds.carried_out(one, order, made(order, one, 990, Told.PENDING))
        refunds.carried_out(other, order, None)
    assert (one.state, one.gateway_id, one.settled_at) == (RefundState.DONE, "re_1", NOW)
    assert (other.state, other.error, other.settled_at) == (
        RefundState.FAILED,
        "all of it was given back before",
        NOW,
    )
    assert other.gateway_id is None
    assert license_of(order, 1).revoked_at is None


def test_a_refusal_gives_the_license_back_and_raises_a_case(app: Flask, at: list[datetime]) -> None:
    order, first, _second = two()
    row = ask(order, {first: 990}, reason="scratched")
    with transaction():
        refunds.refused(row, order, "n" * 600)
    assert (row.state, row.error, row.settled_at) == (RefundState.FAILED, "n" * 500, NOW)
    assert license_of(order).revoked_at is None
    case = db.session.scalars(select(Case)).one()
    assert (case.kind, case.key, case.order_id, case.payment_id) == (
        CaseKind.REFUND_REFUSED,
        f"refund:{row.id}",
        order.id,
        order.payment_id,
    )
    assert case.facts == {"amount": "9.90 EUR", "reason": "scratched", "error": "n" * 500}
    with transaction():
        refunds.refused(row, order, "again")
        refunds.carried_out(row, order, None)
    assert row.error == "n" * 500


def test_a_refund_that_comes_back_is_a_case_once(app: Flask) -> None:
    order, first, _second = two()
    row = ask(order, {first: 990})
    for _again in range(2):
        follow(order, payment(order, refunds=(made(order, row, 990, Told.FAILED),)))
    assert (row.state, row.error) == (RefundState.FAILED, "the buyer's bank sent it back")
    assert [case.facts["error"] for case in db.session.scalars(select(Case))] == ["the buyer's bank sent it back"]
    assert license_of(order).revoked_at is None
    assert [each for each in db.session.scalars(select(Letter)) if each.kind == "refund"] == []


def test_only_a_row_s_own_payment_settles_it(app: Flask) -> None:
    order, first, _second = two()
    row = ask(order, {first: 990})
    stray = payment(order, id="pi_2", refunds=(made(order, row, 990),))
    with transaction():
        refunds.heard(order, stray)
        refunds.heard(order, payment(order, refunds=(made(order, None, 990, number=2),)))
    assert (row.state, row.gateway_id) == (RefundState.ASKED, None)


def test_what_is_still_to_be_asked_comes_oldest_first(app: Flask, at: list[datetime]) -> None:
    asked = []
    for _number in range(3):
        order, first, _second = two()
        asked.append(ask(order, {first: 10}).id)
        at[0] += timedelta(minutes=1)
    assert refunds.unfinished(5) == asked
    assert refunds.unfinished(2) == asked[:2]
    row = db.session.get_one(OrderRefund, asked[0])
    with transaction():
        refunds.refused(row, db.session.get_one(Order, row.order_id), "no")
    assert refunds.unfinished(5) == asked[1:]


# --- by the buyer ---


def test_the_buyer_may_have_whole_lines_back_for_so_many_days(app: Flask, at: list[datetime]) -> None:
    order, first, second = two()
    days = app.extensions["settings"].refund_days
    assert refunds.by_customer(order) == {first: 990, second: 310}
    at[0] = NOW + timedelta(days=days) - timedelta(seconds=1)
    assert refunds.by_customer(order) == {first: 990, second: 310}
    at[0] = NOW + timedelta(days=days)
    assert refunds.by_customer(order) == {}
    assert refunds.by_customer(placed(rows.account(), sold())) == {}


def test_what_was_used_or_is_partly_gone_stays(app: Flask, at: list[datetime]) -> None:
    order, first, second = two()
    ask(order, {first: 1})
    assert refunds.by_customer(order) == {second: 310}
    license_of(order, 1).downloaded_at = NOW
    assert refunds.by_customer(order) == {}
    license_of(order, 1).downloaded_at = None
    license_of(order, 1).first_played_at = NOW
    db.session.flush()
    assert refunds.by_customer(order) == {}


def test_what_costs_nothing_has_nothing_to_be_given_back(app: Flask, at: list[datetime]) -> None:
    order = bought(rows.account(), sold(), sold(minor=0))
    assert refunds.by_customer(order) == {order.lines[0].id: 990}


def test_a_gift_can_be_had_back_until_it_is_somebody_s(app: Flask, at: list[datetime]) -> None:
    order = bought(rows.account(), sold(gift_to="bo@example.org"))
    line_id = order.lines[0].id
    assert refunds.by_customer(order) == {line_id: 990}
    license_of(order).account_id = rows.account("Bo").id
    db.session.flush()
    assert refunds.by_customer(order) == {}


# --- what a payment means ---


def test_an_order_is_refunded_when_all_of_its_own_money_is_back(app: Flask) -> None:
    order, _first, _second = two()
    follow(order, payment(order, refunds=(made(order, None, 1299),), refunded=Money(1299, "EUR")))
    assert order.state == OrderState.PAID
    rest = (made(order, None, 1299), made(order, None, 1, number=2))
    follow(order, payment(order, refunds=rest, refunded=Money(1300, "EUR")))
    assert order.state == OrderState.REFUNDED
    back = (rest[0], made(order, None, 1, Told.FAILED, number=2))
    follow(order, payment(order, refunds=back, refunded=Money(1299, "EUR")))
    assert order.state == OrderState.PAID


def test_an_order_without_its_sale_in_the_books_is_left_alone(app: Flask) -> None:
    order, free = placed(rows.account(), sold()), placed(rows.account(), sold(minor=0))
    for each in (order, free):
        for key, release_id, track_id in each.lines[0].grants:
            licenses.grant(each.account_id, release_id=release_id, track_id=track_id, grant_key=key)
            licenses.set_standing(key, False, "by hand")
    for paid_at in (None, NOW):
        order.paid_at = free.paid_at = paid_at
        entitlement.apply(order)
        assert order.state == OrderState.PENDING
        assert license_of(order).revoked_reason == "by hand"
        entitlement.apply(free)
        assert (license_of(free).revoked_at is None) == (paid_at is not None), (
            "what costs nothing stands once it is paid"
        )


def test_of_a_payment_that_the_books_do_not_know_nothing_is_given_back(app: Flask) -> None:
    order = bought(rows.account(), sold())
    order.payment_id = "pi_of_another_day"
    entitlement.apply(order)
    assert order.state == OrderState.PAID


def test_what_becomes_of_a_license_is_an_event_for_the_shelves_but_not_of_a_gift(app: Flask) -> None:
    def events() -> list[str]:
        found = db.session.scalars(select(Event).order_by(Event.id))
        return [each.kind for each in found if each.kind in (EventKind.PURCHASE, EventKind.REFUND)]

    order = bought(rows.account(), sold())
    row = ask(order, {order.lines[0].id: 990})
    assert events() == [EventKind.PURCHASE, EventKind.REFUND]
    with transaction():
        refunds.refused(row, order, "no")
    assert events() == [EventKind.PURCHASE, EventKind.REFUND, EventKind.PURCHASE]
    for giver in (rows.account(), None):
        gift = bought(giver, sold(gift_to="bo@example.org"))
        ask(gift, {gift.lines[0].id: 990})
    guest = bought(None, sold())
    ask(guest, {guest.lines[0].id: 990})
    assert len(events()) == 3


def test_a_payment_that_is_not_what_was_ordered_says_what_differs(app: Flask) -> None:
    order = placed(rows.account(), sold())
    follow(order, payment(order, captured=Money(500, "USD"), order_id=None, livemode=True))
    case = db.session.scalars(select(Case)).one()
    assert (case.kind, case.key, case.order_id, case.payment_id) == (
        CaseKind.MISMATCH,
        f"payment:pi_{order.id}",
        order.id,
        f"pi_{order.id}",
    )
    assert case.facts == {"expected": f"9.90 EUR test {order.id}", "found": "5.00 USD live no order"}
    with transaction():
        fulfilment.follow(None, payment(order, id="pi_2", order_id="another"), None, live=False)
        fulfilment.follow(None, payment(order, id="pi_3", order_id=None), None, live=True)
    found = {each.key: each.facts for each in db.session.scalars(select(Case))}
    assert found["payment:pi_2"] == {"expected": "an order of this shop", "found": "another"}
    assert found["payment:pi_3"] == {"expected": "an order of this shop", "found": "none"}
    assert ledger.entry("payment:pi_2") is not None
    assert ledger.entry("payment:pi_3") is None  # of the other mode: no money of this shop's


def test_a_payment_that_was_right_and_is_told_wrong_later_goes_on_in_the_books(app: Flask) -> None:
    order, _first, _second = two()
    told = payment(order, order_id=None, refunds=(made(order, None, 1300),), refunded=Money(1300, "EUR"))
    follow(order, told)
    assert (order.state, license_of(order).revoked_reason) == (OrderState.REFUNDED, "refunded")
    assert db.session.scalars(select(Case)).all() == []


def test_a_dispute_is_a_case_with_what_a_person_needs(app: Flask) -> None:
    order, _first, _second = two()
    dispute = Dispute("du_1", "pi", Money(500, "EUR"), DisputeState.OPEN, "fraudulent", clock.now())
    for _again in range(2):
        follow(order, payment(order, disputes=(dispute,)))
    case = db.session.scalars(select(Case)).one()
    assert (case.kind, case.key, case.order_id, case.payment_id, case.facts) == (
        CaseKind.DISPUTE,
        "dispute:du_1",
        order.id,
        order.payment_id,
        {"amount": "5.00 EUR", "reason": "fraudulent"},
    )


def test_what_is_free_is_given_once_and_what_is_not_never_so(app: Flask) -> None:
    costs, free = placed(rows.account(), sold(minor=1)), placed(rows.account(), sold(minor=0))
    with transaction():
        fulfilment.free(free)
    assert (free.state, free.payment_id) == (OrderState.PAID, None)
    for order in (costs, free):
        with pytest.raises(ValueError, match=f"^order {order.id} is not free, or was given already$"):
            fulfilment.free(order)


def test_paying_closes_the_page_and_says_how(app: Flask, at: list[datetime]) -> None:
    order = placed(rows.account(), sold())
    order.checkout_url = "https://pay.test/"
    db.session.commit()
    follow(order, payment(order, method="paypal"))
    assert (order.paid_at, order.paid_by, order.checkout_url) == (NOW, "paypal", None)
    gone = placed(rows.account(), sold())
    gone.checkout_url = "https://pay.test/"
    with transaction():
        fulfilment.cancel(gone)
        fulfilment.cancel(order)
    assert (gone.state, gone.checkout_url, order.state) == (OrderState.CANCELLED, None, OrderState.PAID)


def test_a_rental_is_granted_with_its_terms_and_may_be_had_twice(app: Flask) -> None:
    ada, line = rows.account(), sold()
    line.offer.kind, line.offer.rental_days, line.offer.rental_hours = "rental", 30, 48
    db.session.commit()
    first, second = bought(ada, line), bought(ada, line)
    found = license_of(first)
    assert (found.account_id, found.rental_days, found.rental_hours) == (ada.id, 30, 48)
    assert queries.refunds_of(second.id) == []


def test_a_track_of_an_album_one_has_goes_back_and_an_album_of_which_one_has_a_track_does_not(app: Flask) -> None:
    from support.shop import offer

    ada, release = rows.account(), rows.release(tracks=2)
    track, album = Sold(offer(track=release.tracks[0], minor=99), 99), Sold(offer(release=release))
    assert queries.refunds_of(bought(ada, track).id) == []
    assert queries.refunds_of(bought(ada, album).id) == []
    (back,) = queries.refunds_of(bought(ada, track).id)
    assert (back.reason, back.origin, back.amount) == ("Bought twice", RefundOrigin.DUPLICATE, Money(99, "EUR"))


def test_a_line_stands_as_long_as_the_smallest_coin_of_it_is_paid(app: Flask) -> None:
    order, first, second = two()
    assert entitlement.standing(order, {first: 1, second: 0}) == {first: True, second: False}


# --- cases ---


def test_a_case_is_raised_once_and_closed_with_a_word_by_one(app: Flask, at: list[datetime]) -> None:
    staff = rows.account("Staff")
    with transaction():
        assert cases.raise_case(CaseKind.BOOKS, "k" * 300, facts={"a": 1}) is True
        assert cases.raise_case(CaseKind.DISPUTE, "k" * 200) is False
        assert cases.raise_case(CaseKind.BOOKS, "other") is True
    case, other = db.session.scalars(select(Case).order_by(Case.number)).all()
    assert (case.kind, case.key, case.facts, other.facts) == (CaseKind.BOOKS, "k" * 200, {"a": 1}, {})
    assert (case.created_at, case.order_id, case.payment_id) == (NOW, None, None)
    told = db.session.scalars(select(Letter.context).where(Letter.kind == "case")).all()
    assert sorted(each["link"].rpartition("/")[2] for each in told) == sorted([case.id, other.id])
    with pytest.raises(cases.BadOutcome, match=r"^Say what you did about it, for whoever looks at this later\.$"):
        cases.close(case, " \n ", staff.id)
    cases.close(case, "  wrote   to\n them " + "x" * 2000, staff.id)
    assert case.outcome is not None
    assert case.outcome.startswith("wrote to them xxx")
    assert (case.closed_at, case.closed_by, len(case.outcome)) == (NOW, staff.id, 1000)
    with pytest.raises(cases.BadOutcome, match=r"^This case is closed already\. Load the page again\.$"):
        cases.close(case, "again", staff.id)


def test_orders_are_locked_buyer_first(app: Flask) -> None:
    order = placed(rows.account(), sold())
    assert locks.locked(None) is None
    assert locks.locked("no such order") is None
    found = locks.locked(order.id)
    assert found is order
    held_locks = db.session.execute(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"))
    assert held_locks.scalar_one() == 1
    with app.app_context(), db.engine.connect() as other:
        other.execute(text("SET lock_timeout = '50ms'"))
        with pytest.raises(Exception, match="lock timeout"):
            other.execute(text("SELECT 1 FROM customer_order WHERE id = :id FOR UPDATE"), {"id": order.id})
