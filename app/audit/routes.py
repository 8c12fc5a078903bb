"""The log's page, for staff."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, render_template, request

from app.audit import queries
from app.core.auth import Permission, access

blueprint = Blueprint("audit", __name__)


@blueprint.get("/staff/audit")
@access(Permission.AUDIT_READ)
def search() -> str:
    """Search the log by actor, action, subject and day."""
    wanted = queries.Wanted(
        actor=_words("actor"),
        action=_words("action"),
        subject=_words("subject"),
        since=_day("since"),
        until=_day("until"),
    )
    found = queries.search(wanted, request.args.get("page", 1, type=int))
    return render_template("audit/search.html", wanted=wanted, found=found, name_of=queries.name_of)


def _words(name: str) -> str | None:
    return request.args.get(name, "").replace("\0", "").strip()[:200] or None


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None
