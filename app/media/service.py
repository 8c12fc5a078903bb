"""Masters in, renditions out: every write to what the room owns.

A job is claimed by raising its attempt number, and that number is the fence: an attempt that was overtaken can
neither report nor publish. No number is ever given twice; attempts that do not count against a job are `uncounted`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

from sqlalchemy import CursorResult, Update, case, delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert

from app.catalog.models import Release, Track
from app.core import clock, ids, queue
from app.core.db import db
from app.media import chunks, ingest, queries, sounds, subtitles
from app.media.models import JobState, Master, Rendition, RenditionKind, StreamKey, TranscodeJob
from app.settings import Settings
from media_store import keys
from transcoder import contract
from transcoder.errors import EncodeFailed

MAX_ATTEMPTS = 3
TASK = "media.transcode"
RETAG = "media.retag"
# The failure after which a film is encoded in one piece.
_IN_PIECES = EncodeFailed.kind

# Called in the transaction that publishes a track's renditions; rooms above register what they do about it.
on_published: list[Callable[[Track], None]] = []


class Superseded(Exception):
    """Another attempt has taken the job over, or it is finished: this one must stop and leave no trace."""


def enqueue_master(track: Track, *, sha256: str, size: int, filename: str, probe: contract.Probe) -> TranscodeJob:
    """Make a stored master the one in force, to be transcoded and listened to, in the caller's transaction.

    The same master again gives the same job: untouched while it is on its way or done, started afresh where it had
    failed or another master had come between.
    """
    _lock_track(track.id)
    newest = queries.master_of(track.id)
    master = db.session.scalar(select(Master).where(Master.track_id == track.id, Master.sha256 == sha256))
    if master is None:
        master = Master(track_id=track.id, sha256=sha256, size=size, filename=filename[:255], probe=probe.to_dict())
        db.session.add(master)
        db.session.flush()
        job = TranscodeJob(master_id=master.id)
        db.session.add(job)
        db.session.flush()
        _defer(job.id)
        ingest.enqueue(sha256)
        return job
    job = db.session.scalars(select(TranscodeJob).where(TranscodeJob.master_id == master.id)).one()
    if newest is not master:
        master.created_at = clock.now()
    if job.state == JobState.FAILED or (newest is not master and job.state == JobState.DONE):
        _restart(job)
    return job


def claim(job_id: str) -> TranscodeJob | None:
    """Take a job on: raise its attempt and mark it running. None where it is finished, unknown, or past saving.

    Taking over a running job is meant: the queue gives a job to one worker at a time, and again only when the
    worker before is lost. A job whose workers were lost too often ends failed here.
    """
    now = clock.now()
    taken = _changed(
        update(TranscodeJob)
        .where(
            TranscodeJob.id == job_id,
            TranscodeJob.state.in_([JobState.QUEUED, JobState.RUNNING]),
            TranscodeJob.attempt - TranscodeJob.uncounted < MAX_ATTEMPTS,
        )
        .values(
            state=JobState.RUNNING,
            attempt=TranscodeJob.attempt + 1,
            progress=0.0,
            stage="fetch",
            started_at=now,
            heartbeat_at=now,
        )
    )
    if not taken:
        lost = _changed(
            update(TranscodeJob)
            .where(TranscodeJob.id == job_id, TranscodeJob.state.in_([JobState.QUEUED, JobState.RUNNING]))
            .values(
                state=JobState.FAILED,
                reason=f"The worker was lost {MAX_ATTEMPTS} times while it worked on this master. Look into the file.",
                failure="lost",
                finished_at=now,
            )
        )
        if lost:
            _off_air(job_id)
        return None
    job = db.session.get(TranscodeJob, job_id, populate_existing=True)
    assert job is not None
    return job


def message_for(job: TranscodeJob, settings: Settings) -> contract.TranscodeJob:
    """All that the transcoder has to know of a claimed job; the job's row learns where its stream will lie."""
    message = _message(job, settings)
    prefix = keys.stream_prefix(message.stream_address)
    if job.stream_prefix != prefix:
        chunks.forget(job.id)  # what is done of them lies in another folder
        job.stream_prefix = prefix
    stream = select(Rendition.id).where(
        Rendition.track_id == job.master.track_id, Rendition.kind == RenditionKind.STREAM, Rendition.key == prefix
    )
    return replace(
        message,
        ladder=chunks.ladder(job.id),
        whole=job.failure == _IN_PIECES,
        in_force=bool(db.session.scalar(select(exists(stream)))),
    )


def message_to_help(job_id: str, settings: Settings) -> contract.TranscodeJob | None:
    """What a worker has to know to take chunks of a running job; None where there is nothing it could help with.

    A worker of another release of the shop, or with other settings, would make the stream elsewhere.
    """
    job = db.session.get(TranscodeJob, job_id, populate_existing=True)
    if job is None or job.state != JobState.RUNNING:
        return None
    message = _message(job, settings)
    return message if job.stream_prefix == keys.stream_prefix(message.stream_address) else None


