"""Reads for the outbox page, and for a person who asks what they were sent."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, or_, select

from app.core.db import db
from app.letters.models import Letter, LetterState


def letter(letter_id: str) -> Letter | None:
    """The letter, or None."""
    return db.session.get(Letter, letter_id)


def latest(*, before: Letter | None = None, limit: int = 50) -> Sequence[Letter]:
    """Letters, newest first; from after one of them on."""
    wanted = select(Letter).order_by(Letter.created_at.desc(), Letter.id).limit(limit)
    if before is not None:
        wanted = wanted.where(Letter.created_at < before.created_at)
    return db.session.scalars(wanted).all()


def about(subjects: Collection[str], *, since: datetime) -> Sequence[Letter]:
    """Letters since then whose key names one of these ids (`receipt:<id>`, `claim:<id>:…`), oldest first."""
    named = or_(*(func.split_part(Letter.key, ":", part).in_(subjects) for part in (2, 3)))
    return db.session.scalars(
        select(Letter).where(Letter.created_at >= since, named).order_by(Letter.created_at, Letter.id)
    ).all()


def of_account(account_id: str) -> Sequence[Letter]:
    """Letters to a person, the oldest first."""
    wanted = select(Letter).where(Letter.account_id == account_id).order_by(Letter.created_at, Letter.id)
    return db.session.scalars(wanted).all()


def ended_badly(key: str) -> bool:
    """Whether the last letter whose key begins so could not be delivered."""
    newest = select(Letter.state).where(Letter.key.startswith(key, autoescape=True)).order_by(Letter.created_at.desc())
    return db.session.scalar(newest.limit(1)) == LetterState.FAILED
