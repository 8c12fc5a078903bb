"""Who may use what: grants, how each stands, the clock of rentals, and the one question everything else asks."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.accounts.models import Account
from app.catalog import rights
from app.catalog.models import Track
from app.core import clock
from app.core.db import db
from app.licenses.models import License, Use


def grant(
    account_id: str | None,
    *,
    release_id: str | None = None,
    track_id: str | None = None,
    grant_key: str,
    rental: tuple[int, int] | None = None,
) -> bool:
    """License a release or one track; True if this call did it, False if `grant_key` had been used before.

    It is nobody's yet where there is no account: `assign` gives it to who claims it. `rental` is the days it waits for
    the first play and the hours it plays from there. A key that was revoked stays revoked: a webhook that comes again
    must not undo a refund.
    """
    if (release_id is None) == (track_id is None):
        raise ValueError("a license is for a release or for a track")
    days, hours = rental or (None, None)
    row = db.session.execute(
        insert(License)
        .values(
            account_id=account_id,
            release_id=release_id,
            track_id=track_id,
            grant_key=grant_key,
            rental_days=days,
            rental_hours=hours,
        )
        .on_conflict_do_nothing(index_elements=[License.grant_key])
        .returning(License.id)
    )
    return row.first() is not None


def set_standing(grant_key: str, stands: bool, reason: str) -> bool:
    """Take back what `grant_key` granted, or give it back; True if that changed anything.

    Only what follows from the ledger calls this: a license that was taken back because of a dispute stands again once
    the dispute is won.
    """
    changed = License.revoked_at.is_not(None) if stands else License.revoked_at.is_(None)
    row = db.session.execute(
        update(License)
        .where(License.grant_key == grant_key, changed)
        .values(revoked_at=None if stands else clock.now(), revoked_reason=None if stands else reason[:200])
        .returning(License.id)
        .execution_options(synchronize_session="fetch")
    )
    return row.first() is not None


def revoke(grant_key: str, reason: str) -> bool:
    """Take back what `grant_key` granted; True if there was a license in force under it."""
    return set_standing(grant_key, stands=False, reason=reason)


def assign(grant_keys: Collection[str], account_id: str) -> int:
    """Make licenses that are nobody's this person's, from now on; how many that were."""
    rows = db.session.execute(
        update(License)
        .where(License.grant_key.in_(grant_keys), License.account_id.is_(None))
        .values(account_id=account_id, claimed_at=clock.now())
        .returning(License.id)
        .execution_options(synchronize_session="fetch")
    )
    return len(rows.all())


def may(account_id: str | None, track_id: str, use: Use) -> bool:
    """Whether this person may use this track in this way at this moment.

    Asked afresh of the database each time, so that a refund is felt at the next request. Whoever may edit a
    release may stream it, to hear it before others do; nobody downloads without a license.
    """
    if account_id is None:
        return False
    return holds(account_id, track_id, use) or (Use(use) is Use.STREAM and _edits(account_id, track_id))


def holds(account_id: str, track_id: str, use: Use = Use.STREAM) -> bool:
    """Whether a license of this person's own covers the track at this moment.

    A license on a release covers every track on it, those added later too; whether the release is published doesn't
    matter to its owner. A rental is for streaming only; what is still to come out is shut until it does.
    """
    now = clock.now()
    return any(
        each.stands(now) and not (each.is_rental and Use(use) is Use.DOWNLOAD)
        for each in _covering(account_id, track_id)
    )


def begin_play(account_id: str, track_id: str) -> None:
    """Start the clock of the rental that a play rests on; nothing where something bought covers the track.

    Of several rentals, the one that runs already plays, else the one that ends first.
    """
    now = clock.now()
    standing = [each for each in _covering(account_id, track_id, lock=True) if each.stands(now)]
    if not standing or not all(each.is_rental for each in standing):
        return
    if all(each.first_played_at is None for each in standing):
        min(standing, key=lambda each: (each.ends_at or now, each.id)).first_played_at = now
        db.session.flush()


def note_download(account_id: str, track_ids: Collection[str]) -> None:
    """Remember that a file of these tracks was handed out: their licenses were used for good."""
    for track_id in track_ids:
        for each in _covering(account_id, track_id, lock=True):
            if each.downloaded_at is None and each.revoked_at is None and not each.is_rental:
                each.downloaded_at = clock.now()
    db.session.flush()


def _covering(account_id: str, track_id: str, *, lock: bool = False) -> list[License]:
    """This person's licenses that name the track or its release and are not taken back, whatever their clock says."""
    release_id = select(Track.release_id).where(Track.id == track_id).scalar_subquery()
    query = (
        select(License)
        .where(
            License.account_id == account_id,
            License.revoked_at.is_(None),
            or_(License.track_id == track_id, License.release_id == release_id),
        )
        .order_by(License.id)
        .execution_options(populate_existing=True)
    )
    return list(db.session.scalars(query.with_for_update(of=License) if lock else query).unique())


def _edits(account_id: str, track_id: str) -> bool:
    account = db.session.get(Account, account_id, populate_existing=True)
    track = db.session.get(Track, track_id)
    return track is not None and rights.may_edit(account, track.release)
