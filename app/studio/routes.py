"""The studio's pages: releases, uploads, editing, publishing."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.catalog import queries as catalog
from app.catalog.models import Release
from app.core.auth import Access, access
from app.core.db import transaction
from app.core.errors import NotFound, WavecrateError
from app.core.store import media_store
from app.media import queries as media
from app.media.models import JobState
from app.studio import covers, queries, service
from app.studio.forms import ActionForm, ReleaseForm
from app.studio.models import Upload
from media_store import keys
from media_store.errors import ObjectMissing
from transcoder.sniff import SUFFIXES

blueprint = Blueprint("studio", __name__, url_prefix="/studio")

COVER_UPLOAD_LIMIT = 12 * 1024**2


@blueprint.url_value_preprocessor
def _room_for_a_cover(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    # This early, because the CSRF check that comes next reads the form, picture and all.
    if endpoint == "studio.save":
        request.max_content_length = COVER_UPLOAD_LIMIT + 1024**2


@blueprint.get("")
@access(Access.EDITOR)
def index() -> str:
    """Every release and how far it is; what was sent lately."""
    page = queries.releases(request.args.get("page", 1, type=int))
    uploads = [u for u in queries.recent_uploads(current_user.id) if u.track_id is None]
    return render_template(
        "studio/index.html",
        page=page,
        readiness=queries.readiness(page.items),
        uploads=[_upload_state(upload) for upload in uploads],
        stages=queries.stages(),
    )


@blueprint.get("/upload")
@access(Access.EDITOR)
def upload() -> str:
    """Send masters from the browser."""
    uploads = [_upload_state(upload) for upload in queries.recent_uploads(current_user.id)]
    return render_template(
        "studio/upload.html",
        uploads=uploads,
        stages=queries.stages(),
        accept=",".join(sorted(SUFFIXES)),
        most=service.MAX_UPLOAD,
    )


@blueprint.post("/uploads")
@access(Access.EDITOR)
def begin_upload() -> Any:
    """Announce a file; the answer says where to PUT it and what to call when it is there."""
    asked = request.get_json(silent=True)
    if not isinstance(asked, dict) or not isinstance(asked.get("filename"), str) or type(asked.get("size")) is not int:
        return jsonify(error=_("Say which file, and how large it is.")), 400
    try:
        with transaction():
            made = service.begin_upload(current_user.id, asked["filename"], asked["size"])
    except WavecrateError as error:
        return jsonify(error=str(error)), error.status
    return jsonify(
        id=made.id,
        url=media_store().upload_url(keys.upload(made.id), seconds=service.UPLOAD_URL_SECONDS),
        complete=url_for("studio.complete_upload", upload_id=made.id),
        status=url_for("studio.upload_status", upload_id=made.id),
    ), 201


@blueprint.post("/uploads/<upload_id>/complete")
@access(Access.EDITOR)
def complete_upload(upload_id: str) -> Any:
    """The file is in the store: have it looked at."""
    sent = _upload(upload_id)
    if sent.arrived_at is None:
        try:
            stored = media_store().head(keys.upload(sent.id)).size
        except ObjectMissing:
            stored = 0
        try:
            with transaction():
                service.upload_arrived(_upload(upload_id), stored)
        except WavecrateError as error:
            return jsonify(error=str(error)), error.status
    return _upload_fragment(upload_id)


@blueprint.get("/uploads/<upload_id>")
@access(Access.EDITOR)
def upload_status(upload_id: str) -> str:
    """What has become of an upload, as a piece of a page that asks again until there is an end."""
    return _upload_fragment(upload_id)


@blueprint.get("/releases/<release_id>")
@access(Access.EDITOR)
def edit(release_id: str) -> str:
    """A release, to be changed."""
    found = _release(release_id)
    return _edit_page(found, ReleaseForm.of(found))


@blueprint.post("/releases/<release_id>")
@access(Access.EDITOR)
def save(release_id: str) -> Any:
    """Keep what the editor changed."""
    found = _release(release_id)
    form = ReleaseForm.of(found)
    if not form.validate_on_submit():
        return _edit_page(found, form), 422
    cover_key = None
    try:
        if form.cover.data:
            cover_key = covers.store_cover(media_store(), form.cover.data.read(COVER_UPLOAD_LIMIT + 1))
        with transaction():
            service.edit_release(_release(release_id), changes_in(form), cover_key=cover_key)
    except covers.BadImage as error:
        form.cover.errors = [str(error)]
        return _edit_page(found, form), 422
    except WavecrateError as error:
        form.title.errors = [*form.title.errors, str(error)]
        return _edit_page(_release(release_id), form), 422
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
        tracks={
            row.form.track_id.data: service.TrackEdit(
                title=row.form.title.data or "",
                title_zh=row.form.title_zh.data,
                disc=row.form.disc.data,
                position=row.form.position.data,
                price=form.track_price(row.form),
            )
            for row in form.tracks
        },
    )


@blueprint.get("/releases/<release_id>/state")
@access(Access.EDITOR)
def release_state(release_id: str) -> str:
    """How far a release is, as a piece of a page; `small` for the list."""
    found = _release(release_id)
    template = "studio/_row_state.html" if request.args.get("small") else "studio/_publishing.html"
    return render_template(template, **_state(found))


@blueprint.post("/releases/<release_id>/publish")
@access(Access.EDITOR)
def publish(release_id: str) -> Any:
    """Show it in the shop; with `when=ready`, as soon as its tracks can be heard."""
    try:
        with transaction():
            found = _release(release_id)
            if request.form.get("when") == "ready":
                service.publish_once_ready(found)
            else:
                service.publish(found)
    except WavecrateError as error:
        flash(str(error), "error")
    else:
        flash(
            _("It is in the shop.") if found.is_published else _("It will be in the shop once it is ready."), "success"
        )
    return redirect(url_for("studio.edit", release_id=release_id), 303)


@blueprint.post("/releases/<release_id>/unpublish")
@access(Access.EDITOR)
def unpublish(release_id: str) -> Any:
    """Take it out of the shop; who bought it keeps it."""
    with transaction():
        service.unpublish(_release(release_id))
    flash(_("It is a draft again. Who bought it keeps it."), "success")
    return redirect(url_for("studio.edit", release_id=release_id), 303)


@blueprint.post("/tracks/<track_id>/retry")
@access(Access.EDITOR)
def retry(track_id: str) -> Any:
    """Transcode a track again after a failure."""
    with transaction():
        found = catalog.track(track_id, include_drafts=True)
        if found is None:
            raise NotFound(_("There is no such track."))
        service.retry(found)
    return redirect(url_for("studio.edit", release_id=found.release_id), 303)


def _edit_page(release: Release, form: ReleaseForm) -> str:
    return render_template(
        "studio/edit.html",
        form=form,
        genres=catalog.genres(include_drafts=True),
        cover_limit=COVER_UPLOAD_LIMIT,
        **_state(release),
    )


def _state(release: Release) -> dict[str, Any]:
    jobs = media.jobs_of([track.id for track in release.tracks])
    return {
        "release": release,
        "jobs": jobs,
        "state": queries.readiness([release])[release.id],
        "stages": queries.stages(),
        "JobState": JobState,
        "action": ActionForm(),
    }


def _upload_fragment(upload_id: str) -> str:
    return render_template("studio/_upload.html", stages=queries.stages(), **_upload_state(_upload(upload_id)))


def _upload_state(sent: Upload) -> dict[str, Any]:
    track = catalog.track(sent.track_id, include_drafts=True) if sent.track_id else None
    return {
        "upload": sent,
        "refused": queries.why_refused(sent),
        "track": track,
        "job": media.job_of(track.id) if track else None,
        "JobState": JobState,
    }


def _release(release_id: str) -> Release:
    found = catalog.release(release_id, include_drafts=True)
    if found is None:
        raise NotFound(_("There is no such release."))
    return found


def _upload(upload_id: str) -> Upload:
    found = queries.upload(upload_id, current_user.id)
    if found is None:
        raise NotFound(_("There is no such upload."))
    return found
