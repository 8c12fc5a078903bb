"""The studio's pages: releases, uploads, editing, publishing."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.catalog import queries as catalog
from app.catalog.models import Release
from app.core.auth import Permission, access
from app.core.db import transaction
from app.core.errors import WavecrateError
from app.core.i18n import locale_code
from app.core.store import media_store
from app.media import queries as media
from app.media.models import JobState
from app.studio import api, bundles, covers, desk, labels, offers, queries, reports, service, subtitles, uploads
from app.studio.forms import FORM_PARTS, ActionForm, ReleaseForm, cell_name
from app.studio.models import Upload
from app.studio.sale_form import TrackToComeForm
from transcoder.accepted import CALLED, SUFFIXES

blueprint = Blueprint("studio", __name__, url_prefix="/studio")
blueprint.register_blueprint(api.blueprint)
blueprint.register_blueprint(bundles.blueprint)
blueprint.register_blueprint(offers.blueprint)
blueprint.register_blueprint(reports.blueprint)
blueprint.register_blueprint(subtitles.blueprint)
blueprint.register_blueprint(labels.blueprint)

COVER_UPLOAD_LIMIT = 12 * 1024**2
_FORM_TEXT_LIMIT = 2 * 1024**2


@blueprint.url_value_preprocessor
def _room_for_a_long_release(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    # This early, because the CSRF check that comes next reads the form, picture and all.
    if endpoint == "studio.save":
        request.max_content_length = COVER_UPLOAD_LIMIT + _FORM_TEXT_LIMIT
        request.max_form_parts = FORM_PARTS


@blueprint.get("")
@access(Permission.STUDIO)
def index() -> str:
    """Every release and how far it is; what was sent lately."""
    page = queries.releases(desk.editor(), request.args.get("page", 1, type=int))
    recent = [u for u in queries.recent_uploads(current_user.id) if u.track_id is None]
    return render_template(
        "studio/index.html",
        page=page,
        readiness=queries.readiness(page.items),
        uploads=[_upload_state(upload) for upload in recent],
        pending=len(queries.pending_uploads(current_user.id)),
        stages=queries.stages(),
    )


@blueprint.get("/upload")
@access(Permission.STUDIO)
def upload() -> str:
    """Send masters from the browser; with `track`, a new master of that track."""
    track = None
    if request.args.get("track"):
        track = desk.track(request.args["track"])
    pending = queries.pending_uploads(current_user.id)
    return render_template(
        "studio/upload.html",
        uploads=[_upload_state(upload) for upload in [*pending, *queries.recent_uploads(current_user.id)]],
        stages=queries.stages(),
        accept=",".join(sorted(SUFFIXES)),
        taken=CALLED,
        most=uploads.MAX_UPLOAD,
        track=track,
        action=ActionForm(),
    )


@blueprint.get("/uploads/<upload_id>")
@access(Permission.STUDIO)
def upload_status(upload_id: str) -> str:
    """What has become of an upload, as a piece of a page that asks again until there is an end."""
    return _upload_fragment(upload_id)


@blueprint.get("/releases/<release_id>")
@access(Permission.STUDIO)
def edit(release_id: str) -> str:
    """A release, to be changed."""
    found = desk.release(release_id)
    return _edit_page(found, ReleaseForm.of(found))


@blueprint.post("/releases/<release_id>")
@access(Permission.STUDIO)
def save(release_id: str) -> Any:
    """Keep what the editor changed."""
    found = desk.release(release_id)
    form = ReleaseForm.of(found)
    if not form.validate_on_submit():
        return _edit_page(found, form), 422
    cover_key = None
    try:
        if form.cover.data:
            cover_key = covers.store_cover(media_store(), form.cover.data.read(COVER_UPLOAD_LIMIT + 1))
        with transaction():
            service.edit_release(desk.release(release_id), changes_in(form), desk.editor(), cover_key=cover_key)
    except covers.BadImage as error:
        form.cover.errors = [str(error)]
        return _edit_page(found, form), 422
    except WavecrateError as error:
        form.title.errors = [*form.title.errors, str(error)]
        return _edit_page(desk.release(release_id), form), 422
    flash(_("Saved."), "success")
    return redirect(url_for("studio.edit", release_id=release_id), 303)


def changes_in(form: ReleaseForm) -> service.ReleaseEdit:
    """The form's content in the service's words."""
    return service.ReleaseEdit(
        title=form.title.data or "",
        title_zh=form.title_zh.data,
        artist=form.artist.data or "",
        artist_zh=form.artist_zh.data,
        label=form.label.data,
        genre=form.genre.data,
        released_on=form.released_on.data,
        description=form.description.data,
        description_zh=form.description_zh.data,
        price=form.release_price(),
        territory=form.territory(),
        tracks={
            row.form.track_id.data: service.TrackEdit(
                title=row.form.title.data or "",
                title_zh=row.form.title_zh.data,
                disc=row.form.disc.data,
                position=row.form.position.data,
                price=form.track_price(row.form),
                artist=row.form.artist.data,
                isrc=row.form.isrc.data,
            )
            for row in form.tracks
        },
    )


@blueprint.get("/releases/<release_id>/state")
@access(Permission.STUDIO)
def release_state(release_id: str) -> str:
    """How far a release is, as a piece of a page; `small` for the list."""
    found = desk.release(release_id)
    template = "studio/_row_state.html" if request.args.get("small") else "studio/_publishing.html"
    return render_template(template, **_state(found))


@blueprint.get("/releases/<release_id>/recordings")
@access(Permission.STUDIO)
def recordings(release_id: str) -> str:
    """What can be heard of each track and what is being made, as a piece of a page."""
    found = desk.release(release_id)
    return render_template("studio/_recordings.html", **_state(found))


@blueprint.post("/releases/<release_id>/publish")
@access(Permission.STUDIO)
def publish(release_id: str) -> Any:
    """Show it in the shop; with `when=ready`, as soon as its tracks can be heard."""
    found = desk.release(release_id)
    try:
        with transaction():
            if request.form.get("when") == "ready":
                service.publish_once_ready(found, current_user.id)
            else:
                service.publish(found, current_user.id)
    except WavecrateError as error:
        flash(str(error), "error")
    else:
        flash(
            _("It is in the shop.") if found.is_published else _("It will be in the shop once it is ready."), "success"
        )
    return redirect(url_for("studio.edit", release_id=release_id), 303)


@blueprint.post("/releases/<release_id>/unpublish")
@access(Permission.STUDIO)
def unpublish(release_id: str) -> Any:
    """Take it out of the shop; who bought it keeps it."""
    with transaction():
        service.unpublish(desk.release(release_id), current_user.id)
    flash(_("It is a draft again. Who bought it keeps it."), "success")
    return redirect(url_for("studio.edit", release_id=release_id), 303)


@blueprint.post("/tracks/<track_id>/retry")
@access(Permission.STUDIO)
def retry(track_id: str) -> Any:
    """Transcode a track again after a failure; a page that asks from script gets the pieces of it that changed."""
    with transaction():
        found = desk.track(track_id)
        service.retry(found)
    if "HX-Request" in request.headers and "HX-Boosted" not in request.headers:
        return render_template("studio/_retried.html", retried=found, **_state(found.release))
    flash(_("“%(title)s” is transcoded again.", title=found.title_in(locale_code())), "success")
    return redirect(url_for("studio.edit", release_id=found.release_id), 303)


def _edit_page(release: Release, form: ReleaseForm) -> str:
    return render_template(
        "studio/edit.html",
        form=form,
        genres=catalog.genres(include_drafts=True),
        cover_limit=COVER_UPLOAD_LIMIT,
        ingest=reports.rows(release),
        cell_name=cell_name,
        to_come=TrackToComeForm(formdata=None),
        **_state(release),
    )


def _state(release: Release) -> dict[str, Any]:
    return {
        "release": release,
        "recordings": queries.recordings(release),
        "state": queries.readiness([release])[release.id],
        "stages": queries.stages(),
        "action": ActionForm(),
    } | subtitles.section(release)


def _upload_fragment(upload_id: str) -> str:
    return render_template(
        "studio/_upload.html", stages=queries.stages(), action=ActionForm(), **_upload_state(api.mine(upload_id))
    )


def _upload_state(sent: Upload) -> dict[str, Any]:
    track = catalog.track(sent.track_id, include_drafts=True) if sent.track_id else None
    replaces = catalog.track(sent.replaces_id, include_drafts=True) if sent.replaces_id else None
    job = media.job_of(track.id) if track else None
    return {
        "upload": sent,
        "sent_bytes": _sent_bytes(sent),
        "refused": queries.why_refused(sent),
        "track": track,
        "replaces": replaces,
        "job": job,
        "why": queries.why_failed(job) if job and job.state == JobState.FAILED else None,
        "JobState": JobState,
    }


def _sent_bytes(sent: Upload) -> int:
    """How much the store has of an upload, without asking it: the part that was announced last may be on its way."""
    if sent.arrived_at is not None:
        return sent.size
    return max(0, queries.announced_count(sent.id) - 1) * (sent.part_size or 0)
