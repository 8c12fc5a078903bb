"""Plays."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.db import Identified, Model, Timestamped


class PlaySession(Identified, Timestamped, Model):
    """One person playing one track: what a signed media path is bound to."""

    __tablename__ = "play_session"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    track_id: Mapped[str] = mapped_column(ForeignKey("track.id"))
    expires_at: Mapped[datetime]


class ResumePosition(Model):
    """Where a person left a track."""

    __tablename__ = "resume_position"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), primary_key=True)
    track_id: Mapped[str] = mapped_column(ForeignKey("track.id"), primary_key=True)
    position_ms: Mapped[int]
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)
