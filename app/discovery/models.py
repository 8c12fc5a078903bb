"""Events, models and vectors."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pgvector.sqlalchemy import Vector
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, LargeBinary, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.db import Identified, Model, Timestamped

FACTORS = 128


class EventKind(StrEnum):
    """What a person did with a release."""

    VIEW = "view"
    PREVIEW = "preview"
    PLAY = "play"
    CART = "cart"
    PURCHASE = "purchase"
    DOWNLOAD = "download"
    REFUND = "refund"


class Event(Model):
    """One thing one person did. Append-only."""

    __tablename__ = "event"
    __table_args__ = (
        CheckConstraint("kind IN ('view', 'preview', 'play', 'cart', 'purchase', 'download', 'refund')", name="kind"),
        Index("ix_event_account_id_at", "account_id", "at"),
        # Every reading of the log asks for each event whether a refund came after it; refunds are few.
        Index("ix_event_refund", "account_id", "release_id", "at", postgresql_where="kind = 'refund'"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"))
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"), index=True)
    track_id: Mapped[str | None] = mapped_column(ForeignKey("track.id"))
    kind: Mapped[str] = mapped_column(String(12))
    value: Mapped[float] = mapped_column(default=1.0, doc="how much of it: the share of a track that was played")
    at: Mapped[datetime] = mapped_column(default=lambda: clock.now(), index=True)


class RecommenderModel(Identified, Timestamped, Model):
    """One training run; the newest active one is in use."""

    __tablename__ = "recommender_model"

    active: Mapped[bool] = mapped_column(default=False, index=True)
    settings: Mapped[dict[str, Any]] = mapped_column(
        JSONB, doc="factors, regularisation, alpha, counts, seconds; the last event seen, and what was popular by then"
    )
    gram: Mapped[bytes | None] = mapped_column(
        LargeBinary, deferred=True, doc="YᵀY over the releases' factors, float64, by which people are folded in"
    )


class ReleaseVector(Model):
    """A release's factors, zero-padded to FACTORS."""

    __tablename__ = "release_vector"

    model_id: Mapped[str] = mapped_column(ForeignKey("recommender_model.id", ondelete="CASCADE"), primary_key=True)
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id", ondelete="CASCADE"), primary_key=True)
    vector: Mapped[Any] = mapped_column(Vector(FACTORS))


class AccountVector(Model):
    """A person's factors, zero-padded to FACTORS."""

    __tablename__ = "account_vector"

    model_id: Mapped[str] = mapped_column(ForeignKey("recommender_model.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    vector: Mapped[Any] = mapped_column(Vector(FACTORS))
