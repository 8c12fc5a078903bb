"""Writing entries. Nothing here commits, and nothing anywhere changes what was written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.postgresql import insert

from app.core import clock, ids
from app.core.db import db
from app.core.money import Money
from app.ledger.models import Book, Entry, EntryKind, Posting


class Unbalanced(ValueError):
    """The postings of an entry don't come to nothing: what calls for it is wrong."""


@dataclass(frozen=True, slots=True)
class Post:
    """An amount on an account: positive is debit (the shop has or spends more), negative is credit.

    `line_id` names the order line whose money it is; only the accounts of earnings carry one.
    """

    book: Book
    amount: Money
    line_id: str | None = None


def write(
    kind: EntryKind,
    key: str,
    posts: Iterable[Post],
    *,
    at: datetime,
    order_id: str | None = None,
    payment_id: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> bool:
    """Write an entry in the caller's transaction; True if this call did, False if there was one of that key before.

    Posts of nothing are left out, and so is an entry of nothing else (True: there is nothing left to write). Raises
    Unbalanced, before anything is written, unless the rest comes to nothing in each currency.
    """
    kept = [post for post in posts if post.amount.minor]
    sums: dict[str, int] = {}
    for post in kept:
        sums[post.amount.currency] = sums.get(post.amount.currency, 0) + post.amount.minor
    if any(sums.values()):
        raise Unbalanced(f"{kind} {key} is off by {sums}")
    if not kept:
        return True
    entry_id = db.session.scalar(
        insert(Entry)
        .values(
            id=ids.new_id(),
            kind=kind,
            key=key,
            at=at,
            created_at=clock.now(),
            order_id=order_id,
            payment_id=payment_id,
            facts=dict(facts or {}),
        )
        .on_conflict_do_nothing(index_elements=[Entry.key])
        .returning(Entry.id)
    )
    if entry_id is None:
        return False
    db.session.execute(
        plain_insert(Posting),
        [
            {
                "entry_id": entry_id,
                "account": post.book,
                "currency": post.amount.currency,
                "minor": post.amount.minor,
                "line_id": post.line_id,
            }
            for post in kept
        ],
    )
    return True
