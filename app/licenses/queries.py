"""What a person owns, for pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.catalog.models import Release, Track
from app.core.db import db
from app.licenses.models import License


@dataclass(frozen=True)
class Owned:
    """One release in a person's library: the whole of it, or the tracks of it they have."""

    release: Release
    tracks: list[Track]
    whole: bool
    since: datetime


def owned_release_ids(account_id: str | None) -> set[str]:
    """The releases a person owns as a whole; empty for a guest."""
    if account_id is None:
        return set()
    return set(
        db.session.scalars(
            select(License.release_id).where(
                License.account_id == account_id, License.revoked_at.is_(None), License.release_id.is_not(None)
            )
        )
    )


def owned_track_ids(account_id: str | None) -> set[str]:
    """Every track a person may use, bought alone or with its release; empty for a guest."""
    if account_id is None:
        return set()
    alone = select(License.track_id).where(
        License.account_id == account_id, License.revoked_at.is_(None), License.track_id.is_not(None)
    )
    with_release = (
        select(Track.id)
        .join(License, License.release_id == Track.release_id)
        .where(License.account_id == account_id, License.revoked_at.is_(None))
    )
    return set(db.session.scalars(alone.union(with_release)))


def library(account_id: str) -> list[Owned]:
    """What a person owns, newest first, each release once; its tracks in their order on the release."""
    licenses = db.session.scalars(
        select(License)
        .where(License.account_id == account_id, License.revoked_at.is_(None))
        .order_by(License.created_at.desc(), License.id)
    ).unique()
    releases: dict[str, Release] = {}
    since: dict[str, datetime] = {}
    whole: set[str] = set()
    alone: set[str] = set()
    for license_ in licenses:
        release = license_.release
        if release is None:
            assert license_.track is not None
            release = license_.track.release
            alone.add(license_.track.id)
        else:
            whole.add(release.id)
        releases.setdefault(release.id, release)
        since.setdefault(release.id, license_.created_at)
    return [
        Owned(
            release=release,
            tracks=[track for track in release.tracks if release.id in whole or track.id in alone],
            whole=release.id in whole,
            since=since[release.id],
        )
        for release in releases.values()
    ]