def _message(job: TranscodeJob, settings: Settings) -> contract.TranscodeJob:
    track = job.master.track
    key = db.session.scalars(select(StreamKey.key).where(StreamKey.track_id == track.id)).one()
    return contract.TranscodeJob(
        job_id=job.id,
        attempt=job.attempt,
        master_key=keys.master(job.master.sha256),
        master_sha256=job.master.sha256,
        probe=contract.Probe.from_dict(job.master.probe),
        tags=queries.tags_of(track),
        stream_key=key,
        cover_key=track.release.cover_key,
        x264_preset=settings.x264_preset,
        cpu_count=settings.cpu_count,
    )


def hold(job_id: str, attempt: int) -> None:
    """Let nobody overtake the attempt before the transaction ends. Raises Superseded where somebody has."""
    if not _changed(_running(job_id, attempt).values(heartbeat_at=clock.now())):
        raise Superseded(job_id)


def on_air(job_id: str, attempt: int, made: contract.MadeRendition) -> None:
    """Put a stream in force while it is still made, where the track has none or one that was on air before.

    Raises Superseded. A track that can be heard already keeps what it has until the new stream is whole.
    """
    job = db.session.get(TranscodeJob, job_id)
    if job is None:
        raise Superseded(job_id)
    track_id = job.master.track_id
    _lock_track(track_id)  # before the job's row, as whoever publishes does
    hold(job_id, attempt)
    before = queries.stream_of(track_id)
    if queries.master_of(track_id) is not job.master or (before is not None and not before.facts.get("on_air")):
        return
    if before is not None:
        db.session.delete(before)
        db.session.flush()
    db.session.add(_rendition(job, made))
    db.session.flush()


def _off_air(job_id: str) -> None:
    """A job has failed for good: what was on air of it is taken down, and its chunks are forgotten."""
    chunks.forget(job_id)
    job = db.session.get(TranscodeJob, job_id)
    stream = queries.stream_of(job.master.track_id) if job else None
    if job is not None and stream is not None and stream.master_id == job.master_id and stream.facts.get("on_air"):
        db.session.delete(stream)
        db.session.flush()


def _rendition(job: TranscodeJob, made: contract.MadeRendition) -> Rendition:
    return Rendition(
        track_id=job.master.track_id,
        master_id=job.master_id,
        kind=made.kind,
        name=made.name,
        key=made.key,
        content_type=made.content_type,
        suffix=made.suffix,
        size=made.size,
        facts=made.facts,
    )


def report_progress(job_id: str, attempt: int, stage: str, fraction: float) -> None:
    """Say how far the attempt is; raise Superseded when it is no longer the one that counts."""
    values = {"stage": stage[:40], "progress": min(1.0, max(0.0, fraction)), "heartbeat_at": clock.now()}
    if not _changed(_running(job_id, attempt).values(values)):
        raise Superseded(job_id)


def publish(report: contract.RenditionReport) -> None:
    """Put what was made in force: the track's renditions are swapped whole, and the job is done.

    Where a newer master has come meanwhile, the job is done and publishes nothing. Raises Superseded.
    """
    # The session may be the one that claimed the job, and the catalogue another since.
    db.session.flush()
    db.session.expire_all()
    job = db.session.get(TranscodeJob, report.job_id)
    if job is None:
        raise Superseded(report.job_id)
    track_id = job.master.track_id
    _lock_track(track_id)
    now = clock.now()
    done = _running(report.job_id, report.attempt).values(
        state=JobState.DONE,
        progress=1.0,
        stage="done",
        heartbeat_at=now,
        finished_at=now,
        failure=None,
        report={"loudness": report.loudness, "timings": report.timings},
    )
    if not _changed(done):
        raise Superseded(report.job_id)
    chunks.forget(job.id)
    if queries.master_of(track_id) is not job.master:
        return
    db.session.execute(delete(Rendition).where(Rendition.track_id == track_id))
    for made in report.renditions:
        db.session.add(_rendition(job, made))
    sounds.publish(job, report)
    db.session.flush()
    for heard in on_published:
        heard(job.master.track)
    subtitles.published(track_id)
    retag(job.master.track.release)  # the catalogue may have changed while FFmpeg worked


def fail(job_id: str, attempt: int, reason: str, *, kind: str = "broken", retryable: bool = False) -> bool:
    """Record that an attempt ended without success; return whether there is to be another.

    A retryable failure puts the job back to wait, unless it was the last attempt; that a film could not be encoded in
    pieces is remembered whatever comes after. An attempt that was overtaken changes nothing.
    """
    if retryable:
        waiting = {
            "state": JobState.QUEUED,
            "stage": "queued",
            "progress": 0.0,
            "heartbeat_at": clock.now(),
            "failure": case((TranscodeJob.failure == _IN_PIECES, _IN_PIECES), else_=kind),
        }
        left = TranscodeJob.attempt - TranscodeJob.uncounted < MAX_ATTEMPTS
        if _changed(_running(job_id, attempt).where(left).values(waiting)):
            return True
        reason = f"{reason} (tried {MAX_ATTEMPTS} times)"
    failed = {"state": JobState.FAILED, "reason": reason, "failure": kind, "finished_at": clock.now()}
    if _changed(_running(job_id, attempt).values(failed)):
        _off_air(job_id)
    return False


