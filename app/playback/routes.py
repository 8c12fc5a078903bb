"""Routes of playback: begin a play, fetch what its signed path opens, tell how far it went.

All of them answer a player, not a reader: errors are JSON with a sentence to show, and nothing ever redirects.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask_babel import gettext as _
from flask_login import current_user

from app.core import clock, metrics
from app.core.auth import Access, access
from app.core.db import db, transaction
from app.core.errors import Forbidden, WavecrateError
from app.core.i18n import locale_code
from app.core.serving import REVALIDATED, serve_object, serve_text
from app.core.store import media_store, settings
from app.playback import service
from media_store import signing
from media_store.errors import BadSignature

blueprint = Blueprint("playback", __name__)

# RFC 8216, section 4; ISO/IEC 23000-19 (CMAF) for the segments. nginx/nginx.conf.template says the same.
_PLAYLIST = "application/vnd.apple.mpegurl"
_CONTENT_TYPES = {"m4s": "video/iso.segment", "mp4": "video/mp4", "vtt": "text/vtt"}
_MS_MAX = 2**31 - 1


@blueprint.errorhandler(WavecrateError)
def _refused(error: WavecrateError) -> tuple[Response, int]:
    db.session.rollback()
    answer = jsonify(error=str(error))
    answer.headers["Cache-Control"] = "no-store"
    return answer, error.status


@blueprint.post("/play/<track_id>")
@access(Access.SIGNED_IN)
def play(track_id: str) -> Any:
    """Begin a play: where its playlist is, and what the player shows."""
    with transaction():
        begun = service.begin(
            current_user.id,
            track_id,
            secret=settings().signing_secrets[0],
            seconds=settings().play_session_seconds,
        )
    metrics.PLAYS.inc()
    track, locale = begun.track, locale_code()
    answer = jsonify(
        session=begun.session.id,
        playlist=begun.playlist,
        position_ms=begun.position_ms,
        duration_ms=track.duration_ms,
        kind=track.release.kind,
        title=track.title_in(locale),
        artist=track.credited_artist.name_in(locale),
        release=track.release.title_in(locale),
        release_id=track.release_id,
        track_id=track.id,
        cover=f"/{track.release.cover_key}" if track.release.cover_key else None,
        peaks=begun.stream.facts.get("peaks", []),
        loudness=begun.stream.facts.get("loudness"),
        chapters=begun.stream.facts.get("chapters", []),
        expires_at=begun.session.expires_at.isoformat(),
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


# merge_slashes off: a doubled slash is refused like any other wrong path, instead of being redirected.
@blueprint.route("/media/<token>/<path:rest>", methods=["GET"], merge_slashes=False)
@access(Access.SIGNATURE)
def media(token: str, rest: str) -> Response:
    """A playlist or segment of the stream that the token opens, or its key to the one who plays it."""
    signed = _verified(token, rest)
    if signed.key_number is not None:
        account_id = current_user.id if current_user.is_authenticated else None
        try:
            answer = Response(service.content_key(signed, account_id), content_type="application/octet-stream")
        except WavecrateError:
            metrics.KEYS.labels("refused").inc()
            raise
        metrics.KEYS.labels("given").inc()
        answer.headers["Cache-Control"] = "no-store"
        return answer
    suffix = signed.file.rpartition(".")[2]
    if suffix == "m3u8":
        return serve_text(
            media_store(),
            signed.key,
            content_type=_PLAYLIST,
            cache_control=REVALIDATED,  # a film may be on air, and its playlist grow
            accept_encoding=request.headers.get("Accept-Encoding"),
            if_none_match=request.headers.get("If-None-Match"),
            head=request.method == "HEAD",
        )
    return serve_object(
        media_store(),
        signed.key,
        content_type=_CONTENT_TYPES[suffix],
        cache_control="private, max-age=86400, immutable",
        request_range=request.headers.get("Range"),
        if_none_match=request.headers.get("If-None-Match"),
        if_range=request.headers.get("If-Range"),
        head=request.method == "HEAD",
    )


@blueprint.post("/plays/<session_id>/progress")
@access(Access.SIGNED_IN)
def progress(session_id: str) -> Any:
    """Take `{position_ms, played_ms?, ended?, skipped?}`; answer where the next play will begin."""
    said = request.get_json(silent=True)
    said = said if isinstance(said, dict) else {}
    with transaction():
        position = service.progress(
            session_id,
            current_user.id,
            position_ms=_milliseconds(said.get("position_ms")),
            played_ms=None if said.get("played_ms") is None else _milliseconds(said["played_ms"]),
            ended=said.get("ended") is True,
            skipped=said.get("skipped") is True,
        )
    return jsonify(position_ms=position)


def _verified(token: str, rest: str) -> signing.SignedPath:
    # Nothing in a media path ever needs an escape, so one that holds any was not made by us. The decoded path
    # would be judged alike, but an edge in front of us may decode another way than WSGI does.
    raw = str(request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or "")
    try:
        if "%" in raw.partition("?")[0]:
            raise BadSignature("an escaped path")
        return signing.verify(settings().signing_secrets, token, rest, now=int(clock.now().timestamp()))
    except BadSignature:
        raise Forbidden(_("This link is not valid, or no longer. Press play again.")) from None


def _milliseconds(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MS_MAX:
        raise WavecrateError(_("A position is a number of milliseconds from the beginning."))
    return int(value)
