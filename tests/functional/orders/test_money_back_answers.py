"""What a buyer is told when they cancel or want their money back: each answer's way, words and kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask, get_flashed_messages
from flask.testing import FlaskClient
from sqlalchemy import select
from support import rows
from support.flashed import flashed
from support.selling import Sold, fresh, placed, sold, standing
from support.shop import offer
from support.till import Till
from werkzeug.test import TestResponse

from app.accounts.models import Account, AccountSession, Role
from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.licenses import service as granting
from app.licenses.models import License
from app.orders import after_sales, locks, queries, refunds, returns, settlement
from app.orders.models import Order, OrderRefund, OrderState, RefundOrigin, RefundState

GONE = "What you chose can’t be given back any more, or is on its way already. Look at the list below."
PAID = datetime(2026, 3, 5, 12, tzinfo=UTC)
LATE = "You could have the money back within 14 days, until March 19, 2026."


@pytest.fixture
def till(app: Flask, tmp_path: Path) -> Till:
    return Till(app, tmp_path)


@pytest.fixture
def ada(client: FlaskClient) -> Account:
    made = rows.account("Ada")
    rows.sign_in(client, made)
    return made


def ask(client: FlaskClient, order: Order, *lines: str, **fields: str) -> TestResponse:
    return client.post(f"/orders/{order.id}/refund", data={"line": list(lines), **fields})


def boxes(html: str) -> list[tuple[bool, bool]]:
    """Of each line's box: whether it is ticked, and whether it can be."""
    return [(" checked" in each, " disabled" not in each) for each in re.findall(r'<input type="checkbox"[^>]*>', html)]


def told(order: Order) -> list[tuple[int, str | None, bool]]:
    """What a buyer is told of each line: what comes back, why nothing does, whether it is awaited."""
    return [(each.amount.minor, each.why, each.awaited) for each in returns.for_buyer(fresh(order))]


def long_ago(order: Order) -> None:
    with transaction():
        db.session.get_one(Order, order.id).paid_at = PAID


def give_back(order: Order, lines: dict[int, int], *, carried_out: bool = True) -> None:
    """As staff do: so much of these lines."""
    with transaction():
        held = locks.locked(order.id)
        assert held is not None
        wanted = {held.lines[number].id: minor for number, minor in lines.items()}
        made = refunds.ask(held, wanted, reason="", origin=RefundOrigin.STAFF)
    if carried_out:
        settlement.carry_out(made.id)


# Cancelling


def _nothing(till: Till, order: Order) -> None:
    """It waits, and nobody pays."""


def _paid(till: Till, order: Order) -> None:
    till.does.pay(order.checkout_id or "")


def _slow(till: Till, order: Order) -> None:
    till.does.pay(order.checkout_id or "", "sepa_debit")


def _away(till: Till, order: Order) -> None:
    till.does.fault("timeout_before")


@pytest.mark.parametrize(
    ("meanwhile", "kind", "said", "state"),
    [
        (_nothing, "success", "The order is cancelled. Nothing was taken.", OrderState.CANCELLED),
        (_paid, "error", "This order is paid already. You can ask for the money back.", OrderState.PAID),
        (
            _slow,
            "error",
            "The payment is under way and can’t be stopped. If it succeeds, you can ask for the money back.",
            OrderState.PENDING,
        ),
        (_away, "error", "payment service", OrderState.PENDING),
    ],
)
def test_who_cancels_is_led_back_to_the_order_and_told_what_came_of_it(
    till: Till,
    client: FlaskClient,
    ada: Account,
    meanwhile: Callable[[Till, Order], None],
    kind: str,
    said: str,
    state: OrderState,
) -> None:
    order = placed(ada, sold("Tides"))
    till.open(order)
    meanwhile(till, order)
    answer = client.post(f"/orders/{order.id}/cancel")
    assert (answer.status_code, answer.location) == (303, f"/orders/{order.id}")
    [(its_kind, words)] = flashed(client)
    assert its_kind == kind
    assert said in words
    assert fresh(order).state == state


def test_others_orders_are_said_not_to_be_there_to_staff_too(app: Flask, till: Till, ada: Account) -> None:
    order = placed(ada, sold("Tides"))
    guests = placed(None, sold("Harbour"))
    reader = app.test_client()
    rows.staff(reader, Role.ADMIN)
    for browser in (reader, app.test_client()):
        for order_id in (order.id, guests.id, "nonsense"):
            for answer in (
                browser.post(f"/orders/{order_id}/cancel"),
                browser.get(f"/orders/{order_id}/refund"),
                browser.post(f"/orders/{order_id}/refund", data={"line": order.lines[0].id}),
            ):
                assert answer.status_code == 404
                assert "There is no such order." in answer.text
    assert fresh(order).state == fresh(guests).state == OrderState.PENDING


