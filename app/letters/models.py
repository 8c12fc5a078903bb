"""Letters."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Identified, Model, Timestamped


class LetterState(StrEnum):
    """What became of a letter."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"


class Letter(Identified, Timestamped, Model):
    """One letter to one address. What it says is fixed when it is asked for, and put into words when it is sent."""

    __tablename__ = "letter"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'sent', 'failed')", name="state"),
        CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent_at"),
        CheckConstraint("state <> 'failed' OR error IS NOT NULL", name="failed_why"),
        Index("ix_letter_created_at", "created_at"),
    )

    kind: Mapped[str] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(String(200), unique=True, doc="what the letter is about: said once, however often")
    to_address: Mapped[str] = mapped_column(String(320))
    locale: Mapped[str] = mapped_column(String(16))
    # Not a foreign key: accounts stand above letters.
    account_id: Mapped[str | None] = mapped_column(String(16), index=True)
    context: Mapped[dict[str, Any]] = mapped_column(JSONB)
    attachments: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, doc="invoices, as the facts they are drawn from")

    state: Mapped[str] = mapped_column(String(8), default=LetterState.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    unsure: Mapped[int] = mapped_column(default=0, doc="attempts after which nobody knows whether it was taken")
    error: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime | None]

    subject: Mapped[str | None] = mapped_column(Text)
    text: Mapped[str | None] = mapped_column(Text)
    html: Mapped[str | None] = mapped_column(Text)
