"""What media's rows need of the object store."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import select

from app.catalog.models import Track
from app.core.db import db
from app.core.holdings import Holding, HoldingKind
from app.media.models import JobState, Master, Rendition, TranscodeJob
from media_store import keys

_AT_ONCE = {"yield_per": 1000}


def keys_in_use(only: Collection[str] | None = None) -> Iterator[Holding]:
    """Every master ever taken in, every rendition in force, and the streams that jobs are at work on.

    `only` asks for holdings of these keys. A holding's `row` is the id of its track; a lost rendition is made again by
    `service.remake`.
    """
    at_work = set(_at_work())
    for prefix, track_id in at_work:
        if only is not None and prefix not in only:
            continue
        yield Holding(HoldingKind.UNFINISHED, prefix, track_id, "a stream in the making")
    in_the_making = {prefix for prefix, _track_id in at_work}
    masters = select(Master.sha256, Master.size, Master.track_id, Master.filename).order_by(Master.id)
    if only is not None:
        masters = masters.where(Master.sha256.in_([sha256 for key in only if (sha256 := keys.digest(key))]))
    for sha256, size, track_id, filename in db.session.execute(masters, execution_options=_AT_ONCE):
        if only is None or keys.master(sha256) in only:
            yield Holding(HoldingKind.MASTER, keys.master(sha256), track_id, filename, size)
    renditions = (
        select(Rendition.key, Rendition.size, Rendition.track_id, Rendition.name, Track.title)
        .join(Track, Rendition.track_id == Track.id)
        .order_by(Rendition.id)
    )
    if only is not None:
        renditions = renditions.where(Rendition.key.in_(only))
    for key, size, track_id, name, title in db.session.execute(renditions, execution_options=_AT_ONCE):
        if key not in in_the_making:
            yield Holding(HoldingKind.RENDITION, key, track_id, f"{title} ({name})", size)


def _at_work() -> list[tuple[str, str]]:
    """The folders of streams that are being made, which may be on air already."""
    rows = db.session.execute(
        select(TranscodeJob.stream_prefix, Master.track_id)
        .join(Master, TranscodeJob.master_id == Master.id)
        .where(TranscodeJob.state.in_([JobState.QUEUED, JobState.RUNNING]))
    )
    return [(prefix, track_id) for prefix, track_id in rows if prefix is not None]
