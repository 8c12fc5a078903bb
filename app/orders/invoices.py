"""Invoices and credit notes: an order's snapshot, said the way paper says it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import func, select, tuple_

from app.core import countries
from app.core.db import db
from app.core.store import settings
from app.ledger import queries as ledger
from app.ledger.models import Book
from app.letters.invoice import InvoiceData, InvoiceLine, Party, TaxTotal
from app.orders import queries
from app.orders.models import Order, OrderLine, OrderRefund, RefundState
from app.payments import methods
from app.pricing.rounding import apportion

Part = tuple[int, int]
"""Net and tax of a line, in minor units."""


def number_of(order: Order) -> str:
    """The number of its invoice."""
    return f"INV-{order.number}"


def has_invoice(order: Order) -> bool:
    """Whether there is anything to be invoiced: it was paid, and cost something."""
    return order.paid_at is not None and order.total_minor > 0


def invoice(order: Order) -> InvoiceData:
    """The invoice of a paid order, from its snapshot alone; the same whenever it is asked for."""
    assert order.paid_at is not None
    return _data(
        order,
        number_of(order),
        order.paid_at.date(),
        {line.id: (line.net_minor, line.tax_minor) for line in order.lines},
    )


def credit_note(order: Order, parts: Mapping[str, Part], number: str, on: date) -> InvoiceData:
    """What takes back these parts of an order's lines."""
    return _data(order, number, on, parts, corrects=number_of(order))


def credit_notes(order: Order) -> list[tuple[OrderRefund, InvoiceData]]:
    """What was given back of its invoice by the shop's own refunds, oldest first."""
    found = []
    for refund in queries.refunds_of(order.id) if has_invoice(order) else []:
        if refund.state == RefundState.DONE and refund.settled_at is not None:
            parts = given_back(order, refund, refund.amount_minor, refund.gateway_id)
            if any(sum(part) > 0 for part in parts.values()):
                number = refund_number(order, refund, refund.gateway_id)
                found.append((refund, credit_note(order, parts, number, refund.settled_at.date())))
    return found


def refund_number(order: Order, refund: OrderRefund | None, reference: str | None) -> str:
    """A credit note's number: refunds the shop asked for are counted; others go by the gateway's name for them."""
    if refund is None:
        return f"CN-{order.number}-{(reference or 'X')[-8:]}"
    before = select(func.count()).where(
        OrderRefund.order_id == order.id,
        tuple_(OrderRefund.created_at, OrderRefund.id) <= tuple_(refund.created_at, refund.id),
    )
    return f"CN-{order.number}-{db.session.scalar(before)}"


def given_back(order: Order, refund: OrderRefund | None, amount: int, reference: str | None) -> dict[str, Part]:
    """What of each line a refund gives back: as the ledger has it, once it has it, else shared out in the same way.

    Nothing where the money was for none of the order's lines: a second payment.
    """
    entry = ledger.entry(f"refund:{reference}") if reference else None
    if entry is not None:
        found: dict[str, Part] = {}
        for each in entry.postings:
            if each.line_id is not None:
                net, tax = found.get(each.line_id, (0, 0))
                found[each.line_id] = (net, tax + each.minor) if each.account == Book.TAX else (net + each.minor, tax)
        return found
    if refund is not None and refund.payment_id != order.payment_id:
        return {}
    wished = dict(refund.lines) if refund is not None else {}
    if sum(wished.values()) != amount:
        prices = {line.id: line.price_minor for line in order.lines}
        wished = apportion(min(amount, order.total_minor), prices)
    lines = {line.id: line for line in order.lines}
    return {line_id: _part(lines[line_id], minor) for line_id, minor in wished.items() if minor and line_id in lines}


def _part(line: OrderLine, minor: int) -> Part:
    shares = apportion(min(minor, line.price_minor), {"tax": line.tax_minor, "net": line.net_minor})
    return shares["net"], shares["tax"]


def _data(
    order: Order, number: str, on: date, parts: Mapping[str, Part], *, corrects: str | None = None
) -> InvoiceData:
    lines = []
    for line in order.lines:
        if line.id in parts:
            net, tax = parts[line.id]
            rate = line.tax_rate if line.tax_rate is not None else Decimal(0)
            lines.append(InvoiceLine(line.title, 1, net, rate, tax, net + tax))
    totals = []
    for rate in sorted({line.tax_rate for line in lines}):
        of_rate = [line for line in lines if line.tax_rate == rate]
        totals.append(TaxTotal(rate, sum(line.net for line in of_rate), sum(line.tax for line in of_rate)))
    with force_locale(order.locale):
        return InvoiceData(
            number=number,
            issued_on=on,
            supplied_on=order.paid_at.date() if order.paid_at else on,
            seller=_seller(order),
            buyer=_buyer(order),
            currency=order.currency,
            lines=tuple(lines),
            tax_totals=tuple(totals),
            locale=order.locale,
            order_number=str(order.number),
            corrects=corrects,
            reverse_charge=order.reverse_charge,
            paid_by=_paid_by(order.paid_by),
            notes=_notes(order, parts),
        )


def seller_today() -> dict[str, Any]:
    """Who sells, for an order's snapshot."""
    shop = settings()
    return {"name": shop.seller_name, "address": shop.seller_lines, "vat_id": shop.seller_vat_id}


def _seller(order: Order) -> Party:
    sold_by = order.seller or seller_today()
    return Party(sold_by["name"], tuple(sold_by["address"]), sold_by["vat_id"])


def _buyer(order: Order) -> Party:
    billing = order.billing
    address = [str(line) for line in billing.get("address") or []]
    country = billing.get("country")
    if country:
        address.append(countries.called(str(country)))
    name = str(billing.get("name") or "") or order.email
    if name != order.email and order.email:
        address.append(order.email)
    return Party(name or "—", tuple(address), billing.get("vat_id") or None)


def _notes(order: Order, parts: Mapping[str, Part]) -> tuple[str, ...]:
    awaited = [line.title for line in order.lines if line.awaited and line.id in parts]
    if not awaited:
        return ()
    return (_("Ordered before it came out, and supplied on the day it does: %(titles)s.", titles=", ".join(awaited)),)


def _paid_by(method: str | None) -> str | None:
    words = methods.called(method)
    return words[:1].upper() + words[1:] or None
