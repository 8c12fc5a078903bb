"""The page on which an editor says how a release is sold and lent."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _

from app.catalog.models import Release
from app.core.auth import Permission, access
from app.core.db import transaction
from app.core.errors import WavecrateError
from app.studio import desk, sale, service
from app.studio.sale_form import OffersForm, TrackToComeForm

blueprint = Blueprint("offers", __name__)


@blueprint.get("/releases/<release_id>/offers")
@access(Permission.STUDIO)
def show(release_id: str) -> str:
    """How the release is sold, to be changed."""
    release = desk.release(release_id)
    return _page(release, OffersForm.of(release))


@blueprint.post("/releases/<release_id>/offers")
@access(Permission.STUDIO)
def save(release_id: str) -> Any:
    """Sell it that way from now on."""
    release = desk.release(release_id)
    form = OffersForm.of(release)
    if not form.validate_on_submit():
        return _page(release, form), 422
    try:
        with transaction():
            sale.sell(desk.release(release_id), form.wanted(), desk.editor())
    except WavecrateError as error:
        form.price.errors = [*form.price.errors, str(error)]
        return _page(desk.release(release_id), form), 422
    flash(_("Saved."), "success")
    return redirect(url_for("studio.offers.show", release_id=release_id), 303)


@blueprint.post("/releases/<release_id>/tracks")
@access(Permission.STUDIO)
def announce(release_id: str) -> Any:
    """Put a track without a master on a release that is to come: it is shown in its place until there is one."""
    release = desk.release(release_id)
    form = TrackToComeForm()
    if not form.validate_on_submit():
        flash(" ".join(map(str, form.title.errors)) or _("A track needs a title."), "error")
    else:
        with transaction():
            service.announce(release, form.title.data or "")
        flash(_("The track is in the list. Send its master when there is one."), "success")
    return redirect(url_for("studio.edit", release_id=release_id, _anchor="recordings"), 303)


def _page(release: Release, form: OffersForm) -> str:
    return render_template("studio/offers.html", release=release, form=form)
