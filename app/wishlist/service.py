"""Wishes come and go; every write to them."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import CursorResult, Executable, delete
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
    if _changed(wish.on_conflict_do_nothing()):
        events.note(account_id, release.id, EventKind.WISHLIST)


def remove(account_id: str, release_id: str) -> None:
    """Take it off; one that isn't there is no error."""
    if _changed(delete(Wish).where(Wish.account_id == account_id, Wish.release_id == release_id)):
        events.take_back(account_id, release_id, EventKind.WISHLIST)


def forget(account_id: str) -> None:
    """Empty the person's list, for good: they have gone."""
    db.session.execute(delete(Wish).where(Wish.account_id == account_id))


def _changed(statement: Executable) -> bool:
    return bool(cast("CursorResult[Any]", db.session.execute(statement)).rowcount)
