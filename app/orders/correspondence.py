"""Every letter about an order. Each is written in the caller's transaction, and once, however often it is asked for.

Whether there is something to say is the caller's to know; what to say is found here, from the order as it stands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_babel import force_locale
from flask_babel import gettext as _

from app.accounts.models import Account
from app.catalog.models import OfferKind
from app.core import clock, codes
from app.core.db import db
from app.core.money import Money, parse_money
from app.core.store import settings
from app.ledger import queries as ledger
from app.letters import service as letters
from app.letters.invoice import InvoiceData
from app.orders import invoices, preorders, remedies, waiting
from app.orders.models import Case, CaseKind, Claim, ClaimKind, Order, OrderLine, OrderRefund, OrderState, RefundOrigin


def placed(order: Order) -> None:
    """The order waits for a payment that takes days. Nothing for one that is paid: the receipt says all."""
    if order.state == OrderState.PENDING:
        _write("order_placed", order, f"order_placed:{order.id}", **_bill(order), link=_order_link(order))


def receipt(order: Order) -> None:
    """The order is paid: what was bought, when it opens, where gifts go; the invoice, where anything was paid."""
    own = [line for line in order.lines if not line.is_gift]
    awaited = [line for line in own if line.awaited]
    _write(
        "receipt",
        order,
        f"receipt:{order.id}",
        **_bill(order),
        paid_at=order.paid_at or clock.now(),
        link=_order_link(order),
        free=order.total_minor == 0,
        guest=order.account_id is None and bool(own),
        yours=order.account_id is not None and len(own) > len(awaited),
        for_good=all(line.offer.kind != OfferKind.RENTAL for line in own),
        awaited=[{"title": line.title, "on": _released_on(line)} for line in awaited],
        gifts=[{"title": line.title, "to": line.gift_to, "on": line.gift_on} for line in order.lines if line.is_gift],
        attachments=[invoices.invoice(order)] if invoices.has_invoice(order) else [],
    )


def payment_failed(order: Order) -> None:
    """A payment that takes days came to nothing."""
    _write(
        "payment_failed",
        order,
        f"payment_failed:{order.id}",
        number=order.number,
        total=order.total,
        link=f"{settings().base_url}/cart",
    )


def refunded(order: Order, refund: OrderRefund | None, amount: Money, *, reference: str | None = None) -> None:
    """Money was given back; with a credit note for what of the invoice it takes back.

    `refund` is the shop's own wish, None for one that was made at the gateway; `reference` is the gateway's name for
    it, and without either, all refunds of an order count as one. Called once the ledger has it.
    """
    gateway_id = reference or (refund.gateway_id if refund is not None else None)
    parts = invoices.given_back(order, refund, amount.minor, gateway_id)
    duplicate = refund is not None and refund.origin == RefundOrigin.DUPLICATE
    gone = [] if duplicate else _gone(order, parts)
    note = []
    if any(net + tax > 0 for net, tax in parts.values()):
        number = invoices.refund_number(order, refund, gateway_id)
        on = ((refund.settled_at if refund is not None else None) or clock.now()).date()
        note = [invoices.credit_note(order, parts, number, on)]
    _write(
        "refund",
        order,
        f"refund:{refund.id if refund is not None else gateway_id or order.id}",
        number=order.number,
        lines=[{"title": line.title, "amount": Money(sum(parts[line.id]), order.currency)} for line in gone],
        amount=amount,
        total=order.total,
        full=amount == order.total,
        duplicate=duplicate,
        link=_order_link(order),
        attachments=note,
    )


def guest(claim: Claim, *, again: str = "") -> None:
    """To who bought without an account: the link that makes it theirs."""
    order = claim.order
    own = waiting.lines_of(claim)
    _write(
        "guest_order",
        order,
        _claim_key(claim, again),
        number=order.number,
        lines=_rows(order, own),
        total=Money(sum(line.price_minor for line in own), order.currency),
        link=waiting.letter_link(claim),
        to=claim.to_email,
    )


def gift(claim: Claim, *, again: str = "") -> None:
    """To who is given something: what, from whom, and the link and the code that claim it. In the giver's language."""
    line = claim.line
    assert line is not None
    context = {
        "giver": giver_of(claim),
        "titles": [line.title],
        "message": line.gift_message or "",
        "link": waiting.link(claim),
        "code": codes.spelled(claim.code),
        "opens": _released_on(line) if line.awaited else None,
    }
    letters.enqueue("gift", claim.to_email, claim.order.locale, context, key=_claim_key(claim, again))


def giver_of(claim: Claim) -> str:
    """Who a gift is from, as they want to be called."""
    return (claim.line.gift_from if claim.line is not None else None) or _name(claim.order)


def key_of(claim: Claim) -> str:
    """How the keys of its letters begin: one for each address and code it had, and neither is to be read from it."""
    what = hashlib.sha256(f"{claim.code} {claim.to_email}".encode()).hexdigest()[:16]
    return f"claim:{claim.id}:{what}"


