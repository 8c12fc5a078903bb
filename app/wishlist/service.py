"""Wishes come and go; every write to them."""

from __future__ import annotations

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from app.catalog.models import Release
from app.core import clock
from app.core.db import db
from app.wishlist.models import Wish


def add(account_id: str, release: Release) -> None:
    """Put the release on the person's list; one that is there stays where it is."""
    wish = insert(Wish).values(account_id=account_id, release_id=release.id, created_at=clock.now())
    db.session.execute(wish.on_conflict_do_nothing())


def remove(account_id: str, release_id: str) -> None:
    """Take it off; one that isn't there is no error."""
    db.session.execute(delete(Wish).where(Wish.account_id == account_id, Wish.release_id == release_id))


def forget(account_id: str) -> None:
    """Empty the person's list, for good: they have gone."""
    db.session.execute(delete(Wish).where(Wish.account_id == account_id))
