"""Events, models and vectors."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pgvector.sqlalchemy import Vector
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, LargeBinary, SmallInteger, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.db import Identified, Model, Timestamped

FACTORS = 128


class EventKind(StrEnum):
    """What a person did with a release. What each says of their taste stands in `signal.SIGNALS`."""

    VIEW = "view"
    PREVIEW = "preview"
    PLAY = "play"
    FINISH = "finish"
    SKIP = "skip"
    WISHLIST = "wishlist"
    CART = "cart"
    PURCHASE = "purchase"
    DOWNLOAD = "download"
    RATING = "rating"
    ELSEWHERE = "elsewhere"
    DISMISS = "dismiss"
    REFUND = "refund"


class Event(Model):
    """One thing one person did. Append-only: what they take back is one more event."""

    __tablename__ = "event"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('view', 'preview', 'play', 'finish', 'skip', 'wishlist', 'cart', 'purchase', 'download',"
            " 'rating', 'elsewhere', 'dismiss', 'refund')",
            name="kind",
        ),
        CheckConstraint("value BETWEEN -1 AND 1", name="value"),
        Index("ix_event_account_id_at", "account_id", "at"),
        # Every reading of the log asks for each event whether a refund came after it; refunds are few.
        Index("ix_event_refund", "account_id", "release_id", "at", postgresql_where="kind = 'refund'"),
        # And whether a newer one of its kind took its place; these are few, too.
        Index(
            "ix_event_replacing",
            "account_id",
            "release_id",
            "kind",
            "at",
            postgresql_where="kind IN ('wishlist', 'rating', 'elsewhere', 'dismiss')",
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"))
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"), index=True)
    track_id: Mapped[str | None] = mapped_column(ForeignKey("track.id"))
    kind: Mapped[str] = mapped_column(String(12))
    value: Mapped[float] = mapped_column(
        default=1.0, doc="how much of it: the share of a track that was played; a rating from -1 to 1; 0 takes it back"
    )
    at: Mapped[datetime] = mapped_column(default=lambda: clock.now(), index=True)


class RecommenderModel(Identified, Timestamped, Model):
    """One training run; the newest active one is in use."""

    __tablename__ = "recommender_model"

    active: Mapped[bool] = mapped_column(default=False, index=True)
    settings: Mapped[dict[str, Any]] = mapped_column(
        JSONB,
        doc="the recipe, tuned or not; counts, seconds; the last event seen, and what was popular by then",
    )
    gram: Mapped[bytes | None] = mapped_column(
        LargeBinary,
        deferred=True,
        doc="YᵀY over the factors of releases people touched, float64, by which they are folded in",
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


class Mode(StrEnum):
    """Whether the shop learns what a person likes, and shows them something for it."""

    ON = "on"
    PAUSED = "paused"  # nothing new is learned; the shelves go on with what is known
    OFF = "off"  # nothing is learned, nothing known is used, and no shelf is personal


class Taste(Model):
    """How a person wants to be recommended to. Whoever never said has no row: `Mode.ON`, and nobody asked yet."""

    __tablename__ = "taste"
    __table_args__ = (CheckConstraint("mode IN ('on', 'paused', 'off')", name="mode"),)

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    mode: Mapped[str] = mapped_column(String(8), default=Mode.ON)
    listening: Mapped[bool | None] = mapped_column(
        doc="consent: whether what they play and view may shape what they are shown; None until they were asked"
    )
    changed_at: Mapped[datetime] = mapped_column(
        default=lambda: clock.now(), doc="since when nothing that was learned of them before is to be used", index=True
    )


class Verdict(StrEnum):
    """What a person said of a release that they are never to be shown again."""

    DISMISSED = "dismissed"  # not for me
    ELSEWHERE = "elsewhere"  # I own this elsewhere: liked all the same


class Opinion(Model):
    """What a person told the shop about a release; a row that says nothing any more is deleted."""

    __tablename__ = "opinion"
    __table_args__ = (
        CheckConstraint("verdict IN ('dismissed', 'elsewhere')", name="verdict"),
        CheckConstraint("stars BETWEEN 1 AND 5", name="stars"),
        CheckConstraint("verdict IS NOT NULL OR stars IS NOT NULL OR left_out", name="says_something"),
    )

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id", ondelete="CASCADE"), primary_key=True, index=True)
    verdict: Mapped[str | None] = mapped_column(String(12))
    stars: Mapped[int | None] = mapped_column(SmallInteger, doc="their rating")
    left_out: Mapped[bool] = mapped_column(default=False, doc="what they did with it is not to shape what they see")
    at: Mapped[datetime] = mapped_column(default=lambda: clock.now(), onupdate=lambda: clock.now())