def give_back(job_id: str, attempt: int) -> None:
    """A worker that leaves in good order puts its job back; what it was asked to stop does not count as a try."""
    waiting = {"state": JobState.QUEUED, "stage": "queued", "progress": 0.0, "uncounted": TranscodeJob.uncounted + 1}
    if _changed(_running(job_id, attempt).values(waiting)):
        chunks.hand_over(job_id, taker=chunks.owner(attempt))


def requeue_lost(silent_seconds: float) -> list[str]:
    """Put unfinished jobs that no queue message speaks of back on the queue; return their ids.

    Only such as have been silent for so long: a job that ended just now may still be writing its row.
    """
    spoken_of = {args.get("job_id") for args in queue.waiting_args(TASK)}
    lost = []
    for job in db.session.scalars(
        select(TranscodeJob)
        .where(TranscodeJob.state.in_([JobState.QUEUED, JobState.RUNNING]))
        .with_for_update(skip_locked=True, of=TranscodeJob)
    ):
        silent = (clock.now() - (job.heartbeat_at or job.created_at)).total_seconds()
        if job.id not in spoken_of and silent > silent_seconds:
            job.state, job.stage, job.progress = JobState.QUEUED, "queued", 0.0
            _defer(job.id)
            lost.append(job.id)
    return lost


def remake(track_id: str) -> bool:
    """Have everything made again of the track's master, because some of it was lost; False where that is under way."""
    _lock_track(track_id)
    job = queries.job_of(track_id)
    if job is None or job.state in (JobState.QUEUED, JobState.RUNNING):
        return False
    _restart(job)
    return True


def retag(release: Release) -> None:
    """Have the release's downloads say what the catalogue now says, where they say something else."""
    if stale_downloads(release.id):
        queue.defer(RETAG, lock=f"retag:{release.id}", args={"release_id": release.id})


@dataclass(frozen=True, slots=True)
class StaleDownload:
    """A download whose tags or cover are not the catalogue's any more, and what they should be."""

    rendition: Rendition
    tags: contract.TagSet
    cover_key: str | None

    @property
    def fingerprint(self) -> str:
        """What `facts["tagged"]` is to become."""
        return self.tags.fingerprint(self.cover_key)


def stale_downloads(release_id: str) -> list[StaleDownload]:
    """The downloads of a release that need new tags."""
    rows = db.session.execute(
        select(Rendition, Track)
        .join(Track, Rendition.track_id == Track.id)
        .where(Track.release_id == release_id, Rendition.kind == RenditionKind.DOWNLOAD)
    )
    found = [StaleDownload(rendition, queries.tags_of(track), track.release.cover_key) for rendition, track in rows]
    return [each for each in found if each.rendition.facts.get("tagged") != each.fingerprint]


def replace_download(rendition_id: str, old_key: str, new: contract.MadeRendition) -> bool:
    """Put a retagged file in the place of the old one; False where another has come there meanwhile."""
    return _changed(
        update(Rendition)
        .where(Rendition.id == rendition_id, Rendition.key == old_key)
        .values(key=new.key, size=new.size, facts=new.facts)
    )


def _restart(job: TranscodeJob) -> None:
    job.state, job.stage, job.progress, job.uncounted = JobState.QUEUED, "queued", 0.0, job.attempt
    job.reason, job.failure, job.finished_at = None, None, None
    db.session.flush()
    _defer(job.id)


def _defer(job_id: str) -> None:
    # The lock keeps two workers off one job, whatever is on the queue.
    queue.defer(TASK, queue_name=queue.TRANSCODE, lock=f"transcode:{job_id}", args={"job_id": job_id})


def _lock_track(track_id: str) -> None:
    """Make the track's key where there is none, and hold its row: masters of one track come one at a time."""
    row = {"id": ids.new_id(), "created_at": clock.now(), "track_id": track_id, "key": secrets.token_bytes(16)}
    db.session.execute(insert(StreamKey).values(row).on_conflict_do_nothing(index_elements=["track_id"]))
    db.session.execute(select(StreamKey.id).where(StreamKey.track_id == track_id).with_for_update())


def _running(job_id: str, attempt: int) -> Update:
    return update(TranscodeJob).where(
        TranscodeJob.id == job_id, TranscodeJob.attempt == attempt, TranscodeJob.state == JobState.RUNNING
    )


def _changed(statement: Update) -> bool:
    result: CursorResult[Any] = cast("CursorResult[Any]", db.session.execute(statement))
    return result.rowcount == 1