def claim_letter(claim: Claim, *, again: str = "") -> None:
    """The letter of whatever waits. `again` makes it another letter than the one before."""
    (gift if claim.kind == ClaimKind.GIFT else guest)(claim, again=again)


def gift_claimed(claim: Claim) -> None:
    """To the giver: it has been unwrapped."""
    line, order = claim.line, claim.order
    assert line is not None
    with force_locale(order.locale):
        recipient = claim.to_email or _("Somebody")
    _write(
        "gift_claimed",
        order,
        f"gift_claimed:{claim.id}",
        recipient=recipient,
        titles=[line.title],
        link=_order_link(order),
    )


def preorders_out(now: datetime) -> int:
    """To everybody who ordered what came out by then, before it did; how many letters that were."""
    count = 0
    for license_, line, release in preorders.to_tell(now):
        order = line.order
        owner = db.session.get(Account, license_.account_id) if license_.account_id else None
        if owner is None:
            claim = next((each for each in waiting.of_order(order.id) if each.line_id is None), None)
            if line.is_gift or claim is None:
                continue  # the gift's own letter brings it
            to, locale, name, link = order.email, order.locale, _name(order), waiting.letter_link(claim)
        else:
            to, name = owner.email, owner.name
            locale = order.locale if owner.id == order.account_id else owner.locale or order.locale
            link = f"{settings().base_url}/releases/{release.id}"
        context = {
            "name": name,
            "title": release.title_in(locale),
            "artist": release.artist.name_in(locale),
            "link": link,
            "waiting": owner is None,
        }
        key = preorders.letter_key(license_, release, order)
        letters.enqueue(
            "preorder_released", to, locale, context, key=key, account_id=owner.id if owner is not None else None
        )
        count += 1
    return count


def case_raised(case: Case) -> None:
    """To whoever runs the shop: something only a person can decide. Said in the shop's own language."""
    order = db.session.get(Order, case.order_id) if case.order_id else None
    number = order.number if order is not None else None
    link = f"{settings().base_url}/staff/cases/{case.id}"
    if case.kind == CaseKind.DISPUTE:
        amount, currency = str(case.facts["amount"]).split()
        context = {"amount": parse_money(amount, currency), "reason": str(case.facts.get("reason") or "—"), "due": None}
        letters.tell_operator("dispute", {"number": number, **context, "link": link}, key=f"case:{case.id}")
        return
    with force_locale(settings().default_locale):
        words = _fact_words()
        facts = [[words.get(name, name), str(value)] for name, value in case.facts.items() if value not in ("", None)]
        if case.payment_id:
            facts.append([_("Payment"), case.payment_id])
        what = remedies.title(case.kind)
    letters.tell_operator("case", {"number": number, "what": what, "facts": facts, "link": link}, key=f"case:{case.id}")


def _write(
    kind: str,
    order: Order,
    key: str,
    *,
    attachments: list[InvoiceData] | None = None,
    to: str | None = None,
    **context: Any,
) -> None:
    """To the buyer, in the language they bought in; nothing where they are forgotten."""
    account = _account(order)
    to = to or (account.email if account is not None else order.email)
    if not to:
        return
    said = {"name": _name(order), **context}
    letters.enqueue(kind, to, order.locale, said, key=key, attachments=attachments or (), account_id=order.account_id)


def _account(order: Order) -> Account | None:
    account = db.session.get(Account, order.account_id) if order.account_id else None
    return account if account is not None and account.closed_at is None else None


def _name(order: Order) -> str:
    account = _account(order)
    return account.name if account is not None else str(order.billing.get("name") or "") or order.email


def _bill(order: Order) -> dict[str, Any]:
    return {"number": order.number, "lines": _rows(order, order.lines), "total": order.total}


def _rows(order: Order, lines: list[OrderLine]) -> list[dict[str, Any]]:
    return [{"title": line.title, "amount": Money(line.price_minor, order.currency)} for line in lines]


def _gone(order: Order, parts: Mapping[str, invoices.Part]) -> list[OrderLine]:
    """The buyer's own lines that a refund leaves without money."""
    money = ledger.line_money(order.id)
    gone = []
    for line in order.lines:
        back = sum(parts.get(line.id, (0, 0)))
        left = sum(money[line.id].values()) if line.id in money else line.price_minor - back
        if back > 0 and left <= 0 and not line.is_gift:
            gone.append(line)
    return gone


def _released_on(line: OrderLine) -> Any:
    days = [release.released_on for release in line.offer.releases if release.released_on]
    return max(days, default=None)


def _claim_key(claim: Claim, again: str) -> str:
    return f"{key_of(claim)}:{again}" if again else key_of(claim)


def _order_link(order: Order) -> str:
    return f"{settings().base_url}/orders/{order.id}"


def _fact_words() -> dict[str, str]:
    return {
        "expected": _("Expected"),
        "found": _("Found"),
        "amount": _("Amount"),
        "reason": _("Reason"),
        "error": _("What went wrong"),
        "billing": _("Billing country"),
        "card": _("Card’s country"),
    }
