"""The ledger's page and its file."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import rows

from app.accounts.models import Role
from app.core import clock
from app.core.db import transaction
from app.core.money import Money
from app.ledger.models import Book, EntryKind
from app.ledger.service import Post, write


@pytest.fixture
def manager(client: FlaskClient) -> FlaskClient:
    rows.staff(client, Role.MANAGER, "Mo")
    return client


def written(key: str, kind: EntryKind, book: Book, minor: int, *, days_ago: int = 0, currency: str = "EUR") -> None:
    with transaction():
        posts = [Post(Book.GATEWAY, Money(minor, currency)), Post(book, Money(-minor, currency), "line")]
        at = clock.now() - timedelta(days=days_ago)
        write(kind, key, posts, at=at, order_id=f"o-{key}", payment_id=f"pi-{key}")


def test_what_is_asked_for_is_shown(app: Flask, manager: FlaskClient) -> None:
    written("a", EntryKind.PAYMENT, Book.BUYERS, 990, days_ago=3)
    written("b", EntryKind.FEE, Book.FEES, -59)
    written("c", EntryKind.PAYMENT, Book.BUYERS, 1200, currency="JPY")

    def found(**asked: str) -> set[str]:
        page = manager.get("/staff/ledger", query_string=asked).text
        return {key for key in "abc" if f"o-{key}" in page}

    assert found() == {"a", "b", "c"}
    assert found(kind="fee") == found(account="fees") == found(about="pi-b") == found(about="o-b") == {"b"}
    assert found(about="nothing of the kind") == set()
    today = clock.now().date()
    assert found(since=str(today)) == {"b", "c"}
    assert found(until=str(today - timedelta(days=1))) == {"a"}
    page = manager.get("/staff/ledger", query_string={"since": "not a day", "kind": "none"}).text
    assert "¥1,200" in page
    assert "At the payment service" in page


def test_pages_of_entries_keep_what_was_asked(app: Flask, manager: FlaskClient) -> None:
    for number in range(52):
        written(f"n{number}", EntryKind.FEE, Book.FEES, -1)
    page = manager.get("/staff/ledger?kind=fee").text
    assert "Page 1 of 2" in page
    assert "/staff/ledger?page=2&amp;kind=fee" in page
    assert manager.get("/staff/ledger?kind=fee&page=2").text.count("o-n") > 0


def test_the_file_has_every_posting_that_was_asked_for(app: Flask, manager: FlaskClient) -> None:
    for number in range(600):
        written(f"n{number}", EntryKind.FEE, Book.FEES, -1 - number)
    written("other", EntryKind.PAYMENT, Book.BUYERS, 5)
    answer = manager.get("/staff/ledger/entries.csv?kind=fee")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="ledger.csv"'
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(lines) == 1200
    assert sum(int(line["minor"]) for line in lines) == 0
    assert (lines[0]["kind"], lines[0]["amount"], lines[1]["amount"]) == ("fee", "-0.01", "0.01")
    assert lines[1]["line"] == "line"
    dated = manager.get("/staff/ledger/entries.csv?since=2020-01-01&until=2020-01-02")
    assert dated.headers["Content-Disposition"] == 'attachment; filename="ledger-2020-01-01-2020-01-02.csv"'
    assert len(dated.text.splitlines()) == 1
