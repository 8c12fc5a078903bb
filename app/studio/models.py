"""Uploads on their way to becoming masters."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Identified, Model, Timestamped


class Upload(Identified, Timestamped, Model):
    """A file an editor is sending. It becomes a track's master once it is probed, or is refused with a reason."""

    __tablename__ = "upload"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    filename: Mapped[str] = mapped_column(String(255))
    size: Mapped[int] = mapped_column(BigInteger)
    arrived_at: Mapped[datetime | None] = mapped_column(doc="when the store had all of it")
    track_id: Mapped[str | None] = mapped_column(ForeignKey("track.id"), doc="what it became")
    refused: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True),
        doc="why it became nothing: `message` and `facts` of a NotMedia, translated when shown",
    )
