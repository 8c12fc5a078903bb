"""Routes of downloads: a release's files, one file, and the ZIP of all."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask_babel import format_decimal
from flask_login import current_user
from werkzeug.wrappers import Response

from app.core.auth import Access, access
from app.core.db import transaction
from app.core.store import media_store, settings
from app.downloads import service
from app.downloads.formats import BY_NAME
from app.downloads.models import Archive, ArchiveState

blueprint = Blueprint("downloads", __name__, url_prefix="/downloads")


@blueprint.get("/releases/<release_id>")
@access(Access.SIGNED_IN)
def release(release_id: str) -> Any:
    """Every format of what the person owns of a release, with sizes."""
    part = service.licensed(current_user.id, release_id)
    archives = {name: service.archive_of(part, name) for name in part.files if _packable(part, name)}
    return render_template(
        "downloads/release.html", part=part, formats=BY_NAME, archives=archives, megabytes=_megabytes
    )


@blueprint.get("/<track_id>/<format_name>")
@access(Access.SIGNED_IN)
def file(track_id: str, format_name: str) -> Any:
    """Send the person to the file, straight from the store."""
    with transaction():
        found = service.file(current_user.id, track_id, format_name)
        if request.method == "GET":
            service.note_download(current_user.id, found.track.release_id, [track_id], track_id)
    return _to_the_store(found.rendition.key, found.filename, found.rendition.content_type)


@blueprint.post("/releases/<release_id>/<format_name>")
@access(Access.SIGNED_IN)
def ask_for_archive(release_id: str, format_name: str) -> Any:
    """Have the ZIP made; answer with how far it is."""
    with transaction():
        part = service.licensed(current_user.id, release_id)
        found = service.ask_for_archive(part, format_name)
    if _is_fragment():
        return _state(part, format_name, found)
    return redirect(url_for(".release", release_id=release_id, _anchor=f"zip-{format_name}"), 303)


@blueprint.get("/releases/<release_id>/<format_name>")
@access(Access.SIGNED_IN)
def archive(release_id: str, format_name: str) -> Any:
    """Send the person to the ZIP once it is made; as a fragment, say how far it is."""
    with transaction():
        part = service.licensed(current_user.id, release_id)
        found = service.archive_of(part, format_name)
        ready = found is not None and found.state == ArchiveState.READY and found.key is not None
        if ready and request.method == "GET" and not _is_fragment():
            service.note_download(current_user.id, release_id, [track.id for track in part.tracks])
    if _is_fragment():
        return _state(part, format_name, found)
    if not ready:
        return redirect(url_for(".release", release_id=release_id, _anchor=f"zip-{format_name}"))
    assert found is not None
    assert found.key is not None
    return _to_the_store(found.key, service.archive_name(part.release), "application/zip")


def _to_the_store(key: str, filename: str, content_type: str) -> Response:
    seconds = settings().download_url_seconds
    url = media_store().download_url(key, filename=filename, content_type=content_type, seconds=seconds)
    answer = redirect(url, 302)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _state(part: service.Licensed, format_name: str, found: Archive | None) -> Any:
    page = render_template(
        "downloads/_archive.html", part=part, format=BY_NAME[format_name], archive=found, megabytes=_megabytes
    )
    answer = make_response(page)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _packable(part: service.Licensed, format_name: str) -> bool:
    """A ZIP of one file would only be in the way, and one that lacks a track would mislead."""
    return 1 < len(part.tracks) == len(part.files[format_name])


def _is_fragment() -> bool:
    return "HX-Request" in request.headers and "HX-Boosted" not in request.headers


def _megabytes(size: int) -> str:
    return f"{format_decimal(max(size, 100_000) / 1_000_000, format='#,##0.0')}\N{NO-BREAK SPACE}MB"
