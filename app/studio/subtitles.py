"""Subtitles on a film's page: add a file, remove one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _

from app.catalog.models import Kind, Release, Track
from app.core.auth import Permission, access
from app.core.db import transaction
from app.core.errors import NotFound, WavecrateError
from app.media import subtitles
from app.studio import desk
from app.studio.forms import ActionForm, SubtitleForm
from transcoder import captions, languages

blueprint = Blueprint("subtitles", __name__)

# What the field suggests; any language may be typed.
SUGGESTED = ("en", "zh-Hans", "zh-Hant", "ja", "ko", "fr", "de", "es", "pt", "it", "ru", "ar", "hi")


def section(release: Release, form: SubtitleForm | None = None) -> dict[str, Any]:
    """What the partial template needs; nothing for a release that is no film."""
    if release.kind != Kind.FILM or not release.tracks:
        return {}
    rows = subtitles.of_track(release.tracks[0].id)
    return {
        "subtitles": rows,
        "subtitles_attached": subtitles.attached_now(release.tracks[0].id, rows),
        "subtitle_form": form or SubtitleForm(formdata=None),
        "subtitle_languages": [(tag, languages.language_name(tag)) for tag in SUGGESTED],
        "language_name": languages.language_name,
    }


@blueprint.post("/releases/<release_id>/subtitles")
@access(Permission.STUDIO)
def add(release_id: str) -> Any:
    """Take a file of subtitles for the film."""
    release, track = _film(release_id)
    form = SubtitleForm()
    if form.validate_on_submit():
        try:
            with transaction():
                subtitles.add(
                    track,
                    form.file.data.read(captions.MAX_BYTES + 1),
                    filename=form.file.data.filename or "subtitles",
                    language=(form.language.data or "").strip(),
                    name=form.name.data or "",
                    hearing=form.hearing.data,
                )
        except WavecrateError as error:
            form.file.errors = [str(error)]
        else:
            flash(_("The subtitles are kept. They are in the film within a minute."), "success")
            return redirect(url_for("studio.edit", release_id=release_id, _anchor="subtitles"), 303)
    return render_template("studio/subtitles.html", release=release, **section(release, form)), 422


@blueprint.post("/releases/<release_id>/subtitles/<subtitle_id>/remove")
@access(Permission.STUDIO)
def remove(release_id: str, subtitle_id: str) -> Any:
    """Take subtitles out of the film."""
    _release, track = _film(release_id)
    form = ActionForm()
    with transaction():
        found = subtitles.one(subtitle_id)
        if found is None or found.track_id != track.id or not form.validate_on_submit():
            raise NotFound(_("There are no such subtitles. They may be gone already."))
        subtitles.remove(found)
    flash(_("The subtitles are removed. The film is without them within a minute."), "success")
    return redirect(url_for("studio.edit", release_id=release_id, _anchor="subtitles"), 303)


def _film(release_id: str) -> tuple[Release, Track]:
    release = desk.release(release_id)
    if release.kind != Kind.FILM or not release.tracks:
        raise NotFound(_("There is no such film."))
    return release, release.tracks[0]