# The page


def test_the_page_ticks_what_was_chosen_or_the_only_thing_there_is(
    till: Till, client: FlaskClient, ada: Account
) -> None:
    order = placed(ada, sold("Tides"), sold("Harbour"))
    there = f"/orders/{order.id}/refund"
    assert "Nothing was paid for this order, so there is nothing to give back." in client.get(there).text
    till.pay(order)
    page = client.get(there).text
    assert boxes(page) == [(False, True), (False, True)]
    assert f"<title>Money back for order {order.number}" in page
    assert 'maxlength="500"' in page
    assert '<textarea id="reason" name="reason" maxlength="500"></textarea>' in page
    assert "refund-wrong" not in page
    assert boxes(client.get(f"{there}?line={order.lines[1].id}").text) == [(False, True), (True, True)]
    ask(client, order, order.lines[0].id)
    assert boxes(client.get(there).text) == [(False, False), (True, True)]


def test_a_refused_wish_comes_back_as_it_was_typed_with_why(till: Till, client: FlaskClient, ada: Account) -> None:
    order = placed(ada, sold("Tides"), sold("Harbour", minor=0), sold("Ebb"))
    till.pay(order)
    tides, free, _ebb = (line.id for line in order.lines)
    answer = ask(client, order, tides, free, reason=" too\0  <loud> ")
    assert answer.status_code == 409
    assert f'role="alert" id="refund-wrong">{GONE}</p>' in unescape(answer.text)
    assert 'maxlength="500">too &lt;loud&gt;</textarea>' in answer.text
    assert boxes(answer.text) == [(True, True), (False, False), (False, True)]
    # One that is not of this order counts for nothing, with whatever else was chosen.
    assert ask(client, order, tides, "nonsense").status_code == 409
    answer = ask(client, order)
    assert answer.status_code == 409
    assert "Choose what to give back: there is nothing left of this, or nothing was chosen." in answer.text
    assert queries.refunds_of(order.id) == []
    assert flashed(client) == []


@pytest.mark.parametrize(
    ("typed", "kept"),
    [({}, ""), ({"reason": " not\n\tmine\0 "}, "not mine"), ({"reason": 501 * "x"}, 500 * "x")],
)
def test_what_is_given_back_is_asked_for_by_its_buyer_with_their_reason(
    till: Till, client: FlaskClient, ada: Account, typed: dict[str, str], kept: str
) -> None:
    order = placed(ada, sold("Tides"), sold("Harbour", minor=500))
    till.pay(order)
    answer = ask(client, order, *(line.id for line in order.lines), **typed)
    assert (answer.status_code, answer.location) == (303, f"/orders/{order.id}")
    assert flashed(client) == [("success", "€14.90 is on its way back, the way it was paid.")]
    [made] = queries.refunds_of(order.id)
    assert (made.origin, made.asked_by, made.reason) == (RefundOrigin.CUSTOMER, ada.id, kept)
    assert made.lines == {order.lines[0].id: 990, order.lines[1].id: 500}


def test_a_guest_asks_as_nobody_and_need_not_prove_who_they_are(till: Till, client: FlaskClient) -> None:
    order = placed(None, sold("Tides"))
    till.pay(order)
    with client.session_transaction() as kept:
        kept["orders"] = [order.id]
    assert client.get(f"/orders/{order.id}/refund").status_code == 200
    assert ask(client, order, order.lines[0].id).location == f"/orders/{order.id}"
    [made] = queries.refunds_of(order.id)
    assert (made.origin, made.asked_by, made.state) == (RefundOrigin.CUSTOMER, None, RefundState.DONE)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_has_not_shown_their_password_lately_does_so_and_comes_back_to_what_they_chose(
    till: Till, client: FlaskClient, ada: Account, method: str
) -> None:
    order = placed(ada, sold("Tides"), sold("Harbour"))
    till.pay(order)
    for each in db.session.scalars(select(AccountSession)):
        each.proved_at = clock.now() - timedelta(hours=1)
    db.session.commit()
    chosen = [order.lines[1].id, "a", "b"]
    there = f"/orders/{order.id}/refund"
    answer = client.get(there, query_string={"line": chosen}) if method == "GET" else ask(client, order, *chosen)
    assert answer.status_code == 303
    proof = urlsplit(answer.location)
    assert proof.path == "/account/prove"
    back = urlsplit(parse_qs(proof.query)["next"][0])
    # No more than the order has lines: the address stays short whatever is sent.
    assert (back.path, parse_qs(back.query)) == (f"/orders/{order.id}/refund", {"line": chosen[:2]})
    assert [kind for kind, _words in flashed(client)] == ["message"]
    assert queries.refunds_of(order.id) == []


