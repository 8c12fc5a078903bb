"""Reads for the outbox page."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from app.core.db import db
from app.letters.models import Letter


def letter(letter_id: str) -> Letter | None:
    """The letter, or None."""
    return db.session.get(Letter, letter_id)


def latest(*, before: Letter | None = None, limit: int = 50) -> Sequence[Letter]:
    """Letters, newest first; from after one of them on."""
    wanted = select(Letter).order_by(Letter.created_at.desc(), Letter.id).limit(limit)
    if before is not None:
        wanted = wanted.where(Letter.created_at < before.created_at)
    return db.session.scalars(wanted).all()
