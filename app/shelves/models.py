"""What editors put forward, trials, and what was shown and followed."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, SmallInteger, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalog.models import Release
from app.core import clock
from app.core.db import Identified, Model, Timestamped

PLACES = 6
"""A pin stands on one of the first so many places of a shelf."""


class Pin(Identified, Timestamped, Model):
    """A release that stands on a place of a shelf, from a day to a day (both included, UTC)."""

    __tablename__ = "shelf_pin"
    __table_args__ = (
        CheckConstraint(f"place BETWEEN 1 AND {PLACES}", name="place"),
        CheckConstraint("until_on >= from_on", name="dates"),
        Index("ix_shelf_pin_until_on", "until_on"),
    )

    release_id: Mapped[str] = mapped_column(ForeignKey("release.id", ondelete="CASCADE"), index=True)
    shelf: Mapped[str] = mapped_column(String(24))
    place: Mapped[int] = mapped_column(SmallInteger)
    from_on: Mapped[date]
    until_on: Mapped[date]

    release: Mapped[Release] = relationship(lazy="joined")


class Boost(Identified, Timestamped, Model):
    """A release that is moved up or down where it is a candidate, from a day to a day (both included, UTC)."""

    __tablename__ = "shelf_boost"
    __table_args__ = (
        CheckConstraint("halves BETWEEN -2 AND 2 AND halves <> 0", name="halves"),
        CheckConstraint("until_on >= from_on", name="dates"),
        Index("ix_shelf_boost_until_on", "until_on"),
    )

    release_id: Mapped[str] = mapped_column(ForeignKey("release.id", ondelete="CASCADE"), index=True)
    shelf: Mapped[str | None] = mapped_column(String(24), doc="none: every shelf that takes boosts")
    halves: Mapped[int] = mapped_column(SmallInteger, doc="by how many halves of the spread of a shelf's scores")
    from_on: Mapped[date]
    until_on: Mapped[date]

    release: Mapped[Release] = relationship(lazy="joined")


class Trial(Identified, Timestamped, Model):
    """One way of the code against others. What it is made of stands once it began."""

    __tablename__ = "shelf_trial"
    __table_args__ = (
        CheckConstraint("metric IN ('clicks', 'purchases')", name="metric"),
        CheckConstraint("stopped_at IS NULL OR started_at IS NOT NULL", name="stopped"),
        CheckConstraint("started_at IS NULL OR until_at IS NOT NULL", name="until"),
    )

    name: Mapped[str] = mapped_column(String(60), unique=True, doc="as it is called in addresses and commands")
    hypothesis: Mapped[str] = mapped_column(Text)
    question: Mapped[str] = mapped_column(String(40), doc="what is tried: a key of `ways.QUESTIONS`")
    variants: Mapped[list[dict[str, Any]]] = mapped_column(
        JSONB, doc="way, and share in per cent; the first is what the others are held against"
    )
    metric: Mapped[str] = mapped_column(String(12))
    salt: Mapped[str] = mapped_column(String(16), doc="by which units are dealt: no two trials deal alike")
    days: Mapped[int] = mapped_column(SmallInteger, doc="how long it is to run")
    started_at: Mapped[datetime | None]
    until_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None] = mapped_column(doc="when it ended, by hand or by the clock")
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB, doc="the report as it was when the trial ended")


class Exposure(Model):
    """A release was shown on a shelf, or somebody followed it from there. Append-only, until it is pruned.

    `unit` is the pseudonym of a person who consented. Of everybody else there is none, and `at` is only the day.
    """

    __tablename__ = "exposure"
    __table_args__ = (
        CheckConstraint("what IN ('shown', 'followed')", name="what"),
        CheckConstraint("unit IS NOT NULL OR (trial_id IS NULL AND date_trunc('day', at, 'UTC') = at)", name="nobody"),
        CheckConstraint("(trial_id IS NULL) = (variant IS NULL)", name="variant"),
        Index("ix_exposure_unit", "unit", "at", postgresql_where="unit IS NOT NULL"),
        Index("ix_exposure_trial_id", "trial_id", postgresql_where="trial_id IS NOT NULL"),
        Index("ix_exposure_release_id_at", "release_id", "at"),
        Index("ix_exposure_at", "at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(default=lambda: clock.now())
    what: Mapped[str] = mapped_column(String(8))
    shelf: Mapped[str] = mapped_column(String(24))
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id", ondelete="CASCADE"))
    place: Mapped[int | None] = mapped_column(SmallInteger, doc="from 1; of what was followed, none")
    source: Mapped[str | None] = mapped_column(String(12))
    unit: Mapped[str | None] = mapped_column(String(32))
    trial_id: Mapped[str | None] = mapped_column(ForeignKey("shelf_trial.id", ondelete="CASCADE"))
    variant: Mapped[str | None] = mapped_column(String(40))


class ExposureCount(Model):
    """How often a release was shown on a shelf and followed from there on a day; what older exposures become."""

    __tablename__ = "exposure_count"

    day: Mapped[date] = mapped_column(primary_key=True)
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id", ondelete="CASCADE"), primary_key=True, index=True)
    shelf: Mapped[str] = mapped_column(String(24), primary_key=True)
    shown: Mapped[int]
    followed: Mapped[int]


class ShelfSample(Identified, Model):
    """What stood on the shelves of some people drawn by lot, in numbers from which no person can be told."""

    __tablename__ = "shelf_sample"

    taken_at: Mapped[datetime] = mapped_column(default=lambda: clock.now(), index=True)
    people: Mapped[int]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, doc="by release id, as `why.Standing` has it")
