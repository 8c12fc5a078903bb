"""What the event log and the recommender hold of a person. A model trained before they went has no vector of theirs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select

from app.accounts import leaving
from app.accounts.models import Account
from app.core.db import db
from app.discovery.models import AccountVector, Event


def _export(account: Account) -> list[dict[str, Any]]:
    events = db.session.scalars(select(Event).where(Event.account_id == account.id).order_by(Event.id))
    return [
        {
            "at": one.at.isoformat(),
            "what": one.kind,
            "release": one.release_id,
            "track": one.track_id,
            "how_much": one.value,
        }
        for one in events
    ]


def _forget(account: Account) -> None:
    db.session.execute(delete(Event).where(Event.account_id == account.id))
    db.session.execute(delete(AccountVector).where(AccountVector.account_id == account.id))


leaving.on_export["activity"] = _export
leaving.on_close.append(_forget)
