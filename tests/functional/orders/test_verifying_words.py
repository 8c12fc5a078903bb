"""What `wavecrate ledger verify` says of each thing that is wrong, to the word; what it counts, and where it stops."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, text
from support import rows
from support.selling import placed, sold
from support.till import Till

from app.core import clock
from app.core.db import db, transaction
from app.core.errors import NotFound
from app.core.money import Money
from app.ledger.models import Book, EntryKind
from app.ledger.service import Post, write
from app.licenses import service as licenses
from app.licenses.models import License
from app.orders import commands, locks, refunds, settlement, verifying
from app.orders.models import Case, Claim, Order, RefundOrigin
from app.orders.proving import Difference, Fault
from app.orders.verifying import Proof
from app.payments.sandbox.state import State

BACKUP = "It was written past the shop: compare with a backup, and look for who could write to the database."
NOT_LISTED = "The books have a payment that the payment service doesn’t list."
WHOSE_KEY = (
    "See that the shop’s key is of the account that took it: there a payment is never deleted. If it is, somebody wrote"
    " into the ledger past the shop."
)
UNGUARDED = "The trigger that keeps the ledger from being rewritten is missing, changed or off."
PUT_BACK = "Put it back as migrations/versions/0012_ledger.py makes it, and compare with a backup."
NO_GRANT = "Licenses are granted once, when an order is paid: restore the row from a backup, or refund it."


@pytest.fixture
def till(app: Flask, tmp_path: Path) -> Till:
    """Its clock is two hours behind: what is paid there is old enough to be told of."""
    made = Till(app, tmp_path)
    made.does.ask("POST", "clock", offset=-7200)
    return made


def sale(till: Till, *minors: int) -> tuple[Order, str]:
    order = placed(rows.account(), *(sold(f"Part {minor}", minor=minor) for minor in minors or (990,)))
    return order, till.pay(order)


def found() -> list[Difference]:
    return verifying.compare(verifying.prove()).differences


def past_the_shop(statement: str, **values: object) -> None:
    """As somebody would who may write to the database, and leaves no trace behind."""
    with transaction():
        for table in ("ledger_entry", "ledger_posting"):
            db.session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        db.session.execute(text(statement), values)
        for table in ("ledger_entry", "ledger_posting"):
            db.session.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))


def ghost(name: str, at: datetime) -> None:
    """A payment in the books that was never made."""
    with transaction():
        posts = [Post(Book.GATEWAY, Money(990, "EUR")), Post(Book.UNAPPLIED, Money(-990, "EUR"))]
        write(EntryKind.PAYMENT, f"payment:{name}", posts, at=at, payment_id=name)


def change(till: Till, payment_id: str, **values: object) -> None:
    """Have the gateway say something else of a payment."""
    state: State = till.sandbox.extensions["sandbox_state"]
    with state.transaction() as connection:
        intent = State.get(connection, "payment_intent", payment_id)
        assert intent is not None
        State.put(connection, intent | values)


# The shop's own rows


def _shut(order: Order) -> None:
    licenses.set_standing(order.lines[1].id, False, "by hand")


def _opened(order: Order) -> None:
    held = locks.locked(order.id)
    assert held is not None
    refunds.ask(held, {order.lines[1].id: 500}, reason="", origin=RefundOrigin.STAFF)
    licenses.set_standing(order.lines[1].id, True, "")


def _gone(order: Order) -> None:
    db.session.delete(db.session.scalars(select(License).where(License.grant_key == order.lines[1].id)).one())


def _owed(order: Order) -> None:
    for minor, currency in ((5, "EUR"), (700, "JPY")):
        posts = [Post(Book.BUYERS, Money(minor, currency)), Post(Book.LOSSES, Money(-minor, currency))]
        write(EntryKind.ORDER, f"order:again:{currency}", posts, at=clock.now(), order_id=order.id)


def _claimed_gift(order: Order, *, claimed: bool, gift: bool, minor: int) -> None:
    line = order.lines[1]
    line.gift_to = "bo@example.org" if gift else None
    db.session.add(
        Claim(
            kind="gift",
            order_id=order.id,
            line_id=line.id,
            code="C",
            to_email="",
            send_at=clock.now(),
            claimed_at=clock.now() if claimed else None,
            claimed_by=order.account_id if claimed else None,
        )
    )
    if minor:
        posts = [Post(Book.SALES, Money(minor, "EUR"), line.id), Post(Book.GIFTS, Money(-minor, "EUR"), line.id)]
        write(EntryKind.GIFT, "gift:wrong", posts, at=clock.now(), order_id=order.id)


def _unearned(order: Order) -> None:
    _claimed_gift(order, claimed=True, gift=True, minor=1)


def _earned(order: Order) -> None:
    _claimed_gift(order, claimed=True, gift=True, minor=0)


def _waiting(order: Order) -> None:
    _claimed_gift(order, claimed=False, gift=True, minor=1)


def _no_gift(order: Order) -> None:
    _claimed_gift(order, claimed=True, gift=False, minor=1)


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (_shut, [(Fault.LICENSE, "The license for “{title}” should stand.", None)]),
        (_opened, [(Fault.LICENSE, "The license for “{title}” should be shut: no money is behind it.", None)]),
        (_gone, [(Fault.LICENSE, "“{title}” was never granted.", NO_GRANT)]),
        (
            _owed,
            [
                (Fault.OWED, "The buyer’s account has 0.05 EUR left, not nothing.", None),
                (Fault.OWED, "The buyer’s account has 700 JPY left, not nothing.", None),
            ],
        ),
        (_unearned, [(Fault.GIFT, "The gift “{title}” is claimed, and its money is not booked as earned.", None)]),
        (_earned, []),
        (_waiting, []),
        (_no_gift, []),
    ],
)
def test_what_is_wrong_with_an_order_is_said_with_its_remedy(
    till: Till, plant: Callable[[Order], None], told: list[tuple[Fault, str, str | None]]
) -> None:
    sale(till)
    order, _payment = sale(till, 990, 500)
    sale(till)
    number, title = order.number, order.lines[1].title
    with transaction():
        plant(order)
    remedy = f"Run “wavecrate ledger follow {number}”."
    assert sorted(verifying.prove().differences, key=lambda each: each.says) == [
        Difference(fault, f"order {number}", says.format(title=title), other or remedy) for fault, says, other in told
    ]


def test_what_was_given_away_is_told_of_by_order(till: Till) -> None:
    unpaid = [placed(None, sold("Tides"), sold("Harbour")), placed(None, sold("Ebb"))]
    with transaction():
        for line in (unpaid[1].lines[0], unpaid[0].lines[1]):
            licenses.grant(None, release_id=line.offer.release_id, grant_key=f"{line.id}:x")
        shut = unpaid[0].lines[0]
        licenses.grant(None, release_id=shut.offer.release_id, grant_key=shut.id)
        licenses.set_standing(shut.id, False, "by hand")
    assert found() == [
        Difference(
            Fault.GIVEN_AWAY,
            f"order {order.number}",
            f"“{order.lines[-1].title}” is licensed, and the order is not paid.",
            f"Run “wavecrate ledger follow {order.number}”; if it stays unpaid, find out who granted it.",
        )
        for order in unpaid
    ]


def test_a_sale_that_is_not_in_the_books_is_all_that_is_said_of_its_order(till: Till) -> None:
    order, _payment = sale(till)
    past_the_shop("DELETE FROM ledger_posting")
    past_the_shop("DELETE FROM ledger_entry")
    with transaction():
        licenses.set_standing(order.lines[0].id, False, "by hand")
    assert verifying.prove().differences == [
        Difference(
            Fault.UNBOOKED,
            f"order {order.number}",
            "It is paid, and its sale is not in the books.",
            f"Run “wavecrate ledger follow {order.number}”.",
        )
    ]


@pytest.mark.parametrize(
    ("done", "totals"),
    [
        ("UPDATE ledger_posting SET minor = minor + 1 FROM ledger_entry WHERE minor > 0 AND ", ["0.01 EUR"]),
        # Each currency by itself comes to nothing, or the entry doesn't.
        ("UPDATE ledger_posting SET currency = 'JPY' FROM ledger_entry WHERE minor > 0 AND ", ["-9.90 EUR", "990 JPY"]),
        ("DELETE FROM ledger_posting USING ledger_entry WHERE ", []),
        ("DELETE FROM ledger_posting USING ledger_entry WHERE minor < 0 AND ", ["9.90 EUR"]),
    ],
)
def test_an_entry_that_does_not_balance_is_named_and_so_is_what_all_come_to(
    till: Till, done: str, totals: list[str]
) -> None:
    _order, payment = sale(till)
    sale(till)
    past_the_shop(f"{done} entry_id = ledger_entry.id AND key = :key", key=f"payment:{payment}")
    unbalanced = [each for each in verifying.prove().differences if each.fault == Fault.UNBALANCED]
    assert unbalanced[0] == Difference(Fault.UNBALANCED, f"payment:{payment}", "The entry does not balance.", BACKUP)
    assert sorted(unbalanced[1:], key=lambda each: each.subject) == [
        Difference(Fault.UNBALANCED, total[-3:], f"All accounts come to {total}.", BACKUP) for total in totals
    ]


@pytest.mark.parametrize("table", ["ledger_entry", "ledger_posting"])
@pytest.mark.parametrize("name", ["append_only", "balances"])
@pytest.mark.parametrize(
    ("done", "noticed"),
    [
        ("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}", False),
        ("ALTER TABLE {table} ENABLE REPLICA TRIGGER {name}", True),
        ("ALTER TABLE {table} DISABLE TRIGGER {name}", True),
        ("DROP TRIGGER {name} ON {table}", True),
        ("ALTER TRIGGER {name} ON {table} RENAME TO other", True),
    ],
)
def test_each_guard_is_named_that_is_off(till: Till, table: str, name: str, done: str, noticed: bool) -> None:
    with transaction():
        db.session.execute(text(done.format(table=table, name=name)))
    missing = Difference(Fault.UNGUARDED, f"{table}.{name}", UNGUARDED, PUT_BACK)
    assert verifying.prove().differences == ([missing] if noticed else [])


def test_only_what_was_paid_since_then_is_counted_that_very_moment_too(till: Till) -> None:
    early, late = (sale(till)[0] for _number in range(2))
    since = clock.now() - timedelta(days=3)
    with transaction():
        early.paid_at, late.paid_at = since - timedelta(seconds=1), since
        for order in (early, late):
            licenses.set_standing(order.lines[0].id, False, "by hand")
    made = verifying.prove(since)
    assert made.orders == 1
    assert [each.subject for each in made.differences] == [f"order {late.number}"]
    assert verifying.prove().orders == 2


def test_all_is_read_as_of_one_moment_and_nothing_can_be_written_and_how_far_it_is_is_told(till: Till) -> None:
    sold_orders = [sale(till)[0] for _number in range(2)]
    orders = [order.number for order in sold_orders]
    with transaction():
        sold_orders[0].email = "moved@example.org"  # the row lies behind the other now: what is read is put in order
    told: list[tuple[float, float, str]] = []
    modes: list[tuple[str, str]] = []

    def note(done: float, total: float, name: str) -> None:
        told.append((done, total, name))
        modes.append(mode())

    db.session.execute(text("SELECT 1"))  # whoever calls may have read something
    verifying.prove(None, note)
    assert told == [(1, 2, f"order {orders[0]}"), (2, 2, f"order {orders[1]}")]
    assert modes == [("repeatable read", "on")] * 2
    assert mode() == ("read committed", "off")


def mode() -> tuple[str, str]:
    """How isolated the transaction is, and whether it can only read."""
    return tuple(db.session.scalar(text(f"SHOW transaction_{what}")) for what in ("isolation", "read_only"))  # type: ignore[return-value]


# Against the gateway


def test_payments_only_the_books_have_are_told_of_each(till: Till) -> None:
    now = clock.now()
    since = now - timedelta(days=3)
    for name, at in (("pi_b", since), ("pi_a", now), ("pi_old", since - timedelta(seconds=1))):
        ghost(name, at)
    assert verifying.compare(Proof(since)).differences == [
        Difference(Fault.NOT_AT_GATEWAY, name, NOT_LISTED, WHOSE_KEY) for name in ("pi_a", "pi_b")
    ]
    assert [each.subject for each in found()] == ["pi_a", "pi_b", "pi_old"]


def test_a_payment_the_books_do_not_have_is_told_with_its_amount_and_order(till: Till) -> None:
    order = placed(rows.account(), sold())
    payment = till.does.pay(till.open(order))["payment_intent"]
    assert found() == [
        Difference(
            Fault.NOT_IN_BOOKS,
            payment,
            f"The payment service has 9.90 EUR that the books don’t, for order {order.id}.",
            f"Run “wavecrate ledger follow {payment}”.",
        )
    ]


def test_what_was_not_paid_or_is_not_of_this_shop_is_passed_over_and_the_rest_is_not(till: Till) -> None:
    unknown = [till.does.pay(till.open(placed(None, sold())))["payment_intent"] for _number in range(5)]
    change(till, unknown[1], metadata={})  # whatever else the account is used for
    change(till, unknown[2], livemode=True)
    change(till, unknown[3], status="requires_payment_method")
    made = verifying.compare(verifying.prove())
    assert sorted(each.subject for each in made.differences) == sorted([unknown[0], unknown[4]])
    assert made.payments == 2


def test_how_far_asking_is_is_told_and_what_was_set_right_meanwhile_differs_no_more(till: Till) -> None:
    _order, known = sale(till)
    payment = till.does.pay(till.open(placed(None, sold())))["payment_intent"]
    ghost("pi_ghost", clock.now())
    ghost("pi_other", clock.now())
    told: list[tuple[float, float, str]] = []

    def note(done: float, total: float, name: str) -> None:
        told.append((done, total, name))
        verifying.follow(payment)

    made = verifying.compare(verifying.prove(), note)
    assert [(done, total) for done, total, _name in told] == [(2, 3)]
    assert told[0][2] in (known, payment)
    assert {each.subject for each in made.differences} == {"pi_ghost", "pi_other"}


@pytest.mark.parametrize(("more", "is_told"), [(-1, False), (0, True)])
def test_what_began_less_than_half_an_hour_ago_is_under_way(
    till: Till, monkeypatch: pytest.MonkeyPatch, more: int, is_told: bool
) -> None:
    payment = till.does.pay(till.open(placed(None, sold())))["payment_intent"]
    began = datetime.fromtimestamp(till.client.v1.payment_intents.retrieve(payment).created, UTC)
    monkeypatch.setattr(clock, "now", lambda: began + timedelta(minutes=30, seconds=more))
    made = verifying.compare(verifying.prove())
    assert (len(made.differences), made.under_way) == ((1, 0) if is_told else (0, 1))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("payment", "captured: the payment service says 9.90 EUR, the books say 0.00 EUR."),
        ("fee", "fee: the payment service says {fee} EUR, the books say 0.00 EUR."),
    ],
)
def test_an_entry_that_the_books_lack_is_told_as_nothing(till: Till, kind: str, said: str) -> None:
    _order, payment = sale(till)
    minor = db.session.scalar(
        text(
            "SELECT -minor FROM ledger_posting JOIN ledger_entry ON entry_id = ledger_entry.id"
            " WHERE key = :key AND account = 'gateway'"
        ),
        {"key": f"fee:{payment}"},
    )
    gone = {"key": f"{kind}:{payment}"}
    past_the_shop(
        "DELETE FROM ledger_posting USING ledger_entry WHERE entry_id = ledger_entry.id AND key = :key", **gone
    )
    past_the_shop("DELETE FROM ledger_entry WHERE key = :key", **gone)
    differences = [each for each in found() if each.fault == Fault.AMOUNTS]
    assert differences == [
        Difference(
            Fault.AMOUNTS,
            payment,
            said.format(fee=Money(minor, "EUR").decimal),
            f"Run “wavecrate ledger follow {payment}”.",
        )
    ]


def test_a_fee_that_the_gateway_does_not_know_yet_is_nothing_that_differs(till: Till) -> None:
    order = placed(rows.account(), sold())
    payment = till.does.pay(till.open(order))["payment_intent"]
    state: State = till.sandbox.extensions["sandbox_state"]
    charge_id = till.client.v1.payment_intents.retrieve(payment).latest_charge
    with state.transaction() as connection:
        charge = State.get(connection, "charge", str(charge_id))
        assert charge is not None
        State.put(connection, charge | {"balance_transaction": None})
    settlement.settle(order.id)
    assert found() == []


def test_a_free_gift_that_is_claimed_has_no_money_to_be_earned(till: Till) -> None:
    order = placed(rows.account(), sold(), sold(minor=0))
    till.pay(order)
    with transaction():
        _claimed_gift(order, claimed=True, gift=True, minor=0)
    assert found() == []


def test_an_order_there_is_not_cannot_be_followed(till: Till) -> None:
    with pytest.raises(NotFound, match=r"^There is no such order\.$"):
        verifying.follow("1001")


def test_following_an_order_asks_the_gateway_and_sets_its_licenses_right(till: Till) -> None:
    order, payment = sale(till)
    till.refund(payment, 990)
    verifying.follow(str(order.number))
    assert found() == []
    with transaction():
        licenses.set_standing(order.lines[0].id, True, "")
    assert len(found()) == 1
    verifying.follow(str(order.number))
    assert found() == []


# Every night, and on the terminal


def test_a_case_of_the_night_names_fifty_differences_and_counts_all(till: Till) -> None:
    names = [f"pi_{number:02}" for number in range(51)]
    now = clock.now()
    for name in reversed(names):
        ghost(name, now - timedelta(days=179))
    ghost("pi_old", now - timedelta(days=181))
    verifying.nightly()
    verifying.nightly()
    [case] = db.session.scalars(select(Case))
    assert case.facts == {
        "expected": "no differences",
        "found": "51",
        "differences": [f"{name}: {NOT_LISTED} {WHOSE_KEY}" for name in names[:50]],
    }
    ghost("pi_more", now)
    verifying.nightly()
    assert sorted(each.facts["found"] for each in db.session.scalars(select(Case))) == ["51", "52"]


def test_a_night_looks_at_the_orders_of_half_a_year(till: Till) -> None:
    orders = [sale(till)[0] for _number in range(2)]
    with transaction():
        for order, days in zip(orders, (179, 181), strict=True):
            order.paid_at = clock.now() - timedelta(days=days)
            licenses.set_standing(order.lines[0].id, False, "by hand")
    made = verifying.nightly()
    assert (made.orders, [each.subject for each in made.differences]) == (1, [f"order {orders[0].number}"])


def test_a_proof_as_json_has_all_of_it(till: Till, capsys: pytest.CaptureFixture[str]) -> None:
    nothing = {"entries": 0, "orders": 0, "payments": 0, "under_way": 0, "differences": []}
    assert Proof(None).to_dict() == nothing | {"since": None, "clean": True}
    since = datetime(2026, 1, 2, tzinfo=UTC)
    assert commands.verify(since=since, as_json=True)
    empty = nothing | {"since": "2026-01-02T00:00:00+00:00", "clean": True, "unanswered": None}
    assert json.loads(capsys.readouterr().out) == empty
    ghost("pi_a", clock.now())
    ghost("pi_old", since - timedelta(days=1))
    assert not commands.verify(since=since, as_json=True)
    difference = {"fault": "not_at_gateway", "subject": "pi_a", "says": NOT_LISTED, "remedy": WHOSE_KEY}
    more = {"entries": 2, "clean": False, "differences": [difference]}
    assert json.loads(capsys.readouterr().out) == empty | more
    till.does.fault("timeout_before")
    assert not commands.verify(since=None, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert "payment service" in told["unanswered"]
    assert (told["clean"], told["since"]) == (True, None)


def test_the_terminal_shows_how_far_it_is_what_was_counted_and_that_all_is_well(
    till: Till, capsys: pytest.CaptureFixture[str]
) -> None:
    sale(till)
    with transaction():
        count = verifying.proving.entries()
    assert commands.verify(since=None, as_json=False)
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "Proving the books: 100 %",
        "Asking the gateway: 100 %",
        f"{count} entries, 1 paid orders, 1 payments at the gateway.",
        "Every entry balances, every license has its money behind it, and the gateway says the same.",
    ]
    assert told.err == ""


def test_the_terminal_says_what_differs_what_is_under_way_and_when_nobody_answered(
    till: Till, capsys: pytest.CaptureFixture[str]
) -> None:
    ghost("pi_a", clock.now())
    till.does.ask("POST", "clock", offset=0)
    till.does.pay(till.open(placed(None, sold())))
    assert not commands.verify(since=None, as_json=False)
    told = capsys.readouterr()
    assert told.out.splitlines()[1:] == [
        "1 entries, 0 paid orders, 1 payments at the gateway.",
        "1 payments are under way and differ for now: run this again in half an hour.",
    ]
    assert told.err.splitlines() == [f"not_at_gateway: pi_a: {NOT_LISTED} {WHOSE_KEY}"]

    till.does.fault("timeout_before")
    assert not commands.verify(since=None, as_json=False)
    told = capsys.readouterr()
    assert told.out.splitlines() == ["1 entries, 0 paid orders, 0 payments at the gateway."]
    [words] = told.err.splitlines()
    assert words.startswith("The books were not compared with the gateway. ")
    assert "payment service" in words
