"""Who may use what: grants, revocations, and the one question everything else asks."""

from __future__ import annotations

from sqlalchemy import exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.accounts.models import Account
from app.catalog import rights
from app.catalog.models import Track
from app.core import clock
from app.core.db import db
from app.licenses.models import License, Use


def grant(account_id: str, *, release_id: str | None = None, track_id: str | None = None, grant_key: str) -> bool:
    """Give a person a release or one track; True if this call did it, False if `grant_key` had been used before.

    A key that was revoked stays revoked: a webhook that comes again must not undo a refund.
    """
    if (release_id is None) == (track_id is None):
        raise ValueError("a license is for a release or for a track")
    row = db.session.execute(
        insert(License)
        .values(account_id=account_id, release_id=release_id, track_id=track_id, grant_key=grant_key)
        .on_conflict_do_nothing(index_elements=[License.grant_key])
        .returning(License.id)
    )
    return row.first() is not None


def revoke(grant_key: str, reason: str) -> bool:
    """Take back what `grant_key` granted; True if there was a license in force under it."""
    row = db.session.execute(
        update(License)
        .where(License.grant_key == grant_key, License.revoked_at.is_(None))
        .values(revoked_at=clock.now(), revoked_reason=reason[:200])
        .returning(License.id)
        .execution_options(synchronize_session="fetch")
    )
    return row.first() is not None


def may(account_id: str | None, track_id: str, use: Use) -> bool:
    """Whether this person may use this track in this way at this moment.

    Asked afresh of the database each time, so that a refund is felt at the next request. Whoever may edit a
    release may stream it, to hear it before others do; nobody downloads without a license.
    """
    if account_id is None:
        return False
    return holds(account_id, track_id) or (Use(use) is Use.STREAM and _edits(account_id, track_id))


def holds(account_id: str, track_id: str) -> bool:
    """Whether a license of this person's own covers the track.

    A license on a release covers every track on it, those added later too; whether the release is published doesn't
    matter to its owner. Every license allows both uses so far.
    """
    release_id = select(Track.release_id).where(Track.id == track_id).scalar_subquery()
    covered = exists().where(
        License.account_id == account_id,
        License.revoked_at.is_(None),
        or_(License.track_id == track_id, License.release_id == release_id),
    )
    return bool(db.session.scalar(select(covered)))


def _edits(account_id: str, track_id: str) -> bool:
    account = db.session.get(Account, account_id, populate_existing=True)
    track = db.session.get(Track, track_id)
    return track is not None and rights.may_edit(account, track.release)
