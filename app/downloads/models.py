"""ZIPs of whole releases."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Identified, Model, Timestamped


class ArchiveState(StrEnum):
    """Where an archive stands."""

    BUILDING = "building"
    READY = "ready"
    FAILED = "failed"


class Archive(Identified, Timestamped, Model):
    """The ZIP of a release in one format; `fingerprint` changes when any member does."""

    __tablename__ = "archive"
    __table_args__ = (
        UniqueConstraint("release_id", "format", "fingerprint"),
        CheckConstraint("state IN ('building', 'ready', 'failed')", name="state"),
    )

    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"), index=True)
    format: Mapped[str] = mapped_column(String(24))
    fingerprint: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(8), default=ArchiveState.BUILDING)
    progress: Mapped[float] = mapped_column(default=0.0)
    key: Mapped[str | None] = mapped_column(String(90))
    size: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str | None] = mapped_column(Text)
