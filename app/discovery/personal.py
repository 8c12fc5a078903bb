"""What the event log and the recommender hold of a person: what they did, what they said, and what was learned."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.accounts import leaving
from app.accounts.models import Account
from app.core.db import db
from app.discovery import choices, tastes
from app.discovery.models import AccountVector, Event, Opinion


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


def _export_taste(account: Account) -> dict[str, Any]:
    wanted = tastes.of(account.id)
    said = db.session.scalars(select(Opinion).where(Opinion.account_id == account.id).order_by(Opinion.at))
    vectors = db.session.scalars(select(AccountVector).where(AccountVector.account_id == account.id))
    return {
        "recommendations": wanted.mode,
        "plays_and_views_may_count": wanted.listening,
        "said": [
            {
                "release": one.release_id,
                "verdict": one.verdict,
                "stars": one.stars,
                "left_out": one.left_out,
                "at": one.at.isoformat(),
            }
            for one in said
        ],
        "learned": [{"model": one.model_id, "vector": [float(number) for number in one.vector]} for one in vectors],
    }


def _forget(account: Account) -> None:
    choices.leave(account.id)


leaving.on_export["activity"] = _export
leaving.on_export["taste"] = _export_taste
leaving.on_close.append(_forget)
