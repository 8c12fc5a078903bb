"""What the catalogue's rows need of the object store."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import select

from app.catalog.models import Release
from app.core.db import db
from app.core.holdings import Holding, HoldingKind


def keys_in_use(only: Collection[str] | None = None) -> Iterator[Holding]:
    """Every cover; `only` asks for holdings of these keys. A holding's `row` is the id of its release."""
    covers = (
        select(Release.cover_key, Release.id, Release.title).where(Release.cover_key.is_not(None)).order_by(Release.id)
    )
    if only is not None:
        covers = covers.where(Release.cover_key.in_(only))
    for key, release_id, title in db.session.execute(covers):
        assert key is not None
        yield Holding(HoldingKind.COVER, key, release_id, f"{title} (cover)")
