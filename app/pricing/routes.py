"""Pages for staff: coupons are listed, made, given codes, exported and disabled."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, stream_with_context, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user

from app.audit import service as audit
from app.catalog import queries as catalog
from app.core import codes
from app.core.auth import Permission, access
from app.core.db import transaction
from app.core.errors import NotFound
from app.pricing import coupons, queries, visitor
from app.pricing.forms import CodesForm, CouponForm
from app.pricing.models import Coupon

blueprint = Blueprint("pricing", __name__, url_prefix="/admin/coupons")
blueprint.add_app_template_filter(visitor.asked, "asked")


@blueprint.get("")
@access(Permission.PRICES_WRITE)
def index() -> str:
    """Every coupon, the newest first."""
    page = queries.coupons(request.args.get("page", 1, type=int))
    return render_template("pricing/index.html", page=page, standing=queries.standing)


@blueprint.get("/new")
@access(Permission.PRICES_WRITE)
def new() -> str:
    """An empty form."""
    return render_template("pricing/new.html", form=CouponForm.fresh(catalog.labels()))


@blueprint.post("/new")
@access(Permission.PRICES_WRITE)
def create() -> Any:
    """Make a coupon, and its code where one was given."""
    form = CouponForm.fresh(catalog.labels())
    if form.validate_on_submit():
        try:
            with transaction():
                made = coupons.create(form.wish())
                if (form.code.data or "").strip():
                    coupons.add_code(made, form.code.data or "")
                audit.record(current_user.id, "coupon.create", f"coupon:{made.id}", {"name": made.name})
        except coupons.BadCoupon as error:
            form.name.errors = [*form.name.errors, str(error)]
        else:
            flash(_("The coupon is made."), "success")
            return redirect(url_for("pricing.show", coupon_id=made.id), 303)
    return render_template("pricing/new.html", form=form), 422


@blueprint.get("/<coupon_id>")
@access(Permission.PRICES_WRITE)
def show(coupon_id: str) -> str:
    """A coupon: its terms, its codes and what it gave."""
    return _page(_coupon(coupon_id), CodesForm(formdata=None))


@blueprint.post("/<coupon_id>/codes")
@access(Permission.PRICES_WRITE)
def make_codes(coupon_id: str) -> Any:
    """Make single-use codes."""
    found, form = _coupon(coupon_id), CodesForm()
    if not form.validate_on_submit():
        return _page(found, form), 422
    with transaction():
        made = coupons.make_codes(found, form.count.data or 0)
        audit.record(current_user.id, "coupon.codes", f"coupon:{found.id}", {"codes": len(made)})
    flash(ngettext("One code is made.", "%(num)s codes are made.", len(made)), "success")
    return redirect(url_for("pricing.show", coupon_id=coupon_id), 303)


@blueprint.get("/<coupon_id>/codes.csv")
@access(Permission.PRICES_WRITE)
def export(coupon_id: str) -> Response:
    """Every code of the coupon and what became of it, as a CSV file."""
    found = _coupon(coupon_id)

    def lines() -> Iterator[str]:
        yield _csv_line("code", "state", "order", "at")
        for row in queries.codes(found.id):
            at = row.at.isoformat(timespec="seconds") if row.at else ""
            yield _csv_line(codes.spelled(row.code), row.state, row.order_id or "", at)

    return Response(
        stream_with_context(lines()),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="codes-{found.id}.csv"', "Cache-Control": "no-store"},
    )


@blueprint.post("/<coupon_id>/disable")
@access(Permission.PRICES_WRITE)
def disable(coupon_id: str) -> Any:
    """No new orders with it."""
    with transaction():
        coupons.disable(_coupon(coupon_id))
        audit.record(current_user.id, "coupon.disable", f"coupon:{coupon_id}")
    flash(_("The coupon is disabled. Orders that were made with it keep it."), "success")
    return redirect(url_for("pricing.show", coupon_id=coupon_id), 303)


@blueprint.post("/<coupon_id>/enable")
@access(Permission.PRICES_WRITE)
def enable(coupon_id: str) -> Any:
    """It holds again."""
    with transaction():
        coupons.enable(_coupon(coupon_id))
        audit.record(current_user.id, "coupon.enable", f"coupon:{coupon_id}")
    flash(_("The coupon holds again."), "success")
    return redirect(url_for("pricing.show", coupon_id=coupon_id), 303)


def _page(found: Coupon, form: CodesForm) -> str:
    (row,) = queries.rows([found])
    return render_template(
        "pricing/show.html",
        row=row,
        coupon=found,
        form=form,
        given=queries.given(found.id),
        standing=queries.standing(found),
        most=coupons.MOST_CODES,
    )


def _coupon(coupon_id: str) -> Coupon:
    found = queries.coupon(coupon_id)
    if found is None:
        raise NotFound(_("There is no such coupon."))
    return found


def _csv_line(*cells: str) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
