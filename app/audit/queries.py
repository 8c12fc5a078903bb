"""Reading the log: search for its page, and the proof that nothing in it was changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import select

from app.audit.models import AuditEntry
from app.audit.service import GENESIS, digest
from app.core.db import db
from app.core.paging import Page, page_of

PAGE_SIZE = 50
_BATCH = 2000

# Who an actor is, in words for a page, and whom the words typed into the search mean: rooms above add what they know.
naming: list[Callable[[str], str | None]] = []
finding: list[Callable[[str], str | None]] = []


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; what is None doesn't matter. Days are UTC, both included."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What a look through the whole log came to. `broken` is the number of the first entry that is not as it was
    written, and `why` what is wrong with it; both None where all are."""

    entries: int
    head: str | None
    broken: int | None = None
    why: str | None = None


def search(wanted: Wanted, page: int = 1) -> Page[AuditEntry]:
    """What matches, newest first: actor by id or by what the rooms above find, action by its beginning, subject by any
    part."""
    conditions = []
    if wanted.actor:
        actor = next((found for find in finding if (found := find(wanted.actor))), wanted.actor)
        conditions.append(AuditEntry.actor_id == actor)
    if wanted.action:
        conditions.append(AuditEntry.action.startswith(wanted.action, autoescape=True))
    if wanted.subject:
        conditions.append(AuditEntry.subject.contains(wanted.subject, autoescape=True))
    if wanted.since:
        conditions.append(AuditEntry.at >= _midnight(wanted.since))
    if wanted.until:
        conditions.append(AuditEntry.at < _midnight(wanted.until) + timedelta(days=1))
    return page_of(select(AuditEntry).where(*conditions), AuditEntry.seq.desc(), number=page, size=PAGE_SIZE)


def name_of(actor_id: str | None) -> str | None:
    """The actor in words, where a room above knows them."""
    return next((name for each in naming if actor_id and (name := each(actor_id))), None)


def verify(anchor: tuple[int, str] | None = None) -> Proof:
    """Compute every hash anew, in order, and compare.

    `anchor` is a number and a hash (hex) that an earlier proof gave as the head: it shows that the log's end was not
    cut off, or the whole chain made anew, since then.
    """
    before, expected, last = GENESIS, 1, None
    while True:
        batch = db.session.execute(
            select(
                AuditEntry.seq,
                AuditEntry.at,
                AuditEntry.actor_id,
                AuditEntry.action,
                AuditEntry.subject,
                AuditEntry.facts,
                AuditEntry.prev_hash,
                AuditEntry.hash,
            )
            .where(AuditEntry.seq >= expected)
            .order_by(AuditEntry.seq)
            .limit(_BATCH)
        ).all()
        for row in batch:
            why = None
            if row.seq != expected:
                return Proof(expected - 1, last, expected, "it is missing")
            if row.prev_hash != before:
                why = "it does not name the entry before it"
            elif digest(*row[:7]) != row.hash:
                why = "its content is not what was written"
            elif anchor is not None and anchor[0] == row.seq and anchor[1] != row.hash.hex():
                why = "it is another than was told before"
            if why:
                return Proof(expected - 1, last, row.seq, why)
            before, last, expected = row.hash, row.hash.hex(), expected + 1
        if len(batch) < _BATCH:
            break
    if anchor is not None and anchor[0] >= expected:
        return Proof(expected - 1, last, expected, "the log ends before it")
    return Proof(expected - 1, last)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
