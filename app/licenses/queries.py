"""What a person owns, rents or waits for, for pages; and licenses by what granted them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.catalog.models import Release, Track
from app.core import clock
from app.core.db import db
from app.licenses.models import License


@dataclass(frozen=True)
class Owned:
    """One release in a person's library: the whole of it, or the tracks of it they have.

    `until` is when a rental ends (None: it is theirs for good), `from_` when what is not out yet opens.
    """

    release: Release
    tracks: list[Track]
    whole: bool
    since: datetime
    until: datetime | None = None
    from_: datetime | None = None
    started: bool = False  # a rental whose clock runs


def owned_release_ids(account_id: str | None) -> set[str]:
    """The releases a person has bought as a whole, out or not; empty for a guest. A rental owns nothing."""
    if account_id is None:
        return set()
    return set(
        db.session.scalars(
            select(License.release_id).where(
                License.account_id == account_id,
                License.revoked_at.is_(None),
                License.rental_days.is_(None),
                License.release_id.is_not(None),
            )
        )
    )


def owned_track_ids(account_id: str | None) -> set[str]:
    """Every track a person has bought, alone or with its release; empty for a guest."""
    if account_id is None:
        return set()
    mine = (
        License.account_id == account_id,
        License.revoked_at.is_(None),
        License.rental_days.is_(None),
    )
    alone = select(License.track_id).where(*mine, License.track_id.is_not(None))
    with_release = select(Track.id).join(License, License.release_id == Track.release_id).where(*mine)
    return set(db.session.scalars(alone.union(with_release)))


def playable_track_ids(account_id: str | None) -> set[str]:
    """Every track a person can hear now: what they own and is out, and what they rent; empty for a guest."""
    if account_id is None:
        return set()
    now = clock.now()
    found: set[str] = set()
    for each in _in_force(account_id):
        if each.stands(now):
            found |= {each.track_id} if each.track_id else {track.id for track in each.subject_release.tracks}
    return found


def rentals(account_id: str | None) -> dict[str, License]:
    """What a person rents now, by release; empty for a guest."""
    if account_id is None:
        return {}
    now = clock.now()
    return {
        each.subject_release.id: each
        for each in _in_force(account_id)
        if each.is_rental and (each.ends_at is None or now < each.ends_at)
    }


def library(account_id: str) -> list[Owned]:
    """What a person owns or rents now, newest first, each release once; its tracks in their order on the release."""
    now = clock.now()
    held: dict[str, list[License]] = {}
    for each in _in_force(account_id):
        if each.ends_at is None or now < each.ends_at:
            held.setdefault(each.subject_release.id, []).append(each)
    shelf = []
    for licenses in held.values():
        bought = [each for each in licenses if not each.is_rental]
        counted = bought or licenses
        release = counted[0].subject_release
        whole = any(each.release_id is not None for each in counted)
        alone = {each.track_id for each in counted}
        begins = min(each.begins_at for each in counted)
        shelf.append(
            Owned(
                release=release,
                tracks=[track for track in release.tracks if whole or track.id in alone],
                whole=whole,
                since=max(each.claimed_at or each.created_at for each in counted),
                until=None if bought else max((each.ends_at for each in counted if each.ends_at), default=None),
                from_=begins if begins > now else None,
                started=not bought and any(each.first_played_at for each in counted),
            )
        )
    return sorted(shelf, key=lambda owned: owned.since, reverse=True)


def granted(grant_keys: Collection[str]) -> dict[str, License]:
    """Licenses by their grant keys, taken back or not."""
    rows = db.session.scalars(
        select(License).where(License.grant_key.in_(grant_keys)).execution_options(populate_existing=True)
    ).unique()
    return {each.grant_key: each for each in rows}


def _in_force(account_id: str) -> list[License]:
    """Not taken back; the clocks are the caller's to ask."""
    return list(
        db.session.scalars(
            select(License)
            .where(License.account_id == account_id, License.revoked_at.is_(None))
            .order_by(License.created_at.desc(), License.id)
        ).unique()
    )
