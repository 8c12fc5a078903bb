"""Routes of discovery: shelves as fragments, for pages that load them after themselves; and what players tell."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, make_response, render_template
from flask_babel import gettext as _
from flask_login import current_user

from app.catalog.models import Release, Track
from app.core.auth import Access, access
from app.core.db import db, transaction
from app.core.errors import NotFound
from app.discovery import events, pages, queries, tastes
from app.discovery.models import EventKind, Mode
from app.pricing.visitor import country

blueprint = Blueprint("discovery", __name__)
blueprint.register_blueprint(pages.blueprint)

_LENGTH = 6


@blueprint.get("/shelves/for-you")
@access(Access.PUBLIC)
def for_you() -> Any:
    """What this person may like; for a guest, and who has recommendations off, what is popular."""
    if current_user.is_authenticated and tastes.mode(current_user.id) != Mode.OFF:
        return _shelf("for-you", _("For you"), queries.for_you(current_user.id, _LENGTH, country=country()))
    return _shelf("popular", _("Popular now"), queries.popular(_LENGTH, _account_id(), country=country()))


@blueprint.get("/shelves/fans-also-bought/<release_id>")
@access(Access.PUBLIC)
def fans_also_bought(release_id: str) -> Any:
    """What else the people who like this release like; an empty answer where nobody knows."""
    shelf = queries.fans_also_bought(release_id, _account_id(), _LENGTH, country=country())
    return _shelf("fans-also-bought", _("Fans also bought"), shelf)


@blueprint.post("/tracks/<track_id>/previewed")
@access(Access.PUBLIC)
def previewed(track_id: str) -> Any:
    """Told by a player once a preview has sounded for ten seconds, or to its end; a guest's is nobody's."""
    track = db.session.get(Track, track_id)
    if track is None or not track.release.is_published:
        raise NotFound(_("There is no such track. It may have been withdrawn."))
    if current_user.is_authenticated:
        with transaction():
            events.note(current_user.id, track.release_id, EventKind.PREVIEW, track_id=track.id)
    return "", 204


def _account_id() -> str | None:
    return current_user.id if current_user.is_authenticated else None


def _shelf(name: str, title: str, releases: list[Release]) -> Any:
    answer = make_response(render_template("discovery/shelf.html", id=f"shelf-{name}", title=title, releases=releases))
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer
