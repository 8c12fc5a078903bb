"""Coupons, what became of them, and the evidence that an order was taxed by."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import Account
from app.catalog.models import Label, Release
from app.core import clock
from app.core.db import Identified, Model, Timestamped
from app.core.money import Money


class UseState(StrEnum):
    """What became of a coupon that an order was made with."""

    RESERVED = "reserved"
    TAKEN = "taken"
    RELEASED = "released"  # given back: the order was cancelled or expired
    LATE = "late"  # given back, and the order was paid all the same; outside of every limit


class Coupon(Identified, Timestamped, Model):
    """A reduction and its conditions: a percentage, or amounts by currency (`terms`). `uses` are those in force."""

    __tablename__ = "coupon"
    __table_args__ = (
        CheckConstraint("percent > 0 AND percent <= 100", name="percent"),
        CheckConstraint("max_uses > 0 AND max_uses_each > 0", name="limits"),
        CheckConstraint("uses >= 0 AND (max_uses IS NULL OR uses <= max_uses)", name="uses"),
        CheckConstraint("ends_at > starts_at", name="dates"),
    )

    name: Mapped[str] = mapped_column(String(80), doc="what staff call it")
    percent: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    first_order_only: Mapped[bool] = mapped_column(default=False)
    max_uses: Mapped[int | None]
    max_uses_each: Mapped[int | None] = mapped_column(doc="per customer")
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None] = mapped_column(doc="the first moment it doesn't hold any more")
    disabled_at: Mapped[datetime | None]
    uses: Mapped[int] = mapped_column(default=0)

    terms: Mapped[list[CouponTerms]] = relationship(
        order_by="CouponTerms.currency", lazy="selectin", cascade="all, delete-orphan"
    )
    scopes: Mapped[list[CouponScope]] = relationship(lazy="selectin", cascade="all, delete-orphan")


class CouponTerms(Model):
    """A coupon in one currency; with any such row it holds in those currencies only."""

    __tablename__ = "coupon_terms"
    __table_args__ = (
        CheckConstraint("off_minor > 0 AND least_minor > 0", name="positive"),
        CheckConstraint("num_nonnulls(off_minor, least_minor) > 0", name="says_something"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    )

    coupon_id: Mapped[str] = mapped_column(ForeignKey("coupon.id", ondelete="CASCADE"), primary_key=True)
    currency: Mapped[str] = mapped_column(String(3), primary_key=True)
    off_minor: Mapped[int | None]
    least_minor: Mapped[int | None] = mapped_column(doc="least total of an order, as prices are listed")


class CouponScope(Identified, Model):
    """One release or label a coupon is for, or one customer: with any of a sort, it is for those only."""

    __tablename__ = "coupon_scope"
    __table_args__ = (
        CheckConstraint("num_nonnulls(release_id, label_id, account_id) = 1", name="one_subject"),
        UniqueConstraint("coupon_id", "release_id"),
        UniqueConstraint("coupon_id", "label_id"),
        UniqueConstraint("coupon_id", "account_id"),
    )

    coupon_id: Mapped[str] = mapped_column(ForeignKey("coupon.id", ondelete="CASCADE"))
    release_id: Mapped[str | None] = mapped_column(ForeignKey("release.id"))
    label_id: Mapped[str | None] = mapped_column(ForeignKey("label.id"))
    account_id: Mapped[str | None] = mapped_column(ForeignKey("account.id"))

    release: Mapped[Release | None] = relationship(lazy="select")
    label: Mapped[Label | None] = relationship(lazy="select")
    account: Mapped[Account | None] = relationship(lazy="select")


class CouponCode(Identified, Timestamped, Model):
    """What a buyer types, in capitals and without hyphens.

    It is kept as it is and not hashed: staff send codes out again and export them long after they were made, and a code
    is worth one discount to whoever reads the table, who can read and change prices there as well.
    """

    __tablename__ = "coupon_code"
    __table_args__ = (CheckConstraint("code ~ '^[0-9A-Z]{3,40}$'", name="code"),)

    coupon_id: Mapped[str] = mapped_column(ForeignKey("coupon.id"), index=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    single_use: Mapped[bool]

    coupon: Mapped[Coupon] = relationship(lazy="joined")


class CouponUse(Model):
    """A coupon with an order. The index, not a count, sees to it that a single-use code is in force once."""

    __tablename__ = "coupon_use"
    __table_args__ = (
        CheckConstraint("state IN ('reserved', 'taken', 'released', 'late')", name="state"),
        CheckConstraint("discount_minor > 0", name="discount"),
        Index(
            "uq_coupon_use_single",
            "code_id",
            unique=True,
            postgresql_where="single_use AND state IN ('reserved', 'taken')",
        ),
    )

    order_id: Mapped[str] = mapped_column(
        String(16), primary_key=True, doc="orders stand above this room: no key to it"
    )
    coupon_id: Mapped[str] = mapped_column(ForeignKey("coupon.id"), index=True)
    code_id: Mapped[str] = mapped_column(ForeignKey("coupon_code.id"), index=True)
    single_use: Mapped[bool]
    customers: Mapped[list[str]] = mapped_column(ARRAY(String(64)), doc="the tallies it counts in")
    state: Mapped[str] = mapped_column(String(8), default=UseState.RESERVED)
    discount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    reserved_at: Mapped[datetime] = mapped_column(default=lambda: clock.now())
    settled_at: Mapped[datetime | None]

    coupon: Mapped[Coupon] = relationship(lazy="select")
    code: Mapped[CouponCode] = relationship(lazy="joined")

    @property
    def discount(self) -> Money:
        """What it took off."""
        return Money(self.discount_minor, self.currency)


class CouponTally(Model):
    """How often a customer has a coupon in force; a customer is an account's id or the hash of an e-mail."""

    __tablename__ = "coupon_tally"
    __table_args__ = (CheckConstraint("uses >= 0", name="uses"),)

    coupon_id: Mapped[str] = mapped_column(ForeignKey("coupon.id", ondelete="CASCADE"), primary_key=True)
    customer: Mapped[str] = mapped_column(String(64), primary_key=True)
    uses: Mapped[int]


class TaxEvidence(Timestamped, Model):
    """Why an order was taxed as it was: the pieces of evidence, the VAT number, and what a register said of it."""

    __tablename__ = "tax_evidence"
    __table_args__ = (
        CheckConstraint("treatment IN ('taxed', 'reverse_charge', 'not_collected')", name="treatment"),
        CheckConstraint("agreement IN ('agreed', 'single', 'conflict', 'none')", name="agreement"),
        CheckConstraint("treatment <> 'reverse_charge' OR vat_number IS NOT NULL", name="vat_number"),
    )

    order_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    country: Mapped[str | None] = mapped_column(String(2), doc="the buyer's, as it was decided at checkout")
    taxed_in: Mapped[str | None] = mapped_column(String(2))
    treatment: Mapped[str] = mapped_column(String(16))
    agreement: Mapped[str] = mapped_column(String(8), index=True, doc="with the card's country, once that is known")
    billing_country: Mapped[str | None] = mapped_column(String(2))
    ip_country: Mapped[str | None] = mapped_column(String(2))
    card_country: Mapped[str | None] = mapped_column(String(2))
    vat_number: Mapped[str | None] = mapped_column(String(20))
    vat_verdict: Mapped[str | None] = mapped_column(String(8))
    vat_source: Mapped[str | None] = mapped_column(String(60))
    vat_reference: Mapped[str | None] = mapped_column(String(60))
    vat_name: Mapped[str | None] = mapped_column(String(300))
    vat_asked_at: Mapped[str | None] = mapped_column(String(40))
