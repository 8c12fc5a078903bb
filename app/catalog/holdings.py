"""What the catalogue's rows need of the object store."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select

from app.catalog.models import Release
from app.core.db import db
from app.core.holdings import Holding, HoldingKind


def keys_in_use() -> Iterator[Holding]:
    """Every cover; a holding's `row` is the id of its release."""
    rows = db.session.execute(
        select(Release.cover_key, Release.id, Release.title).where(Release.cover_key.is_not(None)).order_by(Release.id)
    )
    for key, release_id, title in rows:
        assert key is not None
        yield Holding(HoldingKind.COVER, key, release_id, f"{title} (cover)")
