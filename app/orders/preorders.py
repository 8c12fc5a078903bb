"""What was ordered before it came out, found on the day it does."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import exists, func, select

from app.catalog.models import Release, Track
from app.core.db import db
from app.letters.models import Letter
from app.licenses.models import License
from app.orders.models import Order, OrderLine

_LOOK_BACK = timedelta(days=14)  # how long nobody may have looked without a letter going missing


def to_tell(now: datetime) -> list[tuple[License, OrderLine, Release]]:
    """Licenses that stand, sold before their release came out, which it has by now: one of each release and owner.

    Those whose letter was written already are left out.
    """
    release_id = func.coalesce(License.release_id, Track.release_id)
    owner = func.coalesce(License.account_id, OrderLine.order_id)
    rows = db.session.execute(
        select(License, OrderLine, Release)
        .outerjoin(Track, Track.id == License.track_id)
        .join(Release, Release.id == release_id)
        .join(OrderLine, OrderLine.id == func.split_part(License.grant_key, ":", 1))
        .where(
            Release.released_on <= now.date(),
            Release.released_on > (now - _LOOK_BACK).date(),
            License.revoked_at.is_(None),
            OrderLine.awaited,
            ~exists().where(Letter.key == func.concat("preorder:", release_id, ":", owner)),
        )
        .order_by(License.created_at, License.id)
    ).unique()
    found: dict[str, tuple[License, OrderLine, Release]] = {}
    for license_, line, release in rows:
        if release.is_published:
            found.setdefault(letter_key(license_, release, line.order), (license_, line, release))
    return list(found.values())


def letter_key(license_: License, release: Release, order: Order) -> str:
    """What the letter is about: a release, and whoever waited for it."""
    return f"preorder:{release.id}:{license_.account_id or order.id}"
