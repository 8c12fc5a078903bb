"""What plays hold of a person."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select

from app.accounts import leaving
from app.accounts.models import Account
from app.core.db import db
from app.playback.models import PlaySession, ResumePosition


def _export(account: Account) -> dict[str, Any]:
    plays = db.session.scalars(
        select(PlaySession).where(PlaySession.account_id == account.id).order_by(PlaySession.created_at)
    )
    left = db.session.scalars(select(ResumePosition).where(ResumePosition.account_id == account.id))
    return {
        "plays": [
            {"track": one.track_id, "at": one.created_at.isoformat(), "share": one.played_share} for one in plays
        ],
        "left_off": [
            {"track": one.track_id, "at_ms": one.position_ms, "when": one.updated_at.isoformat()} for one in left
        ],
    }


def _forget(account: Account) -> None:
    db.session.execute(delete(PlaySession).where(PlaySession.account_id == account.id))
    db.session.execute(delete(ResumePosition).where(ResumePosition.account_id == account.id))


leaving.on_export["plays"] = _export
leaving.on_close.append(_forget)
