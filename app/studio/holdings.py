"""What uploads need of the object store."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import select

from app.core.db import db
from app.core.holdings import Holding, HoldingKind
from app.studio.models import Upload
from media_store import keys


def keys_in_use(only: Collection[str] | None = None) -> Iterator[Holding]:
    """Every upload that is neither a master yet nor refused. Whether it has arrived is for its own job to find.

    `only` asks for holdings of these keys.
    """
    uploads = select(Upload.id, Upload.filename).where(Upload.track_id.is_(None), Upload.refused.is_(None))
    if only is not None:
        uploads = uploads.where(Upload.id.in_([key.removeprefix(keys.UPLOADS) for key in only]))
    for upload_id, filename in db.session.execute(uploads):
        yield Holding(HoldingKind.UNFINISHED, keys.upload(upload_id), upload_id, filename)
