"""What pages and players ask about masters and what was made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from app.catalog.models import Track
from app.core.db import db
from app.media.models import JobState, Master, Rendition, RenditionKind, StreamKey, TranscodeJob
from transcoder import contract
from transcoder.downloads import NAMES


def stream_of(track_id: str) -> Rendition | None:
    """The encrypted stream in force."""
    return _one(track_id, RenditionKind.STREAM)


def streams_of(track_ids: Sequence[str]) -> dict[str, Rendition]:
    """The encrypted streams in force, by track id."""
    return _by_track(track_ids, RenditionKind.STREAM)


def segment_key(track_id: str, number: int) -> bytes:
    """The AES-128 key of one minute of a track's stream. Ask `licenses.may` before giving it to anybody."""
    stream_key = db.session.scalars(select(StreamKey.key).where(StreamKey.track_id == track_id)).one()
    return contract.segment_key(stream_key, number)


def previews_of(track_ids: Sequence[str]) -> dict[str, Rendition]:
    """The previews of tracks, by track id; a track that has none is left out."""
    return _by_track(track_ids, RenditionKind.PREVIEW)


def posters_of(track_ids: Sequence[str]) -> dict[str, Rendition]:
    """The poster frames of films, by track id."""
    return _by_track(track_ids, RenditionKind.POSTER)


def downloads_of(track_id: str) -> dict[str, Rendition]:
    """The files of a track by format, in the order they are offered."""
    found = {
        rendition.name: rendition
        for rendition in db.session.scalars(
            select(Rendition).where(Rendition.track_id == track_id, Rendition.kind == RenditionKind.DOWNLOAD)
        )
    }
    return {name: found[name] for name in sorted(found, key=NAMES.index)}


def master_of(track_id: str) -> Master | None:
    """The master in force."""
    return db.session.scalar(
        select(Master).where(Master.track_id == track_id).order_by(Master.created_at.desc(), Master.id).limit(1)
    )


def job_of(track_id: str) -> TranscodeJob | None:
    """The job of the master in force."""
    return jobs_of([track_id]).get(track_id)


def jobs_of(track_ids: Sequence[str]) -> dict[str, TranscodeJob]:
    """The jobs of the masters in force, by track id."""
    rows = db.session.scalars(
        select(TranscodeJob)
        .join(Master, TranscodeJob.master_id == Master.id)
        .where(Master.track_id.in_(track_ids))
        .order_by(Master.created_at, Master.id.desc())
        .execution_options(populate_existing=True)
    )
    return {job.master.track_id: job for job in rows}


def tags_of(track: Track) -> contract.TagSet:
    """What the downloads of a track say of themselves: what the catalogue says."""
    release = track.release
    return contract.TagSet(
        title=track.title,
        title_zh=track.title_zh,
        artist=track.credited_artist.name,
        artist_zh=track.credited_artist.name_zh,
        album=release.title,
        album_zh=release.title_zh,
        album_artist=release.artist.name,
        label=release.label.name if release.label else None,
        genre=release.genre.name if release.genre else None,
        year=release.released_on.year if release.released_on else None,
        track=track.position,
        track_total=sum(1 for each in release.tracks if each.disc == track.disc),
        disc=track.disc,
        disc_total=max(each.disc for each in release.tracks),
        isrc=track.isrc,
    )


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How far the transcoding of everything is; `finished` counts jobs in fractions."""

    jobs: int
    done: int
    failed: int
    finished: float


def job_counts() -> JobCounts:
    """Every job there is, counted."""
    done = TranscodeJob.state == JobState.DONE
    row = db.session.execute(
        select(
            func.count(),
            func.count().filter(done),
            func.count().filter(TranscodeJob.state == JobState.FAILED),
            func.coalesce(func.sum(TranscodeJob.progress), 0.0),
        )
    ).one()
    return JobCounts(jobs=row[0], done=row[1], failed=row[2], finished=float(row[3]))


def _one(track_id: str, kind: RenditionKind) -> Rendition | None:
    return db.session.scalar(select(Rendition).where(Rendition.track_id == track_id, Rendition.kind == kind))


def _by_track(track_ids: Sequence[str], kind: RenditionKind) -> dict[str, Rendition]:
    rows = db.session.scalars(select(Rendition).where(Rendition.track_id.in_(track_ids), Rendition.kind == kind))
    return {rendition.track_id: rendition for rendition in rows}
