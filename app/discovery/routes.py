"""Routes of discovery: shelves as fragments, for pages that load them after themselves."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, make_response, render_template
from flask_babel import gettext as _
from flask_login import current_user

from app.catalog.models import Release
from app.core.auth import Access, access
from app.discovery import queries

blueprint = Blueprint("discovery", __name__, url_prefix="/shelves")

_LENGTH = 6


@blueprint.get("/for-you")
@access(Access.PUBLIC)
def for_you() -> Any:
    """What this person may like; for a guest, what is popular."""
    if current_user.is_authenticated:
        return _shelf("for-you", _("For you"), queries.for_you(current_user.id, _LENGTH))
    return _shelf("popular", _("Popular now"), queries.popular(_LENGTH))


@blueprint.get("/fans-also-bought/<release_id>")
@access(Access.PUBLIC)
def fans_also_bought(release_id: str) -> Any:
    """What else the people who like this release like; an empty answer where nobody knows."""
    account_id = current_user.id if current_user.is_authenticated else None
    return _shelf("fans-also-bought", _("Fans also bought"), queries.fans_also_bought(release_id, account_id, _LENGTH))


def _shelf(name: str, title: str, releases: list[Release]) -> Any:
    answer = make_response(render_template("discovery/shelf.html", id=f"shelf-{name}", title=title, releases=releases))
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer
