"""Downloads: which files a person may have, and the ZIPs made of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from flask_babel import gettext as _
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from app.catalog.models import Release, Track
from app.core import ids, queue
from app.core.db import db
from app.core.errors import Conflict, Forbidden, NotFound
from app.core.i18n import locale_code
from app.discovery import events
from app.discovery.models import EventKind
from app.downloads import naming
from app.downloads.archive import Member, fingerprint
from app.downloads.formats import BY_NAME
from app.downloads.models import Archive, ArchiveState
from app.licenses import service as licenses
from app.licenses.models import Use
from app.media import queries as media
from app.media.models import Rendition

TASK = "downloads.archive"


@dataclass(frozen=True, slots=True)
class File:
    """A file to be had: its rendition and the name it is saved under."""

    track: Track
    rendition: Rendition
    filename: str


@dataclass(frozen=True, slots=True)
class Licensed:
    """The part of a release that a person may download, and its files by format; `whole` where that is all of it."""

    release: Release
    tracks: list[Track]
    files: dict[str, list[File]]

    @property
    def whole(self) -> bool:
        """Whether no track is missing."""
        return len(self.tracks) == len(self.release.tracks)


def file(account_id: str, track_id: str, format_name: str) -> File:
    """The file of a licensed track.

    Raises NotFound for an unknown track or format, Forbidden without a license, Conflict where it isn't made yet.
    """
    track = db.session.get(Track, track_id)
    may = track is not None and licenses.may(account_id, track_id, Use.DOWNLOAD)
    if track is None or not (may or track.release.is_published):
        raise NotFound(_("There is no such track. It may have been withdrawn."))
    if not may:
        raise Forbidden(_("“%(title)s” is not in your library. Buy it to download it.", title=_title(track)))
    made = media.downloads_of(track_id)
    if format_name not in made:
        if format_name in BY_NAME and not made:
            raise Conflict(_("“%(title)s” is still being prepared. Try again in a minute.", title=_title(track)))
        raise NotFound(_("There is no such format. Choose one of those on the release's download page."))
    return _file(track, made[format_name])


def licensed(account_id: str, release_id: str) -> Licensed:
    """What of a release the person may download now; raises NotFound, or Forbidden where it is nothing."""
    release = db.session.get(Release, release_id)
    tracks = [track for track in release.tracks if licenses.may(account_id, track.id, Use.DOWNLOAD)] if release else []
    if release is None or not (tracks or release.is_published):
        raise NotFound(_("There is no such release. It may have been withdrawn."))
    if not tracks:
        title = release.title_in(locale_code())
        raise Forbidden(_("“%(title)s” is not in your library. Buy it to download it.", title=title))
    made = {track.id: media.downloads_of(track.id) for track in tracks}
    files = {
        name: found
        for name in BY_NAME
        if (found := [_file(track, made[track.id][name]) for track in tracks if name in made[track.id]])
    }
    return Licensed(release, tracks, files)


def note_download(account_id: str, release_id: str, track_ids: list[str], track_id: str | None = None) -> None:
    """Note on the licenses of these tracks that they were used for good, and tell the event log."""
    licenses.note_download(account_id, track_ids)
    events.note(account_id, release_id, EventKind.DOWNLOAD, track_id=track_id)


def archive_of(part: Licensed, format_name: str) -> Archive | None:
    """The ZIP of just these tracks in that format and language, in whatever state it is; None if never asked for."""
    members = _members(part, format_name)
    return db.session.scalars(
        select(Archive).where(
            Archive.release_id == part.release.id,
            Archive.format == format_name,
            Archive.fingerprint == fingerprint(members),
        )
    ).one_or_none()


def ask_for_archive(part: Licensed, format_name: str) -> Archive:
    """Have the ZIP made, unless it is there or on its way; one that failed is tried again."""
    members = _members(part, format_name)
    key = {"release_id": part.release.id, "format": format_name, "fingerprint": fingerprint(members)}
    new = db.session.scalar(
        insert(Archive)
        .values(id=ids.new_id(), state=ArchiveState.BUILDING, progress=0.0, **key)
        .on_conflict_do_nothing()
        .returning(Archive.id)
    )
    archive = db.session.scalars(
        select(Archive).filter_by(**key).with_for_update().execution_options(populate_existing=True)
    ).one()
    if new is None and archive.state != ArchiveState.FAILED:
        return archive
    archive.state, archive.progress, archive.reason = ArchiveState.BUILDING, 0.0, None
    args = {"archive_id": archive.id, "members": [asdict(member) for member in members]}
    queue.defer(TASK, lock=f"{TASK}/{archive.id}", args=args)
    return archive


def is_wanted(archive_id: str) -> bool:
    """Whether a worker that was told to make this ZIP still has to."""
    archive = db.session.get(Archive, archive_id, populate_existing=True)
    return archive is not None and archive.state != ArchiveState.READY


def report_progress(archive_id: str, progress: float) -> None:
    """Note how far the packing has come, 0 to 1."""
    db.session.execute(
        update(Archive)
        .where(Archive.id == archive_id, Archive.state == ArchiveState.BUILDING)
        .values(progress=min(max(progress, 0.0), 1.0))
    )


def publish(archive_id: str, *, key: str, size: int) -> None:
    """The ZIP lies in the store."""
    values = {"state": ArchiveState.READY, "progress": 1.0, "key": key, "size": size, "reason": None}
    db.session.execute(update(Archive).where(Archive.id == archive_id).values(**values))


def fail(archive_id: str, reason: str) -> None:
    """The ZIP could not be made; one that is there already stays."""
    db.session.execute(
        update(Archive)
        .where(Archive.id == archive_id, Archive.state == ArchiveState.BUILDING)
        .values(state=ArchiveState.FAILED, reason=reason)
    )


def lost(archive_id: str) -> None:
    """The ZIP is not in the store any more: the next who asks has it made again."""
    values = {"state": ArchiveState.FAILED, "progress": 0.0, "key": None, "size": None, "reason": "lost in the store"}
    db.session.execute(
        update(Archive).where(Archive.id == archive_id, Archive.state == ArchiveState.READY).values(**values)
    )


def archive_name(release: Release) -> str:
    """What the ZIP is saved under."""
    return f"{naming.folder(release, locale_code())}.zip"


def _members(part: Licensed, format_name: str) -> list[Member]:
    files = part.files.get(format_name, [])
    if format_name not in BY_NAME or (not files and part.files):
        raise NotFound(_("There is no such format. Choose one of those on the release's download page."))
    if len(files) < len(part.tracks):
        raise Conflict(_("Not all of these tracks come in that format yet. Choose another, or try again in a minute."))
    locale, folder = locale_code(), naming.folder(part.release, locale_code())
    members = [
        Member(f"{folder}/{naming.member_name(file.track, file.rendition.suffix, locale)}", file.rendition.key)
        for file in files
    ]
    if part.release.cover_key:
        members.append(Member(f"{folder}/cover.{part.release.cover_key.rpartition('.')[2]}", part.release.cover_key))
    return members


def _file(track: Track, rendition: Rendition) -> File:
    return File(track, rendition, naming.file_name(track, rendition.suffix, locale_code()))


def _title(track: Track) -> str:
    return track.title_in(locale_code())
