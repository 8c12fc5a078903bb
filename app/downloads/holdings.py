"""What the ZIPs need of the object store."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import select

from app.catalog.models import Release
from app.core import queue
from app.core.db import db
from app.core.holdings import Holding, HoldingKind
from app.downloads.models import Archive, ArchiveState
from app.downloads.service import TASK


def keys_in_use(only: Collection[str] | None = None) -> Iterator[Holding]:
    """Every ZIP that is ready, and what goes into those that are still to be packed.

    `only` asks for holdings of these keys. A holding's `row` is the archive's id; a lost one is given up by
    `service.lost`, and packed again when asked for.
    """
    for job in queue.waiting_args(TASK):
        for member in job.get("members", []):
            if isinstance(member, dict) and (only is None or member["key"] in only):
                yield Holding(HoldingKind.UNFINISHED, member["key"], job["archive_id"], "part of a ZIP to be packed")
    archives = (
        select(Archive.key, Archive.size, Archive.id, Archive.format, Release.title)
        .join(Release, Archive.release_id == Release.id)
        .where(Archive.state == ArchiveState.READY, Archive.key.is_not(None))
        .order_by(Archive.id)
    )
    if only is not None:
        archives = archives.where(Archive.key.in_(only))
    for key, size, archive_id, name, title in db.session.execute(archives):
        assert key is not None
        yield Holding(HoldingKind.ARCHIVE, key, archive_id, f"{title} ({name}, ZIP)", size)
