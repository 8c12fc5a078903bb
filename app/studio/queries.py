"""What the studio's pages and the importer ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import Select, func, select, true

from app.accounts.models import Account
from app.catalog import queries as catalog
from app.catalog import rights
from app.catalog.models import Release, Track
from app.core import clock
from app.core.db import db
from app.core.paging import Page
from app.media import queries as media
from app.media.models import JobState, Master, TranscodeJob
from app.studio.models import Upload, UploadPart
from transcoder.contract import Probe

_SHOWN_FOR = timedelta(days=2)
_MOVING = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class Readiness:
    """How far a release's recordings are: `share` from 0 to 1 over all tracks, and the tracks that failed and why."""

    total: int
    done: int
    running: int
    share: float
    failed: list[tuple[Track, str]]

    @property
    def ready(self) -> bool:
        """Whether every track can be heard."""
        return self.total > 0 and self.done == self.total

    @property
    def is_busy(self) -> bool:
        """Whether it changes by itself: tracks are being made, or wait for it."""
        return self.running > 0


def masters_known(sha256s: Iterable[str]) -> dict[str, Probe]:
    """What earlier imports found out about the same bytes, by SHA-256: they need no second look."""
    rows = db.session.execute(select(Master.sha256, Master.probe).where(Master.sha256.in_(list(sha256s))))
    return {sha256: Probe.from_dict(probe) for sha256, probe in rows}


def releases_with_masters(sha256s: Iterable[str]) -> list[Release]:
    """The releases that any of these masters belongs to, oldest first."""
    held = select(Track.release_id).join(Master, Master.track_id == Track.id).where(Master.sha256.in_(list(sha256s)))
    return list(
        db.session.scalars(select(Release).where(Release.id.in_(held)).order_by(Release.created_at, Release.id))
    )


def masters_of(release: Release) -> dict[str, str]:
    """The track each master of the release belongs to: SHA-256 -> track id."""
    rows = db.session.execute(
        select(Master.sha256, Master.track_id)
        .join(Track, Track.id == Master.track_id)
        .where(Track.release_id == release.id)
    )
    return {row.sha256: row.track_id for row in rows}


def readiness(releases: Sequence[Release]) -> dict[str, Readiness]:
    """How far each release's recordings are, by release id."""
    jobs = media.jobs_of([track.id for release in releases for track in release.tracks])
    return {release.id: _readiness(release.tracks, jobs) for release in releases}


def _readiness(tracks: Sequence[Track], jobs: dict[str, TranscodeJob]) -> Readiness:
    found = [(track, jobs.get(track.id)) for track in tracks]
    done = sum(1 for _track, job in found if job and job.state == JobState.DONE)
    share = sum(1.0 if job.state == JobState.DONE else job.progress for _track, job in found if job) / max(
        1, len(tracks)
    )
    failed = [(track, why_failed(job)) for track, job in found if job and job.state == JobState.FAILED]
    running = sum(1 for _track, job in found if job and job.state in _MOVING)
    return Readiness(len(tracks), done, running, share, failed)


def releases(editor: Account, page: int = 1) -> Page[Release]:
    """Every release that is the editor's to work on, the newest first, a page at a time."""
    return catalog.browse(page=page, include_drafts=True, only=rights.editable(editor))


def upload(upload_id: str, account_id: str) -> Upload | None:
    """An upload of that person's."""
    found = db.session.get(Upload, upload_id, populate_existing=True)
    return found if found is not None and found.account_id == account_id else None


def recent_uploads(account_id: str, limit: int = 20) -> list[Upload]:
    """What the person sent in the last two days, newest first; transfers that never finished are left out."""
    return list(
        db.session.scalars(
            select(Upload)
            .where(
                Upload.account_id == account_id,
                Upload.arrived_at.is_not(None),
                Upload.created_at > clock.now() - _SHOWN_FOR,
            )
            .order_by(Upload.created_at.desc(), Upload.id)
            .limit(limit)
        )
    )


def pending_uploads(account_id: str, limit: int = 20) -> list[Upload]:
    """What the person began to send and can go on with, the newest first."""
    return list(
        db.session.scalars(
            _pending().where(Upload.account_id == account_id).order_by(Upload.active_at.desc(), Upload.id).limit(limit)
        )
    )


