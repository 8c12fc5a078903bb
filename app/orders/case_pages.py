"""Staff's pages about cases: what only a person can decide, and what was done about it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.accounts import login
from app.audit import queries as audit_queries
from app.audit import service as audit
from app.core.auth import Permission, access
from app.core.db import db, transaction
from app.core.errors import NotFound, WavecrateError
from app.orders import cases, queries, remedies, strays
from app.orders.after_sales import say_what_came_of
from app.orders.models import Case, Order

blueprint = Blueprint("cases", __name__, url_prefix="/staff/cases")


@blueprint.get("")
@access(Permission.ORDERS_REFUND)
def index() -> str:
    """What is open, oldest first; or what was closed, the latest first."""
    closed = request.args.get("state") == "closed"
    found = queries.cases(closed=closed, page=request.args.get("page", 1, type=int))
    return render_template("orders/cases.html", found=found, closed=closed, title_of=remedies.title)


@blueprint.get("/<case_id>")
@access(Permission.ORDERS_REFUND)
def show(case_id: str) -> str:
    """One case: what was expected, what was found, and what to do."""
    return _page(_case(case_id))


@blueprint.post("/<case_id>/close")
@access(Permission.ORDERS_REFUND)
def close(case_id: str) -> Any:
    """Note what was done about it."""
    outcome = request.form.get("outcome", "").replace("\0", "")
    try:
        with transaction():
            case = db.session.get(Case, case_id, with_for_update=True, populate_existing=True)
            if case is None:
                raise _unknown()
            cases.close(case, outcome, current_user.id)
            audit.record(current_user.id, "case.close", f"case:{case.id}", {"number": case.number, "kind": case.kind})
    except cases.BadOutcome as error:
        return _page(_case(case_id), outcome=outcome, wrong=str(error)), error.status
    flash(_("The case is closed."), "success")
    return redirect(url_for("orders.cases.index"), 303)


@blueprint.post("/<case_id>/give-back")
@access(Permission.ORDERS_REFUND)
def give_back(case_id: str) -> Any:
    """Give back the payment that bought nothing."""
    there = url_for("orders.cases.show", case_id=_case(case_id).id)
    asked = login.prove_first(there)
    if asked is not None:
        return asked
    try:
        made = strays.give_back(case_id, by=current_user.id)
    except WavecrateError as error:
        flash(str(error), "error")
        return redirect(there, 303)
    if made is not None:
        say_what_came_of(made)
    else:
        flash(_("The payment service was asked to give it back. The ledger says below what came of it."), "success")
    return redirect(there, 303)


def _page(case: Case, *, outcome: str = "", wrong: str | None = None) -> str:
    return render_template(
        "orders/case.html",
        case=case,
        order=db.session.get(Order, case.order_id) if case.order_id else None,
        remedy=remedies.of(case),
        facts=remedies.facts(case),
        waiting=strays.waiting(case),
        outcome=outcome,
        wrong=wrong,
        outcome_max=cases.OUTCOME_MAX,
        name_of=audit_queries.name_of,
        Permission=Permission,
    )


def _case(case_id: str) -> Case:
    found = db.session.get(Case, case_id)
    if found is None:
        raise _unknown()
    return found


def _unknown() -> NotFound:
    return NotFound(_("There is no such case."))
