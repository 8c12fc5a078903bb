"""Pages on which several releases, of any label, are sold as one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.audit import service as audit
from app.catalog import offers
from app.catalog import queries as catalog
from app.core.auth import Permission, access
from app.core.db import transaction
from app.core.errors import NotFound
from app.studio.forms import ActionForm
from app.studio.sale_form import BundleForm

blueprint = Blueprint("bundles", __name__)


@blueprint.get("/bundles")
@access(Permission.EVERY_LABEL)
def index() -> str:
    """The bundles on offer, and a form for one more."""
    return _page(BundleForm(formdata=None))


@blueprint.post("/bundles")
@access(Permission.EVERY_LABEL)
def create() -> Any:
    """Offer a bundle."""
    form = BundleForm()
    if form.validate_on_submit():
        try:
            with transaction():
                made = offers.make_bundle(
                    form.title.data or "",
                    form.members(),
                    form.amount(),
                    title_zh=form.title_zh.data,
                    open_price=bool(form.open_price.data),
                )
                facts = {"minor": made.price_minor, "currency": made.currency}
                audit.record(current_user.id, "bundle.create", f"offer:{made.id}", facts)
        except offers.BadTerms as error:
            form.releases.errors = [*form.releases.errors, str(error)]
        else:
            flash(_("The bundle is on offer."), "success")
            return redirect(url_for("studio.bundles.index"), 303)
    return _page(form), 422


@blueprint.post("/bundles/<offer_id>/retire")
@access(Permission.EVERY_LABEL)
def retire(offer_id: str) -> Any:
    """Take a bundle off the shelf."""
    with transaction():
        found = next((bundle for bundle in catalog.bundles() if bundle.id == offer_id), None)
        if found is None:
            raise NotFound(_("There is no such bundle. It may be off the shelf already."))
        offers.retire(found)
        audit.record(current_user.id, "bundle.retire", f"offer:{found.id}")
    flash(_("The bundle is off the shelf. Who bought it keeps it."), "success")
    return redirect(url_for("studio.bundles.index"), 303)


def _page(form: BundleForm) -> str:
    return render_template("studio/bundles.html", bundles=catalog.bundles(), form=form, action=ActionForm())
