"""Licenses."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalog.models import Release, Track
from app.core.db import Identified, Model, Timestamped


class Use(StrEnum):
    """What a license allows (DDEX use types, in the shop's words)."""

    STREAM = "stream"
    DOWNLOAD = "download"


class License(Identified, Timestamped, Model):
    """A right to use a release, or one track: for good, or as a rental; unless revoked. One thing sold grants one.

    Nobody's until it is claimed where a guest bought it, or as a gift. A rental is for streaming, and has a clock: it
    waits `rental_days` for its first play, and plays `rental_hours` from there.
    """

    __tablename__ = "license"
    __table_args__ = (
        CheckConstraint("(release_id IS NULL) <> (track_id IS NULL)", name="one_subject"),
        CheckConstraint("(revoked_at IS NULL) = (revoked_reason IS NULL)", name="revoked_reason"),
        CheckConstraint("(rental_days IS NULL) = (rental_hours IS NULL)", name="rental"),
    )

    account_id: Mapped[str | None] = mapped_column(ForeignKey("account.id"), index=True, doc="none: not claimed yet")
    release_id: Mapped[str | None] = mapped_column(ForeignKey("release.id"), index=True)
    track_id: Mapped[str | None] = mapped_column(ForeignKey("track.id"), index=True)
    # Not a foreign key: orders stand above licenses. Unique, so a line grants once however often it is fulfilled.
    grant_key: Mapped[str] = mapped_column(String(40), unique=True, doc="what was sold, as orders name it")
    rental_days: Mapped[int | None]
    rental_hours: Mapped[int | None]
    claimed_at: Mapped[datetime | None] = mapped_column(doc="when it became somebody's, where that was later")
    first_played_at: Mapped[datetime | None]
    downloaded_at: Mapped[datetime | None] = mapped_column(doc="when a file was first fetched by it")
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None] = mapped_column(String(200))

    release: Mapped[Release | None] = relationship(lazy="joined")
    track: Mapped[Track | None] = relationship(lazy="joined")

    @property
    def subject_release(self) -> Release:
        """The release it is for, or is for a track of."""
        if self.release is not None:
            return self.release
        assert self.track is not None
        return self.track.release

    @property
    def is_rental(self) -> bool:
        """Whether it ends by itself."""
        return self.rental_days is not None

    @property
    def begins_at(self) -> datetime:
        """From when it can be used: when it became somebody's, or the day the release comes out."""
        held = self.claimed_at or self.created_at
        unlocks = self.subject_release.unlocks_at
        return held if unlocks is None else max(held, unlocks)

    @property
    def ends_at(self) -> datetime | None:
        """When a rental ends: so long after its first play, or after the days it waits for one. None: never."""
        if self.rental_days is None or self.rental_hours is None:
            return None
        if self.first_played_at is not None:
            return self.first_played_at + timedelta(hours=self.rental_hours)
        return self.begins_at + timedelta(days=self.rental_days)

    def stands(self, now: datetime) -> bool:
        """Whether it can be used at that moment (for streaming at least)."""
        if self.revoked_at is not None or now < self.begins_at:
            return False
        return self.ends_at is None or now < self.ends_at
