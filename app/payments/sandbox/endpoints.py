"""What the API can do: for each address its parameters, and what carrying it out changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.payments.sandbox import disputes, lists, payments, refunds, sessions, tax
from app.payments.sandbox.bank import Bank, refuse
from app.payments.sandbox.currencies import MOST
from app.payments.sandbox.params import BadParameter, Reader
from app.payments.sandbox.state import State

Body = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A request in its open transaction."""

    bank: Bank
    connection: sqlite3.Connection
    params: Body
    version: str
    id: str = ""  # of the object the address names
    expand: tuple[str, ...] = ()

    @property
    def reader(self) -> Reader:
        """Takes the parameters one by one."""
        return Reader(self.params)


@dataclass(frozen=True)
class Endpoint:
    """One method at one address."""

    method: str
    rule: str  # "<id>" stands for an object's id
    params: str  # stripe-python's type of its parameters
    run: Callable[[Call], Body]


ENDPOINTS: list[Endpoint] = []


def _endpoint(method: str, rule: str, params: str) -> Callable[[Callable[[Call], Body]], Callable[[Call], Body]]:
    def register(run: Callable[[Call], Body]) -> Callable[[Call], Body]:
        ENDPOINTS.append(Endpoint(method, rule, params, run))
        return run

    return register


@_endpoint("POST", "/checkout/sessions", "checkout.SessionCreateParams")
def create_session(call: Call) -> Body:
    """Open a payment page."""
    bank = call.bank
    session, private = sessions.checkout_session(
        call.params, bank.public_url, account=bank.currency, now=bank.now(), version=call.version
    )
    State.put(call.connection, session, private)
    State.later(call.connection, session["expires_at"], "expire", session["id"])
    return session


@_endpoint("GET", "/checkout/sessions/<id>", "checkout.SessionRetrieveParams")
def read_session(call: Call) -> Body:
    """How a session stands."""
    call.reader.end()
    return call.bank.find(call.connection, "checkout.session", call.id)


@_endpoint("GET", "/checkout/sessions/<id>/line_items", "checkout.SessionListLineItemsParams")
def read_lines(call: Call) -> Body:
    """What a session's buyer pays for."""
    call.reader.end()
    session = call.bank.find(call.connection, "checkout.session", call.id)
    return sessions.line_items(session, State.private(call.connection, call.id)["lines"])


@_endpoint("POST", "/checkout/sessions/<id>/expire", "checkout.SessionExpireParams")
def expire_session(call: Call) -> Body:
    """Close an open session."""
    call.reader.end()
    session = call.bank.find(call.connection, "checkout.session", call.id)
    if session["status"] != "open":
        raise refuse(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of'
            f" {session['status']}."
        )
    return payments.expire(call.bank, call.connection, call.id)


@_endpoint("POST", "/refunds", "RefundCreateParams")
def create_refund(call: Call) -> Body:
    """Give a payment back, whole or in part."""
    reader = call.reader
    payment, charge = reader.text("payment_intent"), reader.text("charge")
    if (payment is None) == (charge is None):
        raise BadParameter(
            "One of the following params should be provided for this request: payment_intent or charge.",
            param="payment_intent",
            code="parameter_missing",
        )
    reason = reader.text("reason")
    if reason is not None and reason not in refunds.REASONS:
        raise BadParameter(f"Invalid reason: {reason}", param="reason")
    amount = reader.optional_integer("amount", least=1, most=MOST)
    metadata = reader.mapping("metadata")
    reader.end()
    found = refunds.charge_to_refund(call.bank, call.connection, payment, charge)
    return refunds.create(call.bank, call.connection, found, amount, reason=reason, metadata=metadata)


@_endpoint("POST", "/disputes/<id>/close", "DisputeCloseParams")
def close_dispute(call: Call) -> Body:
    """Give in: the dispute is lost."""
    call.reader.end()
    return disputes.close(call.bank, call.connection, call.id, "lost")


@_endpoint("POST", "/tax/calculations", "tax.CalculationCreateParams")
def calculate_tax(call: Call) -> Body:
    """What a sale would be taxed at; the calculation itself can't be read again."""
    return tax.calculation(call.params, now=call.bank.now(), shown="line_items.data.tax_breakdown" in call.expand)


@_endpoint("GET", "/events", "EventListParams")
def list_events(call: Call) -> Body:
    """The newest events, delivered or not."""
    return lists.events(call.connection, call.reader)


@_endpoint("GET", "/events/<id>", "EventRetrieveParams")
def read_event(call: Call) -> Body:
    """One event."""
    call.reader.end()
    return lists.event(call.connection, call.id)


def _readable(kind: str, path: str, params: str) -> None:
    @_endpoint("GET", f"/{path}/<id>", f"{params}RetrieveParams")
    def read(call: Call) -> Body:
        call.reader.end()
        return call.bank.find(call.connection, kind, call.id)


def _listable(kind: str, path: str, params: str, *filters: str) -> None:
    @_endpoint("GET", f"/{path}", f"{params}ListParams")
    def list_(call: Call) -> Body:
        return lists.objects_of(call.connection, kind, f"/v1/{path}", call.reader, filters)


_listable("checkout.session", "checkout/sessions", "checkout.Session", "payment_intent", "status")
for _kind, _path, _params, _filters in (
    ("payment_intent", "payment_intents", "PaymentIntent", ()),
    ("charge", "charges", "Charge", ("payment_intent",)),
    ("refund", "refunds", "Refund", ("payment_intent", "charge")),
    ("dispute", "disputes", "Dispute", ("payment_intent", "charge")),
    ("balance_transaction", "balance_transactions", "BalanceTransaction", ("type", "source", "currency")),
):
    _readable(_kind, _path, _params)
    _listable(_kind, _path, _params, *_filters)