# What came of it


@pytest.mark.parametrize(
    ("state", "error", "language", "kind", "said"),
    [
        (RefundState.DONE, None, "en", "success", "$9.90 is on its way back, the way it was paid."),
        (RefundState.DONE, None, "zh", "success", "US$9.90"),
        (
            RefundState.ASKED,
            None,
            "en",
            "message",
            "Giving back $9.90 is asked for. It will be made as soon as the payment service answers; you need not ask"
            " again.",
        ),
        (RefundState.ASKED, None, "zh", "message", "US$9.90"),
        (
            RefundState.FAILED,
            refunds.GIVEN_BACK_BEFORE,
            "en",
            "message",
            "All of this payment was given back before; nothing more moved now.",
        ),
        (
            RefundState.FAILED,
            "the bank won't",
            "en",
            "error",
            "The payment service could not give the money back. Whoever runs the shop has been told.",
        ),
    ],
)
def test_how_far_it_came_is_told_in_the_reader_s_language(
    app: Flask, state: RefundState, error: str | None, language: str, kind: str, said: str
) -> None:
    refund = OrderRefund(state=state, error=error, amount_minor=990, currency="USD")
    with app.test_request_context(headers={"Accept-Language": language}):
        after_sales.say_what_came_of(refund)
        [message] = get_flashed_messages(with_categories=True)
    assert isinstance(message, tuple)
    its_kind, words = message
    assert its_kind == kind
    # In Chinese the amount is what the code has a say in; the words around it are the catalogue's.
    assert (words == said) if language == "en" else (said in words and not words.isascii())


@pytest.mark.parametrize(("fault", "kind"), [("timeout_before", "message"), (None, "success")])
def test_the_answer_says_what_came_of_this_wish(
    till: Till, client: FlaskClient, ada: Account, fault: str | None, kind: str
) -> None:
    order = placed(ada, sold("Tides"))
    till.pay(order)
    if fault:
        till.does.fault(fault)
    assert ask(client, order, order.lines[0].id).status_code == 303
    [(its_kind, words)] = flashed(client)
    assert its_kind == kind
    assert "€9.90" in words


# Line by line


def test_each_line_says_what_comes_back_or_why_nothing_does(app: Flask, till: Till, ada: Account) -> None:
    given, asked, part, kept, free = sold(), sold(minor=500), sold(minor=300), sold(minor=700), sold(minor=0)
    order = placed(ada, given, asked, part, kept, free)
    till.pay(order)
    assert told(order) == [
        (990, None, False),
        (500, None, False),
        (300, None, False),
        (700, None, False),
        (0, "This was free.", False),
    ]
    give_back(order, {0: 990, 2: 299})
    give_back(order, {1: 500}, carried_out=False)
    assert told(order) == [
        (0, "Its money was given back.", False),
        (0, "Its money is on its way back to you.", False),
        (0, "A part of it was given back already. Answer the e-mail with your receipt about the rest.", False),
        (700, None, False),
        (0, "This was free.", False),
    ]
    shown = returns.for_buyer(fresh(order))
    assert [each.line.position for each in shown] == [1, 2, 3, 4, 5]
    assert shown[3].amount == Money(700, "EUR")


@pytest.mark.parametrize("outcome", [None, "lost", "won"])
def test_what_the_bank_questions_or_took_is_the_bank_s_to_decide(till: Till, ada: Account, outcome: str | None) -> None:
    order = placed(ada, sold())
    dispute = till.does.dispute(till.pay(order))
    till.tell()
    if outcome:
        till.does.close_dispute(dispute["id"], outcome)
        till.tell()
    bank = "Your bank questions this payment: they decide about the money."
    assert told(order) == [(990, None, False) if outcome == "won" else (0, bank, False)]


