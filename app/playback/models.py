"""Plays."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.db import Identified, Model, Timestamped


class PlaySession(Identified, Timestamped, Model):
    """One person playing one track: what a signed media path is bound to."""

    __tablename__ = "play_session"
    __table_args__ = (CheckConstraint("played_share BETWEEN 0 AND 1", name="played_share"),)

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    track_id: Mapped[str] = mapped_column(ForeignKey("track.id"))
    expires_at: Mapped[datetime] = mapped_column(index=True)
    played_share: Mapped[float] = mapped_column(default=0.0, doc="what the event log knows of: 0 to 1 of the track")


class ResumePosition(Model):
    """Where a person left a track."""

    __tablename__ = "resume_position"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), primary_key=True)
    track_id: Mapped[str] = mapped_column(ForeignKey("track.id"), primary_key=True)
    position_ms: Mapped[int]
    updated_at: Mapped[datetime] = mapped_column(default=lambda: clock.now(), onupdate=clock.now)
