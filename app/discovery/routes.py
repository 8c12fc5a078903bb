"""Routes of discovery: what players tell. What a person says of their taste is in `pages`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask_babel import gettext as _
from flask_login import current_user

from app.catalog.models import Track
from app.core.auth import Access, access
from app.core.db import db, transaction
from app.core.errors import NotFound
from app.discovery import events, pages
from app.discovery.models import EventKind

blueprint = Blueprint("discovery", __name__)
blueprint.register_blueprint(pages.blueprint)


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
