"""What a page calls entries and accounts."""

from __future__ import annotations

from flask_babel import gettext as _

from app.ledger.models import Book, EntryKind


def kind(name: str) -> str:
    """What an entry records."""
    return {
        EntryKind.ORDER: _("Sale"),
        EntryKind.PAYMENT: _("Payment"),
        EntryKind.FEE: _("Fee"),
        EntryKind.REFUND: _("Refund"),
        EntryKind.REFUND_FAILED: _("Refund that failed"),
        EntryKind.DISPUTE: _("Dispute"),
        EntryKind.DISPUTE_WON: _("Dispute won"),
        EntryKind.DISPUTE_LOST: _("Dispute lost"),
        EntryKind.GIFT: _("Gift claimed"),
    }[EntryKind(name)]


def book(name: str) -> str:
    """What an account holds."""
    return {
        Book.GATEWAY: _("At the payment service"),
        Book.BUYERS: _("Owed by buyers"),
        Book.SALES: _("Sales"),
        Book.TAX: _("Tax"),
        Book.GIFTS: _("Gifts not claimed yet"),
        Book.FEES: _("Fees"),
        Book.DISPUTES: _("Disputed"),
        Book.LOSSES: _("Lost for good"),
        Book.UNAPPLIED: _("Came in for nothing"),
    }[Book(name)]
