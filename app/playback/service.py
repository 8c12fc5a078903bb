"""Plays: who may begin one, what its signed path opens, and how far it went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from flask_babel import gettext as _
from sqlalchemy import CursorResult, delete, select
from sqlalchemy.dialects.postgresql import insert

from app.catalog.models import Track
from app.core import clock
from app.core.db import db
from app.core.errors import Conflict, Forbidden, NotFound
from app.core.i18n import locale_code
from app.discovery import events
from app.discovery.models import EventKind
from app.licenses import service as licenses
from app.licenses.models import Use
from app.media import queries as media
from app.media.models import JobState, Rendition
from app.playback.models import PlaySession, ResumePosition
from media_store import signing

ENTRY = "multivariant.m3u8"

# A track left within its last seconds was heard to its end: the next play begins at the beginning.
_TAIL_MS = 5_000
# How much of a track must have played for the event log to hear of it. Each step is told once per play, as the
# share gained since the step before, so the events of one play add up to the share that was reached.
_STEPS = (0.1, 0.5, 0.9)
# From here on it was heard to its end: films have credits, tracks their fading out.
_FINISHED = 0.9
# Who goes on to the next one before so much of it was heard has skipped it.
_SKIPPED = 0.5


@dataclass(frozen=True, slots=True)
class Play:
    """What a player needs to begin: `playlist` is a path that only this play opens; `position_ms` is where to start."""

    session: PlaySession
    track: Track
    stream: Rendition
    playlist: str
    position_ms: int


def begin(account_id: str, track_id: str, *, secret: str, seconds: int) -> Play:
    """Open a play of a licensed track for so long.

    Raises NotFound for a track nobody has, Forbidden without a license, Conflict where there is no stream yet.
    """
    track = db.session.get(Track, track_id)
    licensed = track is not None and licenses.may(account_id, track_id, Use.STREAM)
    if track is None or not (licensed or track.release.is_published):
        raise NotFound(_("There is no such track. It may have been withdrawn."))
    title = track.title_in(locale_code())
    if not licensed:
        raise Forbidden(
            _("“%(title)s” is not in your library. Buy it to hear the whole of it; the preview is free.", title=title)
        )
    stream = media.stream_of(track_id)
    if stream is None:
        raise Conflict(_no_stream_yet(track_id, title))
    session = PlaySession(
        account_id=account_id, track_id=track_id, expires_at=clock.now() + timedelta(seconds=seconds), played_share=0.0
    )
    db.session.add(session)
    db.session.flush()
    licenses.begin_play(account_id, track_id)
    prefix = signing.sign(secret, prefix=stream.key, session=session.id, expires=int(session.expires_at.timestamp()))
    return Play(session, track, stream, prefix + ENTRY, _resume_at(account_id, track))


def content_key(signed: signing.SignedPath, account_id: str | None) -> bytes:
    """The AES-128 key (16 bytes) of one minute of the stream that a verified path lies in.

    Asked each time, so that a refund is felt at the next request. Raises Forbidden unless the play is this
    person's own, still open, of a track that can be heard, and licensed at this moment. A play that began before the
    master was replaced is heard to its end: its signature names the stream it began with, and both are locked with
    the track's own key.
    """
    session = db.session.get(PlaySession, signed.session)
    if session is None or session.expires_at <= clock.now() or session.account_id != account_id:
        raise Forbidden(_("This play is over, or not yours. Press play again."))
    if media.stream_of(session.track_id) is None or signed.key_number is None:
        raise Forbidden(_("The stream is no longer there. Press play again."))
    if not licenses.may(account_id, session.track_id, Use.STREAM):
        raise Forbidden(_("Your license for this track has ended. Buy it again to go on."))
    return media.segment_key(session.track_id, signed.key_number)


def progress(
    session_id: str,
    account_id: str,
    *,
    position_ms: int,
    played_ms: int | None = None,
    ended: bool = False,
    skipped: bool = False,
) -> int:
    """Note how far a play has come; return where the next one will begin (ms).

    `played_ms` is how much was really heard, where the player counts it; else the position stands for it. `skipped`:
    the person went on to the next one; leaving a track for anything else says nothing against it.
    Raises NotFound where the play is not this person's, Forbidden once the license has ended.
    """
    session = db.session.scalars(
        select(PlaySession).where(PlaySession.id == session_id).with_for_update()
    ).one_or_none()
    track = db.session.get(Track, session.track_id) if session else None
    if session is None or track is None or session.account_id != account_id:
        raise NotFound(_("There is no such play. Press play again."))
    if not licenses.may(account_id, track.id, Use.STREAM):
        raise Forbidden(_("Your license for this track has ended. Buy it again to go on."))
    length = track.duration_ms or 0
    position = 0 if ended else max(0, min(position_ms, length))
    _remember(account_id, track.id, position)

    heard = (length if ended else position) if played_ms is None else played_ms
    share = max(0.0, min(heard / length, 1.0)) if length else float(ended)
    told = share if ended else max((step for step in _STEPS if share >= step), default=0.0)
    if licenses.holds(account_id, track.id):  # an editor's listening is no taste
        _tell(session, track, told, skipped=skipped and share < _SKIPPED)
    return position


def _tell(session: PlaySession, track: Track, told: float, *, skipped: bool) -> None:
    """Let the event log hear of what is new in this play: how much of it, that it was heard out, or skipped."""

    def note(kind: EventKind, value: float = 1.0) -> None:
        events.note(session.account_id, track.release_id, kind, track_id=track.id, value=value)

    before = session.played_share
    if told > before:
        note(EventKind.PLAY, told - before)
        session.played_share = told
        if before < _FINISHED <= told:
            note(EventKind.FINISH)
    if skipped:
        note(EventKind.SKIP)


def forget_ended(before: datetime) -> int:
    """Drop plays that were over before that moment; return how many. Where people left off is kept elsewhere."""
    gone = db.session.execute(delete(PlaySession).where(PlaySession.expires_at < before))
    return int(cast("CursorResult[Any]", gone).rowcount)


def _no_stream_yet(track_id: str, title: str) -> str:
    job = media.job_of(track_id)
    if job is not None and job.state == JobState.FAILED:
        return _("“%(title)s” could not be prepared for streaming. We have been told; try again later.", title=title)
    return _("“%(title)s” is still being prepared. Try again in a minute.", title=title)


def _resume_at(account_id: str, track: Track) -> int:
    left = db.session.get(ResumePosition, (account_id, track.id))
    if left is None or left.position_ms >= (track.duration_ms or 0) - _TAIL_MS:
        return 0
    return left.position_ms


def _remember(account_id: str, track_id: str, position_ms: int) -> None:
    row = {"account_id": account_id, "track_id": track_id, "position_ms": position_ms, "updated_at": clock.now()}
    statement = insert(ResumePosition).values(row)
    db.session.execute(
        statement.on_conflict_do_update(
            index_elements=["account_id", "track_id"],
            set_={"position_ms": statement.excluded.position_ms, "updated_at": statement.excluded.updated_at},
        )
    )
