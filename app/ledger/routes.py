"""The ledger's page, for staff: accounts over a time, the entries, and both as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from typing import Any

from flask import Blueprint, Response, render_template, request, stream_with_context

from app.core.auth import Permission, access
from app.core.money import Money
from app.ledger import reading, words
from app.ledger.models import Book, EntryKind

blueprint = Blueprint("ledger", __name__, url_prefix="/staff/ledger")
blueprint.add_app_template_filter(words.kind, "entry_kind")
blueprint.add_app_template_filter(words.book, "book")

_COLUMNS = (
    "entry",
    "at",
    "kind",
    "key",
    "order",
    "payment",
    "account",
    "currency",
    "minor",
    "amount",
    "line",
    "written_at",
)


@blueprint.get("")
@access(Permission.LEDGER_READ)
def index() -> str:
    """What each account came to, and the entries behind that."""
    wanted = _wanted()
    return render_template(
        "ledger/index.html",
        wanted=wanted,
        asked=_asked(wanted),
        balances=reading.balances(wanted.since, wanted.until),
        found=reading.search(wanted, request.args.get("page", 1, type=int)),
        Book=Book,
        EntryKind=EntryKind,
    )


@blueprint.get("/entries.csv")
@access(Permission.LEDGER_READ)
def export() -> Response:
    """Every posting of the entries that match, as a CSV file: debit positive, times in UTC."""
    wanted = _wanted()

    def lines() -> Iterator[str]:
        yield _line(*_COLUMNS)
        for entry in reading.every(wanted):
            for post in entry.postings:
                yield _line(
                    entry.number,
                    entry.at.isoformat(timespec="seconds"),
                    entry.kind,
                    entry.key,
                    entry.order_id or "",
                    entry.payment_id or "",
                    post.account,
                    post.currency,
                    post.minor,
                    Money(post.minor, post.currency).decimal,
                    post.line_id or "",
                    entry.created_at.isoformat(timespec="seconds"),
                )

    name = "-".join(["ledger", *(str(each) for each in (wanted.since, wanted.until) if each)])
    return Response(
        stream_with_context(lines()),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"},
    )


def _wanted() -> reading.Wanted:
    kind, account = request.args.get("kind", ""), request.args.get("account", "")
    return reading.Wanted(
        since=_day("since"),
        until=_day("until"),
        kind=EntryKind(kind) if kind in set(EntryKind) else None,
        account=Book(account) if account in set(Book) else None,
        about=request.args.get("about", "").replace("\0", "").strip()[:255] or None,
    )


def _asked(wanted: reading.Wanted) -> dict[str, Any]:
    """The same, for the addresses of other pages of it."""
    return {name: value for name in wanted.__slots__ if (value := getattr(wanted, name)) is not None}


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None


def _line(*cells: Any) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()
