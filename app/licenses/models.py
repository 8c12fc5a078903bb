"""Licenses."""

from __future__ import annotations

from datetime import datetime
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
    """A right to use a release, or one track, for good or until revoked. One order line grants one."""

    __tablename__ = "license"
    __table_args__ = (
        CheckConstraint("(release_id IS NULL) <> (track_id IS NULL)", name="one_subject"),
        CheckConstraint("(revoked_at IS NULL) = (revoked_reason IS NULL)", name="revoked_reason"),
    )

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    release_id: Mapped[str | None] = mapped_column(ForeignKey("release.id"), index=True)
    track_id: Mapped[str | None] = mapped_column(ForeignKey("track.id"), index=True)
    # Not a foreign key: orders stand above licenses. Unique, so a line grants once however often it is fulfilled.
    grant_key: Mapped[str] = mapped_column(String(40), unique=True, doc="the order line that granted it")
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None] = mapped_column(String(200))

    release: Mapped[Release | None] = relationship(lazy="joined")
    track: Mapped[Track | None] = relationship(lazy="joined")
