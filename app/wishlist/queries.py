"""What is on a wishlist, for pages."""

from __future__ import annotations

from sqlalchemy import select

from app.catalog.models import Release, Status
from app.core.db import db
from app.wishlist.models import Wish


def wished(account_id: str) -> list[Release]:
    """The releases a person would like, the latest wish first; one that isn't public at present is left out."""
    wishes = db.session.scalars(
        select(Wish)
        .join(Wish.release)
        .where(Wish.account_id == account_id, Release.status == Status.PUBLISHED)
        .order_by(Wish.created_at.desc(), Wish.release_id)
    )
    return [wish.release for wish in wishes.unique()]


def is_wished(account_id: str | None, release_id: str) -> bool:
    """Whether the release is on the person's list; a guest has none."""
    return account_id is not None and db.session.get(Wish, (account_id, release_id)) is not None
