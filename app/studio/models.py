"""Uploads on their way to becoming masters."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.db import Identified, Model, Timestamped


class Upload(Identified, Timestamped, Model):
    """A file an editor is sending. It becomes a track's master once it is probed, or is refused with a reason."""

    __tablename__ = "upload"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    filename: Mapped[str] = mapped_column(String(255))
    size: Mapped[int] = mapped_column(BigInteger)
    identity: Mapped[str | None] = mapped_column(
        String(100), doc="what the browser knows the file by, beside name and size: when it was changed, how it begins"
    )
    replaces_id: Mapped[str | None] = mapped_column(
        ForeignKey("track.id"), doc="the track it is meant to be a new master of"
    )
    multipart_id: Mapped[str | None] = mapped_column(String(1024), doc="the store's name for the transfer in parts")
    part_size: Mapped[int | None] = mapped_column(doc="bytes of each part but the last")
    active_at: Mapped[datetime] = mapped_column(
        default=lambda: clock.now(), server_default=func.now(), doc="when a part of it was last asked for"
    )
    arrived_at: Mapped[datetime | None] = mapped_column(doc="when the store had all of it")
    track_id: Mapped[str | None] = mapped_column(ForeignKey("track.id"), doc="what it became")
    refused: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True),
        doc="why it became nothing: `message` and `facts` of a NotMedia, translated when shown",
    )


class UploadPart(Model):
    """The SHA-256 that the browser gave for a part before it sent it; kept until the upload comes to an end."""

    __tablename__ = "upload_part"
    __table_args__ = (
        CheckConstraint("number BETWEEN 1 AND 10000", name="number"),
        CheckConstraint("octet_length(sha256) = 32", name="sha256"),
    )

    upload_id: Mapped[str] = mapped_column(ForeignKey("upload.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
