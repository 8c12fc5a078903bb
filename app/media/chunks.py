"""A film's chunks as rows: any worker takes the next, and one whose worker falls silent goes to another.

Chunks outlive an attempt at their job: what is done stays done, because it lies under the stream's own address.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, or_, select, update

from app.core import clock, queue
from app.core.db import db
from app.media.models import ChunkState, FilmChunk, JobState, TranscodeJob
from transcoder import contract

HELP = "media.help"
MAX_TRIES = 3
# No more helpers are called than this; each takes chunks until none is left.
_MOST_HELPERS = 16


def owner(attempt: int) -> str:
    """How the rows call an attempt at the film's job, as against a helper."""
    return f"attempt {attempt}"


def share(job_id: str, chunks: Sequence[contract.Chunk]) -> None:
    """Offer a film's chunks and call for helpers. The same cut as before keeps what is done of it.

    What an earlier attempt at the job itself had taken is free again at once.
    """
    known = {row.number: row for row in db.session.scalars(select(FilmChunk).where(FilmChunk.job_id == job_id))}
    if {number: row.chunk for number, row in known.items()} != {each.number: _as_stored(each) for each in chunks}:
        forget(job_id)
        db.session.add_all(FilmChunk(job_id=job_id, number=each.number, chunk=_as_stored(each)) for each in chunks)
        db.session.flush()
    else:
        db.session.execute(
            update(FilmChunk)
            .where(
                FilmChunk.job_id == job_id,
                FilmChunk.state == ChunkState.RUNNING,
                FilmChunk.taken_by.startswith("attempt "),
            )
            .values(state=ChunkState.WAITING)
        )
    if len(chunks) > 1:
        for _helper in range(min(_MOST_HELPERS, len(chunks) - 1)):
            queue.defer(HELP, queue_name=queue.TRANSCODE, args={"job_id": job_id})


def ladder(job_id: str) -> tuple[dict[str, Any], ...]:
    """What was chosen for the film when its chunks were shared; empty where none are."""
    told = db.session.scalar(select(FilmChunk.chunk).where(FilmChunk.job_id == job_id).limit(1))
    return contract.Chunk.from_dict(told).ladder if told is not None else ()


def take(job_id: str, *, taker: str, prefix: str, silent_seconds: float) -> contract.Chunk | None:
    """The next chunk of a running job that nobody works on, or whose worker has been silent for so long.

    None where the job's stream is not made under this prefix.
    """
    silent = clock.now() - timedelta(seconds=silent_seconds)
    free = (
        select(FilmChunk.id)
        .join(TranscodeJob, FilmChunk.job_id == TranscodeJob.id)
        .where(
            FilmChunk.job_id == job_id,
            TranscodeJob.state == JobState.RUNNING,
            TranscodeJob.stream_prefix == prefix,
            or_(
                FilmChunk.state == ChunkState.WAITING,
                (FilmChunk.state == ChunkState.RUNNING) & (FilmChunk.heartbeat_at < silent),
            ),
            FilmChunk.tries < MAX_TRIES,
        )
        .order_by(FilmChunk.number)
        .limit(1)
        .with_for_update(skip_locked=True, of=FilmChunk)
    )
    row = db.session.execute(
        update(FilmChunk)
        .where(FilmChunk.id == free.scalar_subquery())
        .values(state=ChunkState.RUNNING, taken_by=taker, tries=FilmChunk.tries + 1, heartbeat_at=clock.now())
        .returning(FilmChunk.chunk)
    ).first()
    return contract.Chunk.from_dict(row.chunk) if row else None


def exhausted(job_id: str, *, silent_seconds: float) -> str | None:
    """Why a chunk that has been tried as often as any may is not done; None where there is no such chunk.

    One whose last worker has fallen silent is not done either.
    """
    silent = clock.now() - timedelta(seconds=silent_seconds)
    row = db.session.execute(
        select(FilmChunk.state, FilmChunk.reason)
        .where(
            FilmChunk.job_id == job_id,
            FilmChunk.tries >= MAX_TRIES,
            or_(
                FilmChunk.state == ChunkState.WAITING,
                (FilmChunk.state == ChunkState.RUNNING) & (FilmChunk.heartbeat_at < silent),
            ),
        )
        .order_by(FilmChunk.number)
        .limit(1)
    ).first()
    if row is None:
        return None
    return row.reason if row.state == ChunkState.WAITING and row.reason else "The worker was lost over it."


def beat(job_id: str, number: int, *, taker: str) -> bool:
    """Say that the taker still works on it; False where it is not the taker's any more."""
    return _mine(job_id, number, taker, heartbeat_at=clock.now())


def done(job_id: str, report: contract.ChunkReport, *, taker: str) -> None:
    """Take a finished chunk; one that another has taken over meanwhile is left to that one."""
    _mine(job_id, report.number, taker, state=ChunkState.DONE, report=report.to_dict())


def give_back(job_id: str, number: int, reason: str, *, taker: str) -> None:
    """Let another worker try a chunk that did not succeed, and keep why."""
    _mine(job_id, number, taker, state=ChunkState.WAITING, reason=reason)


def hand_over(job_id: str, *, taker: str) -> None:
    """The taker leaves in good order: what it was at work on is free at once, and was not tried."""
    db.session.execute(
        update(FilmChunk)
        .where(FilmChunk.job_id == job_id, FilmChunk.taken_by == taker, FilmChunk.state == ChunkState.RUNNING)
        .values(state=ChunkState.WAITING, tries=FilmChunk.tries - 1)
    )


def reports(job_id: str) -> list[contract.ChunkReport]:
    """What is done so far."""
    rows = db.session.scalars(
        select(FilmChunk.report).where(FilmChunk.job_id == job_id, FilmChunk.state == ChunkState.DONE)
    )
    return [contract.ChunkReport.from_dict(row) for row in rows if row is not None]


def forget(job_id: str) -> None:
    """Drop a job's chunks: it is over, or cut anew."""
    db.session.execute(delete(FilmChunk).where(FilmChunk.job_id == job_id))


def _mine(job_id: str, number: int, taker: str, **values: object) -> bool:
    statement = update(FilmChunk).where(
        FilmChunk.job_id == job_id,
        FilmChunk.number == number,
        FilmChunk.taken_by == taker,
        FilmChunk.state == ChunkState.RUNNING,
    )
    return db.session.execute(statement.values(**values).returning(FilmChunk.id)).first() is not None


def _as_stored(chunk: contract.Chunk) -> dict[str, object]:
    """The chunk as JSON gives it back, to be compared."""
    return chunk.to_dict() | {"ladder": list(chunk.ladder)}
