"""The log of what staff did: it is only added to, gapless under load, and every change of it is found."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from support import rows
from support.terminal import wavecrate

from app.accounts.models import Role
from app.audit import queries, service
from app.audit.models import AuditEntry
from app.core.db import db, transaction
from app.settings import Settings


def write(count: int = 3) -> None:
    for number in range(count):
        with transaction():
            service.record(None, "order.refund", f"order:{number}", {"minor": 990 + number, "currency": "EUR"})


def tamper(settings: Settings, statement: str) -> None:
    """What somebody could do who owns the database: the trigger is no obstacle to them."""
    with psycopg.connect(settings.libpq_url) as connection:
        connection.execute("ALTER TABLE audit_entry DISABLE TRIGGER USER")
        connection.execute(statement)


def test_an_empty_log_and_a_whole_one_are_proved(app: Flask, settings: Settings) -> None:
    assert wavecrate(settings, "audit", "verify").stdout.startswith("0 entries, all whole.")
    write()
    done = wavecrate(settings, "audit", "verify")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("3 entries, all whole. Head: 3:")


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_entry SET action = 'x.y'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"]
)
def test_the_database_itself_refuses_to_change_the_log(app: Flask, settings: Settings, statement: str) -> None:
    write()
    with psycopg.connect(settings.libpq_url) as connection, pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        connection.execute(statement)
    assert queries.verify().entries == 3


@pytest.mark.parametrize(
    ("statement", "entry", "why"),
    [
        ("UPDATE audit_entry SET facts = '{\"minor\": 1}' WHERE seq = 2", 2, "not what was written"),
        ("UPDATE audit_entry SET actor_id = 'somebody' WHERE seq = 1", 1, "not what was written"),
        ("UPDATE audit_entry SET at = at + interval '1 us' WHERE seq = 3", 3, "not what was written"),
        ("UPDATE audit_entry SET hash = decode(repeat('00', 32), 'hex') WHERE seq = 2", 2, "not what was written"),
        ("DELETE FROM audit_entry WHERE seq = 2", 2, "missing"),
        ("DELETE FROM audit_entry WHERE seq = 1", 1, "missing"),
        ("DELETE FROM audit_entry WHERE seq = 2; UPDATE audit_entry SET seq = 2 WHERE seq = 3", 2, "entry before it"),
    ],
)
def test_the_first_broken_entry_is_named(app: Flask, settings: Settings, statement: str, entry: int, why: str) -> None:
    write(4)
    tamper(settings, statement)
    done = wavecrate(settings, "audit", "verify")
    assert done.exit_code == 1
    assert f"Entry {entry} is broken" in done.stderr
    assert why in done.stderr
    assert f"The {entry - 1} before it are whole" in done.stderr


def test_a_head_that_was_kept_shows_that_the_end_was_cut_off_or_all_was_written_anew(
    app: Flask, settings: Settings
) -> None:
    write(4)
    head = wavecrate(settings, "audit", "verify").stdout.split("Head: ")[1].strip()
    assert wavecrate(settings, "audit", "verify", "--head", head).exit_code == 0
    tamper(settings, "DELETE FROM audit_entry WHERE seq = 4")
    assert wavecrate(settings, "audit", "verify").exit_code == 0, "a chain cannot know its own end"
    cut = wavecrate(settings, "audit", "verify", "--head", head)
    assert cut.exit_code == 1
    assert "the log ends before it" in cut.stderr
    write(1)
    anew = wavecrate(settings, "audit", "verify", "--head", head)
    assert anew.exit_code == 1
    assert "another than was told before" in anew.stderr
    assert wavecrate(settings, "audit", "verify", "--head", "4:abc").exit_code == 2


def test_what_is_rolled_back_leaves_no_gap(app: Flask) -> None:
    write(1)
    service.record(None, "order.refund", "order:lost")
    db.session.rollback()
    write(1)
    assert list(db.session.scalars(select(AuditEntry.seq).order_by(AuditEntry.seq))) == [1, 2]
    assert queries.verify().broken is None


def test_many_at_once_make_one_chain_without_a_gap(app: Flask) -> None:
    def work(number: int) -> None:
        with app.app_context():
            for turn in range(10):
                try:
                    with transaction():
                        service.record(f"worker{number}", "case.close", f"case:{turn}", {"turn": turn})
                        if turn % 3 == 2:
                            raise InterruptedError
                except InterruptedError:
                    pass
            db.session.remove()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    proof = queries.verify()
    assert (proof.entries, proof.broken) == (8 * 7, None)


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


def test_whatever_json_is_kept_is_proved(app: Flask) -> None:
    @given(st.dictionaries(st.text("abc_", min_size=1), JSON, max_size=4))
    def keep(facts: dict[str, object]) -> None:
        with transaction():
            service.record(None, "thing.done", "thing:1", facts)
        db.session.expire_all()
        last = db.session.scalars(select(AuditEntry).order_by(AuditEntry.seq.desc()).limit(1)).one()
        assert last.facts == json.loads(json.dumps(facts))

    keep()
    proof = queries.verify()
    assert proof.broken is None
    assert proof.entries > 10


@pytest.mark.parametrize(
    ("action", "subject", "facts"),
    [
        ("refund", "order:1", {}),
        ("Order.Refund", "order:1", {}),
        ("order.refund", "", {}),
        ("order.refund", "x" * 81, {}),
        ("order.refund", "order:1", {"amount": 9.9}),
        ("order.refund", "order:1", {"at": datetime(2026, 1, 1, tzinfo=UTC)}),
        ("order.refund", "order:1", {"text": "a\0b"}),
    ],
)
def test_what_would_not_come_back_as_it_was_is_refused(
    app: Flask, action: str, subject: str, facts: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        service.record(None, action, subject, facts)
    assert db.session.scalar(select(func.count()).select_from(AuditEntry)) == 0


def test_a_number_is_given_once(app: Flask) -> None:
    write(1)
    again = db.session.get_one(AuditEntry, 1)
    copy = {column.name: getattr(again, column.name) for column in AuditEntry.__table__.columns}
    db.session.expunge(again)
    db.session.add(AuditEntry(**copy))
    with pytest.raises(IntegrityError):
        db.session.flush()
    db.session.rollback()


def test_staff_search_the_log_by_person_action_subject_and_day(app: Flask, client: FlaskClient) -> None:
    boss, other = rows.account("Bo"), rows.account("Cy")
    boss.role = Role.MANAGER
    with transaction():
        service.record(boss.id, "order.refund", "order:abc", {"minor": 990})
        service.record(other.id, "account.role", "account:def", {"to": "editor"})
        for number in range(60):
            service.record(None, "case.open", f"case:{number}")
    rows.sign_in(client, boss)
    first = client.get("/staff/audit").text
    assert "62 entries" in first
    assert "case:59" in first
    assert "order:abc" not in first, "it is on the second page"
    assert "order:abc" in client.get("/staff/audit?page=2").text
    by_mail = client.get(f"/staff/audit?actor={boss.email}").text
    assert "order:abc" in by_mail
    assert "account:def" not in by_mail
    assert f"Bo ({boss.email})" in by_mail
    assert "account:def" in client.get("/staff/audit?action=account.").text
    assert "1 entry" in client.get("/staff/audit?subject=abc").text
    assert "Nothing of the kind" in client.get("/staff/audit?until=2020-01-01").text
    assert "62 entries" in client.get("/staff/audit?since=2020-01-01&until=nonsense&page=x").text
    assert "Nothing of the kind" in client.get("/staff/audit?subject=%25&action=%00_").text
