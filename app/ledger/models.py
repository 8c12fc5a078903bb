"""Entries and their postings. The database refuses to change or remove either, and any entry that doesn't balance."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core.db import Identified, Model, Timestamped


class EntryKind(StrEnum):
    """What an entry records."""

    ORDER = "order"  # something was sold: the buyer owes, the sale and its tax are earned
    PAYMENT = "payment"
    FEE = "fee"
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"  # the money of a refund came back
    DISPUTE = "dispute"  # the buyer's bank took the money
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"
    GIFT = "gift"  # a gift was claimed, and so is earned


class Book(StrEnum):
    """The accounts. What the shop has and spends is positive, what it owes and earns negative."""

    GATEWAY = "gateway"  # held for the shop by the gateway
    BUYERS = "buyers"  # owed by buyers; nothing, once an order's payment is in
    SALES = "sales"
    TAX = "tax"  # owed to where it was collected for
    GIFTS = "gifts"  # paid for, and not claimed yet
    FEES = "fees"
    DISPUTES = "disputes"  # taken by a bank, not decided
    LOSSES = "losses"  # taken by a bank for good
    UNAPPLIED = "unapplied"  # came in for nothing that was sold: to be given back


class Entry(Identified, Timestamped, Model):
    """One movement. `key` says which, so that it is written once however often it is heard of."""

    __tablename__ = "ledger_entry"
    __table_args__ = (CheckConstraint(f"kind IN ({', '.join(repr(str(k)) for k in EntryKind)})", name="kind"),)

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    kind: Mapped[str] = mapped_column(String(16), index=True)
    key: Mapped[str] = mapped_column(String(200), unique=True)
    order_id: Mapped[str | None] = mapped_column(String(16), index=True, doc="orders stand above this room")
    payment_id: Mapped[str | None] = mapped_column(String(255), index=True, doc="the gateway's")
    at: Mapped[datetime] = mapped_column(index=True, doc="when it came to pass")
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)

    postings: Mapped[list[Posting]] = relationship(lazy="selectin", order_by="Posting.number")


class Posting(Model):
    """What an entry puts on one account. Those of one entry come to nothing in each currency."""

    __tablename__ = "ledger_posting"
    __table_args__ = (
        CheckConstraint(f"account IN ({', '.join(repr(str(b)) for b in Book)})", name="account"),
        CheckConstraint("minor <> 0", name="minor"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index("ix_ledger_posting_account_currency", "account", "currency"),
    )

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    entry_id: Mapped[str] = mapped_column(ForeignKey("ledger_entry.id"), index=True)
    account: Mapped[str] = mapped_column(String(12))
    currency: Mapped[str] = mapped_column(String(3))
    minor: Mapped[int] = mapped_column(BigInteger)
    line_id: Mapped[str | None] = mapped_column(String(16), index=True, doc="the order line whose money this is")
