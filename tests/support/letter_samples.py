"""A letter of every kind, with what such letters say."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from app.core.money import Money
from app.letters.invoice import InvoiceData, InvoiceLine, Party, TaxTotal

AT = datetime(2026, 11, 21, 19, 42, tzinfo=UTC)
LINKS = "https://shop.example.org/"
_LINES = [
    {"title": "Harbour Lights", "amount": Money(990, "EUR")},
    {"title": "夜航 · 导演剪辑版", "amount": Money(1290, "EUR")},
]
_TOTAL = Money(2280, "EUR")

CONTEXTS: dict[str, dict[str, Any]] = {
    "register": {"link": LINKS + "welcome/bcdfghjk", "minutes": 60},
    "already_registered": {"name": "Ada", "link": LINKS + "password/bcdfghjk", "minutes": 60},
    "no_account": {"link": LINKS + "welcome/bcdfghjk", "minutes": 60},
    "reset_password": {"name": "Ada", "link": LINKS + "password/bcdfghjk", "minutes": 60},
    "change_email": {"name": "Ada", "link": LINKS + "account/email/bcdfghjk", "minutes": 60},
    "email_in_use": {},
    "email_changed": {"name": "Ada", "new_email": "new@example.org", "at": AT},
    "password_changed": {"name": "Ada", "at": AT, "link": LINKS + "password"},
    "second_factor_changed": {"name": "Ada", "what": "totp added", "at": AT, "link": LINKS + "password"},
    "new_sign_in": {
        "name": "Ada",
        "device": "Firefox, Linux",
        "address": "203.0.113.7",
        "at": AT,
        "link": LINKS + "account/devices",
    },
    "closed": {"name": "Ada"},
    "order_placed": {"name": "Ada", "number": 1001, "lines": _LINES, "total": _TOTAL, "link": LINKS + "orders/1"},
    "payment_failed": {"name": "Ada", "number": 1001, "total": _TOTAL, "link": LINKS + "cart"},
    "receipt": {
        "name": "Ada",
        "number": 1001,
        "lines": _LINES,
        "total": _TOTAL,
        "paid_at": AT,
        "link": LINKS + "library",
    },
    "guest_order": {"number": 1001, "lines": _LINES, "total": _TOTAL, "link": LINKS + "claim/bcdfghjk"},
    "refund": {
        "name": "Ada",
        "number": 1001,
        "lines": _LINES[:1],
        "amount": Money(990, "EUR"),
        "total": _TOTAL,
        "full": False,
        "duplicate": False,
        "link": LINKS + "orders/1",
    },
    "preorder_released": {
        "name": "Ada",
        "title": "Small Hours",
        "artist": "The Ferrymen",
        "link": LINKS + "releases/1",
    },
    "gift": {
        "giver": "Ada",
        "titles": ["Harbour Lights", "夜航"],
        "message": "For your birthday!\n生日快乐",
        "link": LINKS + "gifts/bcdfghjk",
        "code": "BCDF-GHJK-MNPQ",
    },
    "gift_claimed": {"name": "Ada", "recipient": "Kay", "titles": ["Harbour Lights"], "link": LINKS + "orders/1"},
    "dispute": {"number": 1001, "amount": _TOTAL, "reason": "fraudulent", "due": AT, "link": LINKS + "orders/1"},
    "case": {
        "number": 1001,
        "what": "What was paid is not what was ordered. Nothing was granted.",
        "facts": [["Expected", "22.80 EUR"], ["Found", "0.01 EUR"]],
        "link": LINKS + "orders/1",
    },
    "trial": {"link": LINKS},
}


def invoice_data(
    count: int = 2, *, titles: tuple[str, ...] = ("Harbour Lights", "夜航"), **changes: Any
) -> InvoiceData:
    """An invoice with so many lines of 9.90 € at 19 %, titles in turn."""
    rate = Decimal(19)
    lines = tuple(InvoiceLine(titles[n % len(titles)], 1, 832, rate, 158, 990) for n in range(count))
    facts: dict[str, Any] = {
        "number": "2026-1001",
        "issued_on": date(2026, 11, 21),
        "supplied_on": date(2026, 11, 20),
        "seller": Party("Tidewater Tonträger GmbH", ("Harbour Road 1", "20457 Hamburg"), "DE123456789"),
        "buyer": Party("林小雨", ("人民路 1 号", "上海")),
        "currency": "EUR",
        "lines": lines,
        "tax_totals": (TaxTotal(rate, 832 * count, 158 * count),),
        "order_number": "1001",
    }
    return InvoiceData(**(facts | changes))