def same_upload(
    account_id: str, filename: str, size: int, identity: str, replaces_id: str | None, *, or_any: bool = False
) -> Upload | None:
    """What the person began to send of the same file and for the same purpose.

    With `or_any`, where no track is named, also what was begun of that file to replace some track's master.
    """
    purpose = Upload.replaces_id == replaces_id if replaces_id else Upload.replaces_id.is_(None)
    found: Upload | None = db.session.scalar(
        _pending()
        .where(
            Upload.account_id == account_id,
            Upload.filename == filename,
            Upload.size == size,
            Upload.identity == identity,
            true() if or_any and not replaces_id else purpose,
        )
        .order_by(Upload.replaces_id.is_not(None), Upload.active_at.desc(), Upload.id)
        .limit(1)
    )
    return found


def announced_parts(upload_id: str) -> dict[int, bytes]:
    """The SHA-256 the browser gave for each part, by number."""
    rows = db.session.execute(
        select(UploadPart.number, UploadPart.sha256)
        .where(UploadPart.upload_id == upload_id)
        .order_by(UploadPart.number)
    )
    return {row.number: row.sha256 for row in rows}


def announced_count(upload_id: str) -> int:
    """How many parts the browser has begun to send."""
    asked = select(func.count()).select_from(UploadPart).where(UploadPart.upload_id == upload_id)
    return db.session.scalar(asked) or 0


def abandoned_uploads(before: datetime) -> list[Upload]:
    """Transfers that were never finished and in which nothing has moved since."""
    return list(db.session.scalars(select(Upload).where(Upload.arrived_at.is_(None), Upload.active_at < before)))


def uploads_to_come() -> set[str]:
    """The ids of all uploads that are being sent or looked at."""
    return set(db.session.scalars(select(Upload.id).where(Upload.track_id.is_(None), Upload.refused.is_(None))))


def _pending() -> Select[Any]:
    return select(Upload).where(Upload.arrived_at.is_(None), Upload.multipart_id.is_not(None))


def why_refused(upload: Upload) -> str | None:
    """The reason in the reader's language, as what follows the file's name."""
    if upload.refused is None:
        return None
    facts = {
        name: _(fact) if isinstance(fact, str) and fact else fact for name, fact in upload.refused["facts"].items()
    }
    message = upload.refused["message"]  # a name by itself: extraction takes a literal in here for a message
    said = str(_(message))
    return said % facts if facts else said


def why_failed(job: TranscodeJob) -> str:
    """What went wrong with a job and what to do about it, in the reader's language; the details are its `reason`."""
    said = {
        "damaged": _("The stored master is damaged. Send it again."),
        "disk": _("The worker's disk is full. Free some space there, then try again."),
        "encode": _("The encoder could not work with this master. Try again; if it fails again, send another copy."),
        "lost": _(
            "The worker was lost more than once over this master. Try again; if it is lost again, send another copy."
        ),
        "slow": _("It took longer than a master of this length may. Try again when the machine has less to do."),
        "store": _("The store of the masters did not answer. Try again in a moment."),
    }
    return said.get(
        job.failure or "", _("Something broke on our side. Try again; if it stays so, tell us the details.")
    )


@dataclass(frozen=True, slots=True)
class Recording:
    """A track and what can be heard of it: its master, its job, the stream on air, and of which master that is."""

    track: Track
    master: Master | None
    job: TranscodeJob | None
    can_be_heard: bool
    older_is_heard: bool

    @property
    def failed(self) -> bool:
        """Whether its transcoding came to a bad end."""
        return self.job is not None and self.job.state == JobState.FAILED

    @property
    def why(self) -> str | None:
        """What went wrong and what to do about it."""
        return why_failed(self.job) if self.job is not None and self.failed else None

    @property
    def is_busy(self) -> bool:
        """Whether something is being made of it, or waits to be."""
        return self.job is not None and self.job.state in _MOVING

    @property
    def is_on_air(self) -> bool:
        """Whether it can be heard while it is still being made."""
        return self.is_busy and self.can_be_heard and not self.older_is_heard


def recordings(release: Release) -> list[Recording]:
    """The release's recordings in the order of its tracks."""
    track_ids = [track.id for track in release.tracks]
    jobs, streams = media.jobs_of(track_ids), media.streams_of(track_ids)
    found = []
    for track in release.tracks:
        job, stream = jobs.get(track.id), streams.get(track.id)
        master = job.master if job else media.master_of(track.id)
        older = stream is not None and master is not None and stream.master_id != master.id
        found.append(Recording(track, master, job, stream is not None, older))
    return found


def stages() -> dict[str, str]:
    """What the stages of a transcode are called."""
    return {
        "queued": _("Waiting for its turn"),
        "fetch": _("Fetching the master"),
        "encode": _("Transcoding"),
        "package": _("Encrypting and packaging"),
        "store": _("Storing"),
        "done": _("Ready"),
    }
