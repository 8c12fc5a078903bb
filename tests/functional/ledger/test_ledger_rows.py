"""The ledger's rows: nothing unbalanced gets in, nothing that is in is changed, and one key is written once."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import pytest
from flask import Flask
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import IntegrityError

from app.core import clock, ids
from app.core.db import db, transaction
from app.core.money import BadAmount, Money
from app.ledger import queries, reading
from app.ledger.models import Book, Entry, EntryKind, Posting
from app.ledger.service import Post, Unbalanced, write


def put(key: str, *posts: tuple[Book, int, str], kind: EntryKind = EntryKind.PAYMENT, **about: str) -> bool:
    with transaction():
        return write(
            kind, key, [Post(book, Money(minor, currency)) for book, minor, currency in posts], at=clock.now(), **about
        )


def count(model: type) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


SALE = ((Book.GATEWAY, 990, "EUR"), (Book.BUYERS, -990, "EUR"))


def test_an_entry_is_kept_whole(app: Flask) -> None:
    assert put("payment:pi_1", *SALE, order_id="o1", payment_id="pi_1")
    entry = queries.entry("payment:pi_1")
    assert entry is not None
    assert (entry.kind, entry.order_id, entry.payment_id) == ("payment", "o1", "pi_1")
    assert [(each.account, each.minor, each.currency) for each in entry.postings] == list(SALE)


@pytest.mark.parametrize(
    "posts",
    [
        [(Book.GATEWAY, 990, "EUR")],
        [(Book.GATEWAY, 990, "EUR"), (Book.BUYERS, -989, "EUR")],
        [(Book.GATEWAY, 990, "EUR"), (Book.BUYERS, -990, "USD")],
        [*SALE, (Book.FEES, 1, "JPY")],
    ],
)
def test_what_does_not_balance_is_refused_before_anything_is_written(
    app: Flask, posts: list[tuple[Book, int, str]]
) -> None:
    with pytest.raises(Unbalanced):
        put("payment:pi_1", *posts)
    assert count(Entry) == count(Posting) == 0


def test_each_currency_balances_by_itself(app: Flask) -> None:
    assert put("payment:pi_1", *SALE, (Book.FEES, 30, "USD"), (Book.GATEWAY, -30, "USD"))
    assert count(Posting) == 4


def test_posts_of_nothing_are_left_out_and_so_is_an_entry_of_nothing_else(app: Flask) -> None:
    assert put("payment:pi_1", *SALE, (Book.FEES, 0, "EUR"))
    assert count(Posting) == 2
    assert put("fee:pi_1", (Book.FEES, 0, "EUR"), (Book.GATEWAY, 0, "EUR"))
    assert count(Entry) == 1


def test_a_currency_that_is_none_is_refused(app: Flask) -> None:
    with pytest.raises(BadAmount):
        put("payment:pi_1", (Book.GATEWAY, 1, "XXZ"), (Book.BUYERS, -1, "XXZ"))


def test_a_key_is_written_once_whatever_comes_with_it(app: Flask) -> None:
    assert put("payment:pi_1", *SALE)
    assert not put("payment:pi_1", (Book.GATEWAY, 5, "EUR"), (Book.BUYERS, -5, "EUR"))
    entry = queries.entry("payment:pi_1")
    assert entry is not None
    assert [each.minor for each in entry.postings] == [990, -990]


def test_of_many_who_write_one_key_at_once_one_does(app: Flask) -> None:
    together, said = threading.Barrier(6), []

    def work() -> None:
        with app.app_context():
            together.wait()
            said.append(put("payment:pi_1", *SALE))

    threads = [threading.Thread(target=work) for _number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == [False] * 5 + [True]
    assert (count(Entry), count(Posting)) == (1, 2)


def test_who_comes_second_waits_and_writes_where_the_first_gave_up(app: Flask) -> None:
    begun, second = threading.Event(), []

    def work() -> None:
        with app.app_context():
            begun.wait()
            second.append(put("payment:pi_1", *SALE))

    thread = threading.Thread(target=work)
    thread.start()
    write(EntryKind.PAYMENT, "payment:pi_1", [Post(book, Money(minor, c)) for book, minor, c in SALE], at=clock.now())
    begun.set()
    db.session.rollback()
    thread.join()
    assert second == [True]
    assert (count(Entry), count(Posting)) == (1, 2)


REWRITES = [
    "UPDATE ledger_entry SET at = now()",
    "UPDATE ledger_posting SET minor = minor * 2",
    "UPDATE ledger_posting SET account = 'losses' WHERE account = 'buyers'",
    "DELETE FROM ledger_posting",
    "DELETE FROM ledger_entry",
    "DELETE FROM ledger_posting WHERE false",
    "TRUNCATE ledger_posting",
    "TRUNCATE ledger_entry, ledger_posting",
    "TRUNCATE ledger_entry CASCADE",
    "INSERT INTO ledger_entry (id, kind, key, at, created_at, facts)"
    " VALUES ('x', 'fee', 'payment:pi_1', now(), now(), '{}') ON CONFLICT (key) DO UPDATE SET kind = 'fee'",
]


@pytest.mark.parametrize("statement", REWRITES)
def test_what_is_written_stays_whoever_tries(app: Flask, statement: str) -> None:
    put("payment:pi_1", *SALE)
    with pytest.raises(IntegrityError, match="the ledger is written once"), transaction():
        db.session.execute(text(statement))
    assert [(each.account, each.minor) for each in db.session.scalars(select(Posting).order_by(Posting.number))] == [
        ("gateway", 990),
        ("buyers", -990),
    ]


def _entry() -> str:
    made = ids.new_id()
    db.session.add(Entry(id=made, kind="fee", key=f"fee:{made}", at=clock.now()))
    db.session.flush()
    return made


def _post(entry_id: str, *minors: int, currency: str = "EUR") -> None:
    db.session.add_all(Posting(entry_id=entry_id, account="fees", currency=currency, minor=each) for each in minors)
    db.session.flush()


@pytest.mark.parametrize("minors", [(), (5,), (5, -4), (5, 5), (-5, 1)])
def test_the_database_itself_refuses_what_does_not_balance(app: Flask, minors: Iterable[int]) -> None:
    with pytest.raises(IntegrityError, match="does not balance"), transaction():
        _post(_entry(), *minors)
    assert count(Entry) == 0


def test_nothing_is_added_to_an_entry_later_that_leaves_it_off_balance(app: Flask) -> None:
    with transaction():
        made = _entry()
        _post(made, 5, -5)
    with pytest.raises(IntegrityError, match="does not balance"), transaction():
        _post(made, 1)
    with pytest.raises(IntegrityError, match="does not balance"), transaction():
        _post(made, 3, currency="USD")
    assert count(Posting) == 2


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"minor": 0}, "minor"),
        ({"account": "petty cash"}, "account"),
        ({"currency": "eur"}, "currency"),
    ],
)
def test_rows_that_mean_nothing_are_refused(app: Flask, change: dict[str, object], constraint: str) -> None:
    with transaction():
        made = _entry()
        _post(made, 5, -5)
    values = {"entry_id": made, "account": "fees", "currency": "EUR", "minor": 1} | change
    with pytest.raises(IntegrityError, match=f"ck_ledger_posting_{constraint}"):
        db.session.execute(insert(Posting), [values])
    db.session.rollback()


def test_balances_over_a_time(app: Flask) -> None:
    for day, key, minor in ((1, "a", 100), (2, "b", 200), (3, "c", -50)):
        with transaction():
            posts = [Post(Book.GATEWAY, Money(minor, "EUR")), Post(Book.SALES, Money(-minor, "EUR"))]
            write(EntryKind.PAYMENT, key, posts, at=clock.now().replace(year=2026, month=3, day=day))
    put("usd", (Book.GATEWAY, 7, "USD"), (Book.SALES, -7, "USD"))
    day2, day3 = (clock.now().replace(year=2026, month=3, day=each).date() for each in (2, 3))

    def told(since: object, until: object) -> dict[tuple[str, str], tuple[int, int, int, int]]:
        return {
            (each.book, each.before.currency): (
                each.before.minor,
                each.debit.minor,
                each.credit.minor,
                each.after.minor,
            )
            for each in reading.balances(since, until)  # type: ignore[arg-type]
        }

    assert told(None, None) == {
        ("gateway", "EUR"): (0, 300, 50, 250),
        ("sales", "EUR"): (0, 50, 300, -250),
        ("gateway", "USD"): (0, 7, 0, 7),
        ("sales", "USD"): (0, 0, 7, -7),
    }
    assert told(day2, day2) == {("gateway", "EUR"): (100, 200, 0, 300), ("sales", "EUR"): (-100, 0, 200, -300)}
    assert told(day3, day3)["gateway", "EUR"] == (300, 0, 50, 250)
