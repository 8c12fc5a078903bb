"""Wishes come and go; every write to them."""

from __future__ import annotations

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from app.catalog.models import Release
from app.core import clock
from app.core.db import db
from app.discovery import events
from app.discovery.models import EventKind
from app.wishlist.models import Wish


def add(account_id: str, release: Release) -> None:
    """Put the release on the person's list; one that is there stays where it is."""
    wish = insert(Wish).values(account_id=account_id, release_id=release.id, created_at=clock.now())
    if db.session.scalar(wish.on_conflict_do_nothing().returning(Wish.release_id)) is not None:
        events.note(account_id, release.id, EventKind.WISHLIST)


def remove(account_id: str, release_id: str) -> None:
    """Take it off; one that isn't there is no error."""
    gone = delete(Wish).where(Wish.account_id == account_id, Wish.release_id == release_id)
    if db.session.scalar(gone.returning(Wish.release_id)) is not None:
        events.take_back(account_id, release_id, EventKind.WISHLIST)


def forget(account_id: str) -> None:
    """Empty the person's list, for good: they have gone."""
    db.session.execute(delete(Wish).where(Wish.account_id == account_id))
