"""Routes of the wishlist."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.accounts.redirects import own_path
from app.catalog import queries as catalog
from app.core.auth import Access, access
from app.core.db import transaction
from app.core.errors import NotFound
from app.core.i18n import locale_code
from app.wishlist import queries, service

blueprint = Blueprint("wishlist", __name__)


@blueprint.get("/wishlist")
@access(Access.SIGNED_IN)
def show() -> str:
    """What the person would like to have."""
    return render_template("wishlist/show.html", releases=queries.wished(current_user.id))


@blueprint.post("/wishlist/<release_id>")
@access(Access.SIGNED_IN)
def add(release_id: str) -> Any:
    """Put a release on the list; field `next`: the page to come back to."""
    found = catalog.release(release_id)
    if found is None:
        raise NotFound(_("There is no such release."))
    with transaction():
        service.add(current_user.id, found)
    flash(_("%(title)s is on your wishlist.", title=found.title_in(locale_code())), "success")
    return _back()


@blueprint.post("/wishlist/<release_id>/remove")
@access(Access.SIGNED_IN)
def remove(release_id: str) -> Any:
    """Take a release off the list."""
    with transaction():
        service.remove(current_user.id, release_id)
    return _back()


def _back() -> Any:
    return redirect(own_path(request.form.get("next")) or url_for("wishlist.show"), 303)
