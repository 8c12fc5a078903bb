"""Cases: what the shop can't decide, raised once each, closed by a person who says what they did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _
from sqlalchemy.dialects.postgresql import insert

from app.core import clock
from app.core.db import db
from app.core.errors import Conflict
from app.orders import correspondence
from app.orders.models import Case, CaseKind

OUTCOME_MAX = 1000


class BadOutcome(Conflict):
    """A case is closed with a word about what was done."""


def raise_case(
    kind: CaseKind,
    key: str,
    *,
    order_id: str | None = None,
    payment_id: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> bool:
    """Have a person look at it, in the caller's transaction; True if this call did, False if that was raised before.

    `facts` is what they need to know: JSON, amounts in words.
    """
    made = db.session.scalar(
        insert(Case)
        .values(
            created_at=clock.now(),
            kind=kind,
            key=key[:200],
            order_id=order_id,
            payment_id=payment_id,
            facts=dict(facts or {}),
        )
        .on_conflict_do_nothing(index_elements=[Case.key])
        .returning(Case)
    )
    if made is None:
        return False
    correspondence.case_raised(made)
    return True


def close(case: Case, outcome: str, account_id: str) -> None:
    """Note what was done about it; raise BadOutcome for nothing, or where another closed it."""
    said = " ".join(outcome.split())[:OUTCOME_MAX]
    if not said:
        raise BadOutcome(_("Say what you did about it, for whoever looks at this later."))
    if case.closed_at is not None:
        raise BadOutcome(_("This case is closed already. Load the page again."))
    case.closed_at, case.closed_by, case.outcome = clock.now(), account_id, said
    db.session.flush()
