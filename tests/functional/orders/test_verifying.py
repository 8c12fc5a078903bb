"""`wavecrate ledger verify`: nothing where nothing is wrong, and each thing that can be wrong found by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select, text
from support import rows
from support.selling import placed, sold
from support.till import FAILING_REFUNDS, Till

from app import cli
from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.ledger.models import Book, EntryKind
from app.ledger.service import Post, write
from app.licenses import service as licenses
from app.licenses.models import License
from app.orders import claims, commands, fulfilment, locks, refunds, settlement, tasks, verifying
from app.orders.models import Case, CaseKind, Claim, Order, RefundOrigin
from app.orders.proving import Fault
from app.settings import Settings


@pytest.fixture
def till(app: Flask, tmp_path: Path) -> Till:
    """Its clock is two hours behind: what is paid there is old enough to be told of."""
    made = Till(app, tmp_path)
    made.does.ask("POST", "clock", offset=-7200)
    return made


def faults() -> list[tuple[Fault, str]]:
    return [(each.fault, each.subject) for each in verifying.compare(verifying.prove()).differences]


def sale(till: Till, *minors: int, **means: str) -> tuple[Order, str]:
    order = placed(rows.account(), *(sold(minor=minor, tax=minor // 6) for minor in minors or (990,)))
    return order, till.pay(order, **means)


def asked(order: Order, lines: dict[str, int]) -> None:
    with transaction():
        held = locks.locked(order.id)
        assert held is not None
        made = refunds.ask(held, lines, reason="", origin=RefundOrigin.STAFF)
    settlement.carry_out(made.id)


def past_the_shop(statement: str, **values: object) -> None:
    """As somebody would who may write to the database, and leaves no trace behind."""
    with transaction():
        for table in ("ledger_entry", "ledger_posting"):
            db.session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        db.session.execute(text(statement), values)
        for table in ("ledger_entry", "ledger_posting"):
            db.session.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))


def test_nothing_differs_after_all_that_can_happen_in_good_order(till: Till) -> None:
    sale(till)
    part, _payment = sale(till, 990, 500)
    asked(part, {part.lines[0].id: 990, part.lines[1].id: 100})
    whole, _payment = sale(till)
    asked(whole, {whole.lines[0].id: 990})
    failed, _payment = sale(till, number=FAILING_REFUNDS)
    asked(failed, {failed.lines[0].id: 990})
    for outcome in ("won", "lost", None):
        _order, payment = sale(till, 700)
        dispute = till.does.dispute(payment)
        if outcome:
            till.does.close_dispute(dispute["id"], outcome)
    _partly, payment = sale(till, 700, 300)
    till.does.dispute(payment, amount=400)
    given = placed(rows.account(), sold(gift_to="bo@example.org"), sold(gift_to="cy@example.org"))
    till.pay(given)
    with transaction():
        waiting = db.session.scalars(select(Claim).where(Claim.line_id == given.lines[0].id)).one()
        claims.claim(waiting.id, rows.account("Bo"))
    free = placed(rows.account(), sold(minor=0))
    with transaction():
        held = locks.locked(free.id)
        assert held is not None
        fulfilment.free(held)
    placed(rows.account(), sold())
    till.does.advance(60)
    till.tell()

    made = verifying.compare(verifying.prove())
    assert made.differences == []
    assert (made.orders, made.payments, made.under_way) == (10, 9, 0)
    assert made.entries > 30


def test_a_payment_only_the_gateway_has_is_told_of_and_followed(till: Till) -> None:
    sale(till)
    order = placed(rows.account(), sold())
    payment = till.does.pay(till.open(order))["payment_intent"]
    assert faults() == [(Fault.NOT_IN_BOOKS, payment)]
    verifying.follow(payment)
    assert faults() == []


def test_a_payment_that_began_just_now_is_only_counted(till: Till) -> None:
    till.does.ask("POST", "clock", offset=0)
    order = placed(rows.account(), sold())
    till.does.pay(till.open(order))
    made = verifying.compare(verifying.prove())
    assert (made.differences, made.under_way) == ([], 1)


def test_a_refund_and_a_dispute_the_shop_never_heard_of(till: Till) -> None:
    _order, refunded = sale(till)
    _order, disputed = sale(till)
    till.refund(refunded, 300)
    till.does.dispute(disputed)
    found = verifying.compare(verifying.prove()).differences
    assert {(each.fault, each.subject) for each in found} == {(Fault.AMOUNTS, refunded), (Fault.AMOUNTS, disputed)}
    said = " ".join(each.says for each in found)
    assert "given back: the payment service says 3.00 EUR, the books say 0.00 EUR" in said
    assert "held by banks: the payment service says 9.90 EUR, the books say 0.00 EUR" in said
    for payment in (refunded, disputed):
        verifying.follow(payment)
    assert faults() == []


def test_amounts_that_somebody_changed_in_the_books(till: Till) -> None:
    _order, payment = sale(till)
    past_the_shop(
        "UPDATE ledger_posting SET minor = minor * 2 FROM ledger_entry WHERE entry_id = ledger_entry.id AND key = :key",
        key=f"fee:{payment}",
    )
    found = verifying.compare(verifying.prove()).differences
    assert [(each.fault, each.subject) for each in found] == [(Fault.AMOUNTS, payment)]
    assert found[0].says.startswith("fee: ")
    past_the_shop(
        "UPDATE ledger_posting SET minor = minor + 1 FROM ledger_entry"
        " WHERE entry_id = ledger_entry.id AND key = :key AND minor > 0",
        key=f"payment:{payment}",
    )
    assert {fault for fault, _subject in faults()} == {Fault.UNBALANCED, Fault.AMOUNTS}


def test_an_entry_taken_out_of_the_books(till: Till) -> None:
    order, payment = sale(till)
    past_the_shop(
        "WITH gone AS (DELETE FROM ledger_posting USING ledger_entry"
        " WHERE entry_id = ledger_entry.id AND key = :key) DELETE FROM ledger_posting WHERE false",
        key=f"payment:{payment}",
    )
    past_the_shop("DELETE FROM ledger_entry WHERE key = :key", key=f"payment:{payment}")
    assert set(faults()) == {(Fault.OWED, f"order {order.number}"), (Fault.AMOUNTS, payment)}


def test_a_payment_only_the_books_have(till: Till) -> None:
    with transaction():
        amount, less = Money(990, "EUR"), Money(-990, "EUR")
        posts = [Post(Book.GATEWAY, amount), Post(Book.UNAPPLIED, less)]
        write(EntryKind.PAYMENT, "payment:pi_ghost", posts, at=clock.now(), payment_id="pi_ghost")
    assert faults() == [(Fault.NOT_AT_GATEWAY, "pi_ghost")]


def _shut(order: Order) -> None:
    licenses.set_standing(order.lines[0].id, False, "by hand")


def _gone(order: Order) -> None:
    db.session.delete(db.session.scalars(select(License).where(License.grant_key == order.lines[0].id)).one())


def _unpaid(order: Order) -> None:
    other = placed(None, sold())
    licenses.grant(None, release_id=other.lines[0].offer.release_id, grant_key=other.lines[0].id)


def _owed(order: Order) -> None:
    posts = [Post(Book.BUYERS, Money(5, "EUR")), Post(Book.LOSSES, Money(-5, "EUR"))]
    write(EntryKind.ORDER, "order:again", posts, at=clock.now(), order_id=order.id)


def _unearned(order: Order) -> None:
    line = order.lines[0]
    line.gift_to = "bo@example.org"
    made = Claim(
        kind="gift",
        order_id=order.id,
        line_id=line.id,
        code="C",
        to_email="",
        send_at=clock.now(),
        claimed_at=clock.now(),
        claimed_by=order.account_id,
    )
    posts = [Post(Book.SALES, Money(5, "EUR"), line.id), Post(Book.GIFTS, Money(-5, "EUR"), line.id)]
    write(EntryKind.GIFT, "gift:wrong", posts, at=clock.now(), order_id=order.id)
    db.session.add(made)


@pytest.mark.parametrize(
    ("plant", "fault", "followed"),
    [
        (_shut, Fault.LICENSE, True),
        (_gone, Fault.LICENSE, False),
        (_unpaid, Fault.GIVEN_AWAY, False),
        (_owed, Fault.OWED, False),
        (_unearned, Fault.GIFT, False),
    ],
)
def test_rows_that_do_not_follow_the_ledger(
    till: Till, plant: Callable[[Order], None], fault: Fault, followed: bool
) -> None:
    order, _payment = sale(till)
    with transaction():
        plant(order)
    found = faults()
    assert [each for each, _subject in found] == [fault]
    if followed:
        verifying.follow(str(order.number))
        assert faults() == []


def test_a_paid_order_without_its_sale_in_the_books(till: Till) -> None:
    order, payment = sale(till)
    past_the_shop("DELETE FROM ledger_posting")
    past_the_shop("DELETE FROM ledger_entry")
    assert set(faults()) == {(Fault.UNBOOKED, f"order {order.number}"), (Fault.NOT_IN_BOOKS, payment)}
    verifying.follow(str(order.number))
    assert faults() == []


@pytest.mark.parametrize(
    "done",
    [
        "DROP TRIGGER append_only ON ledger_entry",
        "ALTER TABLE ledger_posting DISABLE TRIGGER append_only",
        "DROP TRIGGER balances ON ledger_posting",
        "CREATE OR REPLACE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RETURN NULL; END'",
    ],
)
def test_a_guard_that_was_taken_away(till: Till, done: str) -> None:
    with transaction():
        db.session.execute(text(done))
    assert {fault for fault, _subject in faults()} == {Fault.UNGUARDED}


def test_only_what_is_asked_for_is_looked_at(till: Till) -> None:
    till.does.ask("POST", "clock", offset=-7 * 86400)
    order, _payment = sale(till)
    with transaction():
        order.paid_at = clock.now() - timedelta(days=7)
        _shut(order)
    since = clock.now() - timedelta(days=3)
    made = verifying.compare(verifying.prove(since))
    assert (made.orders, made.payments, made.differences) == (0, 0, [])
    assert faults() == [(Fault.LICENSE, f"order {order.number}")]


def test_every_night_what_differs_raises_one_case(till: Till) -> None:
    tasks.verify()
    assert db.session.scalars(select(Case)).all() == []
    _order, payment = sale(till)
    till.refund(payment, 300)
    tasks.verify()
    tasks.verify()
    case = db.session.scalars(select(Case)).one()
    assert case.kind == CaseKind.BOOKS
    assert case.facts["found"] == "1"
    assert payment in case.facts["differences"][0]


def test_the_command_prints_what_differs_and_what_to_do(till: Till, capsys: pytest.CaptureFixture[str]) -> None:
    _order, payment = sale(till)
    assert commands.verify(since=None, as_json=False)
    told = capsys.readouterr().out
    assert "1 paid orders, 1 payments at the gateway" in told
    assert "Every entry balances" in told
    till.refund(payment, 300)
    assert not commands.verify(since=None, as_json=False)
    assert f"wavecrate ledger follow {payment}" in capsys.readouterr().err
    assert not commands.verify(since=None, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["clean"], told["differences"][0]["fault"]) == (False, "amounts")


def test_a_gateway_that_does_not_answer_is_no_proof(till: Till, capsys: pytest.CaptureFixture[str]) -> None:
    sale(till)
    till.does.fault("timeout_before")
    assert not commands.verify(since=None, as_json=False)
    assert "were not compared with the gateway" in capsys.readouterr().err


def test_from_a_terminal(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """No gateway answers there: exit code 1. What cannot be followed is said."""
    monkeypatch.setattr(cli, "load_settings", lambda: settings)
    shown = CliRunner().invoke(cli.cli, ["ledger", "verify", "--since", "2026-01-01", "--json"])
    assert shown.exit_code == 1
    assert json.loads(shown.stdout)["unanswered"]
    shown = CliRunner().invoke(cli.cli, ["ledger", "follow", "1001"])
    assert shown.exit_code == 1
    assert "There is no such order." in shown.output
