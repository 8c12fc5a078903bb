"""Public media: covers, posters, thumbnail strips and 30-second previews, straight from the store."""

from __future__ import annotations

import re

from flask import Blueprint, Response, request
from flask_babel import gettext as _

from app.core.auth import Access, access
from app.core.errors import NotFound
from app.core.serving import IMMUTABLE, serve_object
from app.core.store import media_store
from media_store import keys

blueprint = Blueprint("media", __name__)

_NAME = re.compile(r"([0-9a-f]{64})\.([a-z0-9]{2,5})")


@blueprint.get("/images/<name>")
@access(Access.PUBLIC)
def image(name: str) -> Response:
    """A cover, poster or thumbnail strip."""
    return _serve(keys.cover(*_parts(name)))


@blueprint.get("/previews/<name>")
@access(Access.PUBLIC)
def preview(name: str) -> Response:
    """A preview; anyone may hear it."""
    return _serve(keys.preview(*_parts(name)))


def _parts(name: str) -> tuple[str, str]:
    parts = _NAME.fullmatch(name)
    if not parts:
        raise NotFound(_("There is nothing at this address. It may have moved, or the link is incomplete."))
    return parts[1], parts[2]


def _serve(key: str) -> Response:
    return serve_object(
        media_store(),
        key,
        cache_control=IMMUTABLE,
        request_range=request.headers.get("Range"),
        if_none_match=request.headers.get("If-None-Match"),
        if_range=request.headers.get("If-Range"),
        head=request.method == "HEAD",
    )
