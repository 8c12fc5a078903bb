"""What the gateway says of a payment and what the books and licenses make of it: a table of stories.

A line is `(price, tax)`; `behind` is the money behind each line at the end, by account, and `stands` its license.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import permutations

import pytest
from flask import Flask
from sqlalchemy import func, select
from support import rows
from support.selling import follow, payment, placed, sold

from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.ledger import queries as ledger
from app.ledger.models import Book, Posting
from app.licenses import queries as licenses
from app.orders import fulfilment, locks, queries, refunds
from app.orders.models import Order, OrderRefund, OrderState, RefundOrigin
from app.payments.contract import Dispute, DisputeState, Payment, Refund, RefundState

OK, FAILED = RefundState.SUCCEEDED, RefundState.FAILED
OPEN, WON, LOST, INQUIRY = DisputeState.OPEN, DisputeState.WON, DisputeState.LOST, DisputeState.INQUIRY
SALES, TAX, GIFTS, DISPUTES, LOSSES = Book.SALES, Book.TAX, Book.GIFTS, Book.DISPUTES, Book.LOSSES


def refund(told: Payment, minor: int, state: RefundState = OK, key: str | None = None, name: str = "") -> Payment:
    """One more refund, or the same one (by its name) as it stands now."""
    name = name or f"re_{len(told.refunds)}"
    before = next((each for each in told.refunds if each.id == name), None)
    made = Refund(name, told.id, Money(minor, "EUR"), state, key, before.created if before else _later(told))
    every = (*(each for each in told.refunds if each.id != name), made)
    back = sum(each.amount.minor for each in every if each.state.returned)
    return replace(told, refunds=every, refunded=Money(back, "EUR"))


def dispute(told: Payment, minor: int, state: DisputeState = OPEN, name: str = "dp_1") -> Payment:
    """A dispute, or the same one as it stands now."""
    before = next((each for each in told.disputes if each.id == name), None)
    made = Dispute(name, told.id, Money(minor, "EUR"), state, "fraudulent", before.created if before else _later(told))
    every = (*(each for each in told.disputes if each.id != name), made)
    held = sum(each.amount.minor for each in every if each.state in (OPEN, LOST))
    return replace(told, disputes=every, disputed=Money(held, "EUR"))


def _later(told: Payment):  # type: ignore[no-untyped-def]
    return told.created + timedelta(seconds=1 + len(told.refunds) + len(told.disputes))


@dataclass(frozen=True)
class Story:
    """What is sold, what the gateway says one after the other, and where that ends."""

    name: str
    lines: tuple[tuple[int, int], ...]
    said: tuple[Callable[[Payment], Payment], ...]
    behind: tuple[dict[Book, int], ...]
    stands: tuple[bool, ...]
    state: OrderState = OrderState.PAID
    others: dict[Book, int] = field(default_factory=dict)  # balances that are no line's, in the ledger's sign
    gifts: tuple[int, ...] = ()


ONE, TWO = ((990, 158),), ((990, 158), (500, 80))

STORIES = [
    Story("paid", ONE, (), ({SALES: 832, TAX: 158},), (True,)),
    Story("a gift waits apart", ONE, (), ({GIFTS: 832, TAX: 158},), (True,), gifts=(0,)),
    Story("a third goes back", ONE, (lambda p: refund(p, 330),), ({SALES: 555, TAX: 105},), (True,)),
    Story(
        "a third of a gift goes back", ONE, (lambda p: refund(p, 330),), ({GIFTS: 555, TAX: 105},), (True,), gifts=(0,)
    ),
    Story(
        "all goes back in three unequal parts",
        ONE,
        (lambda p: refund(p, 331), lambda p: refund(p, 1), lambda p: refund(p, 658)),
        ({SALES: 0, TAX: 0},),
        (False,),
        OrderState.REFUNDED,
    ),
    Story(
        "a refund at the dashboard is shared by weight",
        TWO,
        (lambda p: refund(p, 149),),
        ({SALES: 749, TAX: 142}, {SALES: 378, TAX: 72}),
        (True, True),
    ),
    Story(
        "a refund that fails changes nothing in the end",
        TWO,
        (lambda p: refund(p, 1490), lambda p: refund(p, 1490, FAILED, name="re_0")),
        ({SALES: 832, TAX: 158}, {SALES: 420, TAX: 80}),
        (True, True),
    ),
    Story(
        "a refund that is heard of only once it failed",
        ONE,
        (lambda p: refund(p, 990, FAILED),),
        ({SALES: 832, TAX: 158},),
        (True,),
    ),
    Story(
        "a bank takes all",
        TWO,
        (lambda p: dispute(p, 1490),),
        ({SALES: 832, TAX: 158, DISPUTES: -990}, {SALES: 420, TAX: 80, DISPUTES: -500}),
        (False, False),
    ),
    Story(
        "and gives it back",
        TWO,
        (lambda p: dispute(p, 1490), lambda p: dispute(p, 1490, WON)),
        ({SALES: 832, TAX: 158, DISPUTES: 0}, {SALES: 420, TAX: 80, DISPUTES: 0}),
        (True, True),
    ),
    Story(
        "or keeps it",
        ONE,
        (lambda p: dispute(p, 990), lambda p: dispute(p, 990, LOST)),
        ({SALES: 832, TAX: 158, DISPUTES: 0, LOSSES: -990},),
        (False,),
    ),
    Story(
        "a lost dispute that is heard of only then",
        ONE,
        (lambda p: dispute(p, 990, LOST),),
        ({SALES: 832, TAX: 158, DISPUTES: 0, LOSSES: -990},),
        (False,),
    ),
    Story(
        "a question of a bank moves nothing",
        ONE,
        (lambda p: dispute(p, 990, INQUIRY),),
        ({SALES: 832, TAX: 158},),
        (True,),
    ),
    Story(
        "a bank takes a part, and what it leaves keeps the license",
        ONE,
        (lambda p: dispute(p, 400),),
        ({SALES: 832, TAX: 158, DISPUTES: -400},),
        (True,),
    ),
    Story(
        "a part lost and the rest given back",
        ONE,
        (lambda p: dispute(p, 400, LOST), lambda p: refund(p, 590)),
        ({SALES: 336, TAX: 64, DISPUTES: 0, LOSSES: -400},),
        (False,),
    ),
    Story(
        "a bank takes what was given back already",
        ONE,
        (lambda p: refund(p, 990), lambda p: dispute(p, 990)),
        ({SALES: 0, TAX: 0},),
        (False,),
        OrderState.REFUNDED,
        {DISPUTES: 990},
    ),
    Story(
        "and loses: the shop has its money once, and the buyer nothing",
        ONE,
        (lambda p: refund(p, 990), lambda p: dispute(p, 990), lambda p: dispute(p, 990, WON)),
        ({SALES: 0, TAX: 0},),
        (False,),
        OrderState.REFUNDED,
        {DISPUTES: 0},
    ),
    Story(
        "given back while a bank holds it, and the bank gives it back as well",
        ONE,
        (lambda p: dispute(p, 990), lambda p: refund(p, 990), lambda p: dispute(p, 990, WON)),
        ({SALES: 0, TAX: 0, DISPUTES: 0},),
        (False,),
        OrderState.REFUNDED,
    ),
    Story(
        "two disputes of one payment",
        TWO,
        (lambda p: dispute(p, 500), lambda p: dispute(p, 990, name="dp_2"), lambda p: dispute(p, 500, WON)),
        ({SALES: 832, TAX: 158, DISPUTES: -658}, {SALES: 420, TAX: 80, DISPUTES: -332}),
        (True, True),
    ),
]


def check(story: Story, order: Order) -> None:
    db.session.expire_all()
    found = ledger.line_money(order.id)
    got = tuple({book: minor for book, minor in found[line.id].items() if minor} for line in order.lines)
    assert got == tuple({book: minor for book, minor in each.items() if minor} for each in story.behind)
    held = licenses.granted([line.id for line in order.lines])
    assert tuple(held[line.id].revoked_at is None for line in order.lines) == story.stands
    assert order.state == story.state
    alone = select(Posting.account, func.sum(Posting.minor)).where(Posting.line_id.is_(None)).group_by(Posting.account)
    balances = {Book(account): int(minor) for account, minor in db.session.execute(alone)}
    for book in (DISPUTES, LOSSES, Book.UNAPPLIED, Book.BUYERS):
        assert balances.get(book, 0) == story.others.get(book, 0), book


def begun(story: Story) -> tuple[Order, Payment]:
    lines = [
        sold(minor=minor, tax=tax, gift_to="bo@example.org" if number in story.gifts else None)
        for number, (minor, tax) in enumerate(story.lines)
    ]
    order = placed(rows.account(), *lines)
    return order, payment(order)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_step_by_step(app: Flask, story: Story) -> None:
    order, told = begun(story)
    follow(order, told)
    for step in story.said:
        told = step(told)
        for _again in range(2):
            follow(order, told)
    check(story, order)
    gateway = db.session.scalar(select(func.sum(Posting.minor)).where(Posting.account == Book.GATEWAY))
    assert gateway == told.captured.minor - told.refunded.minor - told.disputed.minor - 30


@pytest.mark.parametrize("story", [each for each in STORIES if each.said], ids=lambda story: story.name)
def test_older_answers_that_come_late_change_nothing(app: Flask, story: Story) -> None:
    order, told = begun(story)
    every = [told]
    for step in story.said:
        every.append(step(every[-1]))
    for each in every:
        follow(order, each)
    for each in every[:-1]:
        follow(order, each)
    check(story, order)


# Where the last answer alone says as much as all of them did, one after the other.
AT_ONCE = {"given back while a bank holds it, and the bank gives it back as well", "two disputes of one payment"}


@pytest.mark.parametrize(
    "story", [each for each in STORIES if each.said and each.name not in AT_ONCE], ids=lambda story: story.name
)
def test_all_of_it_heard_at_once_is_the_same(app: Flask, story: Story) -> None:
    order, told = begun(story)
    for step in story.said:
        told = step(told)
    follow(order, told)
    if story.name != "a part lost and the rest given back":
        check(story, order)
    held = licenses.granted([line.id for line in order.lines])
    assert tuple(held[line.id].revoked_at is None for line in order.lines) == story.stands


def ask(order: Order, lines: dict[str, int]) -> OrderRefund:
    with transaction():
        held = locks.locked(order.id)
        assert held is not None
        return refunds.ask(held, lines, reason="", origin=RefundOrigin.STAFF)


def standing(order: Order) -> list[bool]:
    held = licenses.granted([line.id for line in order.lines])
    return [held[line.id].revoked_at is None for line in order.lines]


def test_a_refund_that_names_its_lines_takes_their_money_and_their_tax(app: Flask) -> None:
    order, told = begun(Story("", TWO, (), (), ()))
    follow(order, told)
    first, second = (line.id for line in order.lines)
    made = ask(order, {first: 300, second: 500})
    assert standing(order) == [True, False]
    follow(order, refund(told, 800, key=made.id))
    money = ledger.line_money(order.id)
    assert money[first] == {SALES: 580, TAX: 110}
    assert sum(money[second].values()) == 0
    assert standing(order) == [True, False]


def test_what_was_wished_of_a_line_that_has_nothing_left_is_taken_from_the_others(app: Flask) -> None:
    """Somebody refunded at the dashboard while the shop was asking: nothing is left, so nothing stands."""
    order, told = begun(Story("", ((500, 0), (500, 0)), (), (), ()))
    follow(order, told)
    first, _second = (line.id for line in order.lines)
    made = ask(order, {first: 500})
    told = refund(told, 500, name="re_dashboard")
    told = refund(told, 500, key=made.id, name="re_shop")
    follow(order, told)
    assert [sum(each.values()) for each in ledger.line_money(order.id).values()] == [0, 0]
    assert standing(order) == [False, False]
    assert order.state == OrderState.REFUNDED


@pytest.mark.parametrize("order_of", list(permutations(range(3))))
def test_refunds_in_whatever_order_they_are_heard_of_leave_nothing(app: Flask, order_of: tuple[int, ...]) -> None:
    order, told = begun(Story("", ((333, 33), (334, 34), (1, 0)), (), (), ()))
    follow(order, told)
    for number in order_of:
        told = refund(told, (100, 267, 301)[number], name=f"re_{number}")
        follow(order, told)
    assert [sum(each.values()) for each in ledger.line_money(order.id).values()] == [0, 0, 0]
    assert standing(order) == [False, False, False]
    assert order.state == OrderState.REFUNDED


def test_more_than_was_paid_is_a_loss_and_no_line_s(app: Flask) -> None:
    """The gateway gives no more back than it took; if it ever did, the books would say so and balance."""
    order, told = begun(Story("", ONE, (), (), ()))
    follow(order, told)
    follow(order, refund(told, 1000))
    assert sum(ledger.line_money(order.id)[order.lines[0].id].values()) == 0
    lost = db.session.scalar(select(func.sum(Posting.minor)).where(Posting.account == LOSSES))
    assert lost == 10


def test_a_stray_payment_is_disputed_and_no_line_feels_it(app: Flask) -> None:
    order, told = begun(Story("", ONE, (), (), ()))
    follow(order, told)
    stray = dispute(replace(payment(order), id="pi_stray"), 990, name="dp_stray")
    follow(order, stray)
    assert standing(order) == [True]
    assert ledger.unapplied("pi_stray") == [Money(990, "EUR")]
    assert [each for each in queries.refunds_of(order.id) if each.payment_id == "pi_stray"] == []
    follow(order, dispute(stray, 990, LOST, name="dp_stray"))
    assert standing(order) == [True]


def test_a_fee_that_comes_later_is_booked_once(app: Flask) -> None:
    order, told = begun(Story("", ONE, (), (), ()))
    follow(order, replace(told, fee=None, net=None))
    assert not ledger.written(f"fee:{told.id}")
    for _again in range(2):
        follow(order, replace(told, fee=Money(45, "USD")))
    assert ledger.of_payment(told.id).fee == Money(45, "USD")


def test_what_costs_nothing_stands_whatever_becomes_of_the_rest(app: Flask) -> None:
    order, told = begun(Story("", ((990, 158), (0, 0)), (), (), ()))
    follow(order, told)
    follow(order, refund(told, 990))
    assert standing(order) == [False, True]


def test_a_free_order_has_nothing_in_the_books_and_is_granted_once(app: Flask) -> None:
    order = placed(rows.account(), sold(minor=0))
    with transaction():
        held = locks.locked(order.id)
        assert held is not None
        fulfilment.free(held)
    assert standing(order) == [True]
    assert ledger.of_order(order.id) == []
    held = locks.locked(order.id)
    assert held is not None
    with pytest.raises(ValueError, match="is not free, or was given already"):
        fulfilment.free(held)


def test_amounts_are_spread_to_the_last_unit_and_never_past_what_is_left(app: Flask) -> None:
    order, told = begun(Story("", ((333, 0), (333, 0), (334, 0)), (), (), ()))
    follow(order, told)
    left = 1000
    for minor in (1, 7, 100, 891, 1):
        made = ask(order, refunds.spread(order, Money(minor, "EUR")))
        told = refund(told, minor, key=made.id)
        follow(order, told)
        left -= minor
        assert sum(refunds.refundable(order).values()) == left
    assert standing(order) == [False, False, False]
    for amount in (Money(1, "EUR"), Money(0, "EUR"), Money(1, "USD")):
        with pytest.raises(refunds.NotRefundable):
            refunds.spread(order, amount)


@pytest.mark.parametrize("minor", [0, -1, 991])
def test_no_refund_of_nothing_of_less_or_of_more(app: Flask, minor: int) -> None:
    order, told = begun(Story("", ONE, (), (), ()))
    follow(order, told)
    with pytest.raises(refunds.NotRefundable):
        ask(order, {order.lines[0].id: minor})
    with pytest.raises(refunds.NotRefundable):
        ask(order, {"another line": 5})
    assert queries.refunds_of(order.id) == []


def test_time_for_a_refund_is_up_to_the_last_moment(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    order, told = begun(Story("", ONE, (), (), ()))
    follow(order, told)
    assert order.paid_at is not None
    end = order.paid_at + timedelta(days=14)
    for now, allowed in ((end - timedelta(microseconds=1), True), (end, False)):
        monkeypatch.setattr(clock, "now", lambda now=now: now)
        assert bool(refunds.by_customer(order)) == allowed