def test_of_an_order_older_than_the_books_nothing_is_there_to_give_back(app: Flask, ada: Account) -> None:
    order = placed(ada, sold())
    long_ago(order)
    assert told(order) == [(0, "Its money was given back.", False)]


def _licenses(order: Order) -> list[License]:
    return list(db.session.scalars(select(License).where(License.grant_key.startswith(order.lines[0].id))))


def _late(order: Order) -> None:
    """Only the days that passed."""


def _downloaded(order: Order) -> None:
    for days, each in enumerate(_licenses(order)):
        each.downloaded_at = PAID + timedelta(days=3 - days)


def _downloaded_in_part(order: Order) -> None:
    _licenses(order)[0].downloaded_at = PAID


def _played(order: Order) -> None:
    _licenses(order)[1].first_played_at = PAID


def _downloaded_and_played(order: Order) -> None:
    _downloaded_in_part(order)
    _played(order)


@pytest.mark.parametrize(
    ("happened", "why"),
    [
        (_late, LATE),
        (_downloaded, "It was downloaded on March 7, 2026."),
        (_downloaded_in_part, "It was downloaded on March 5, 2026."),
        (_played, "The rental has begun."),
        (_downloaded_and_played, "It was downloaded on March 5, 2026."),
    ],
)
def test_the_first_reason_is_told_and_the_days_last(
    till: Till, ada: Account, happened: Callable[[Order], None], why: str
) -> None:
    both = offer(bundle=[rows.release("Tides"), rows.release("Harbour")])
    order = placed(ada, Sold(both), sold())
    till.pay(order)
    long_ago(order)
    with transaction():
        happened(order)
    # The other line was neither downloaded nor played, and says so.
    assert told(order) == [(0, why, False), (0, LATE, False)]


def test_a_gift_says_that_it_was_claimed_and_another_that_it_is_late(till: Till, ada: Account) -> None:
    order = placed(ada, sold(gift_to="bo@example.org"), sold(gift_to="cy@example.org"), sold())
    till.pay(order)
    with transaction():
        granting.assign([order.lines[0].id], rows.account("Bo").id)
    assert told(order) == [(0, "The gift has been claimed.", False), (990, None, False), (990, None, False)]
    long_ago(order)
    assert [why for _amount, why, _awaited in told(order)] == ["The gift has been claimed.", LATE, LATE]


def test_only_the_line_whose_price_was_taken_off_names_what_it_was_taken_off(till: Till, ada: Account) -> None:
    singles = placed(ada, sold("First", minor=200), sold("Second", minor=200), sold("Third", minor=200))
    till.pay(singles)
    album = placed(ada, sold("Album", minor=590))
    first, second, _third = (line.id for line in singles.lines)
    with transaction():
        # A credit of another order's line stands beside this one's.
        album.lines[0].credits = [{"line": "x", "track": "t", "minor": 1}, {"line": first, "track": "t", "minor": 200}]
    till.pay(album)
    with transaction():
        [held] = db.session.scalars(select(License).where(License.grant_key == second))
        held.downloaded_at = PAID
    taken = f"Its price was taken off “{album.lines[0].title}”, which you bought later. Give that back first."
    assert told(singles) == [(0, taken, False), (0, "It was downloaded on March 5, 2026.", False), (200, None, False)]


def test_what_comes_out_later_is_awaited_until_that_very_moment(
    till: Till, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    awaited = sold("Tides")
    order = placed(ada, awaited, sold("Harbour"))
    till.pay(order)
    long_ago(order)
    with transaction():
        awaited.offer.subject_release.released_on = (clock.now() + timedelta(days=40)).date()
    assert told(order) == [(990, None, True), (0, LATE, False)]
    [begins] = [each.begins_at for each in _licenses(fresh(order))]
    monkeypatch.setattr(clock, "now", lambda: begins - timedelta(seconds=1))
    assert told(order)[0] == (990, None, True)
    monkeypatch.setattr(clock, "now", lambda: begins)
    assert told(order)[0] == (0, LATE, False)
    assert standing(order) == [True, True]


def test_how_many_days_there_are_is_a_setting(app: Flask, till: Till, ada: Account) -> None:
    app.extensions["settings"] = app.extensions["settings"].model_copy(update={"refund_days": 3})
    order = placed(ada, sold())
    till.pay(order)
    long_ago(order)
    assert told(order) == [(0, "You could have the money back within 3 days, until March 8, 2026.", False)]
