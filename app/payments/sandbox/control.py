"""The sandbox's own controls, under `/sandbox`: what no shop may ask of Stripe, and a test or a bench must.

JSON in, JSON out, with the account's secret key. `docs/payment-sandbox.md` lists what there is.
"""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from app.payments.sandbox import cards, disputes, payments
from app.payments.sandbox.api import authenticate, bank
from app.payments.sandbox.bank import Refused, refuse
from app.payments.sandbox.faults import BadRule, Rule
from app.payments.sandbox.outbox import sign
from app.payments.sandbox.state import State

blueprint = Blueprint("control", __name__, url_prefix="/sandbox")
blueprint.before_request(authenticate)

_LEASE_SECONDS = 60.0
_RULE = ("kind", "match", "times", "skip", "probability", "seed", "seconds")


@blueprint.errorhandler(Refused)
def _refused(error: Refused) -> tuple[Response, int]:
    return jsonify(error.body()), error.status


@blueprint.errorhandler(BadRule)
@blueprint.errorhandler(TypeError)
@blueprint.errorhandler(ValueError)
def _bad(error: Exception) -> tuple[Response, int]:
    return _refused(refuse(str(error)))


@blueprint.get("/faults")
def faults() -> Response:
    """The rules in force, and how often each kind of fault was injected."""
    return jsonify(bank().faults.shown())


@blueprint.post("/faults")
def add_fault() -> Response:
    """Put a rule in force: `kind`, and as wanted `match`, `times`, `skip`, `probability`, `seed`, `seconds`."""
    given = _given(*_RULE)
    if "kind" not in given:
        raise BadRule("kind is missing.")
    return jsonify(bank().faults.add(Rule(**given)).shown())


@blueprint.delete("/faults")
def clear_faults() -> Response:
    """No rule is in force any more."""
    bank().faults.clear()
    return jsonify(bank().faults.shown())


@blueprint.post("/clock")
def set_clock() -> Response:
    """Put the clock `offset` seconds ahead of the machine's, or `advance` it; what was to happen by then happens."""
    given = _given("offset", "advance")
    state = bank().state
    state.set_clock(float(given.get("offset", state.offset)) + float(given.get("advance", 0)))
    bank().catch_up()
    bank().wake()
    return jsonify({"offset": state.offset, "now": state.now()})


@blueprint.post("/sessions/<session_id>/pay")
def pay(session_id: str) -> tuple[Response, int]:
    """Do what a buyer does on the payment page, without the page: 200 and the session, or 402 if it was declined."""
    given = _given("method", "number", "iban", "declined", "email", "country", "name")
    method = given.get("method", "card")
    bank().catch_up()
    with bank().state.transaction() as connection:
        session = bank().find(connection, "checkout.session", session_id)
        if session["status"] != "open":
            raise refuse(f"This session is {session['status']}.")
        means = None
        if session["amount_total"]:
            if method not in session["payment_method_types"]:
                raise refuse(f"It offers {', '.join(session['payment_method_types'])}.", param="method")
            try:
                means = cards.presented(
                    method,
                    number=given.get("number", cards.TEST_CARD),
                    iban=given.get("iban", cards.TEST_IBAN),
                    email=given.get("email"),
                    declined=bool(given.get("declined")),
                )
            except cards.BadNumber as error:
                raise refuse(f"There can be no {error}.", param="number") from error
        session = payments.pay(
            bank(),
            connection,
            session,
            means,
            email=session["customer_email"] or given.get("email"),
            country=given.get("country"),
            name=given.get("name"),
        )
    bank().wake()
    return jsonify(session), 200 if session["status"] == "complete" else 402


@blueprint.post("/sessions/<session_id>/settle")
def settle(session_id: str) -> Response:
    """End a delayed payment now: `outcome` is succeeded or failed; without one, as its buyer's account has it."""
    return _hasten("settle", session_id)


@blueprint.post("/refunds/<refund_id>/end")
def end_refund(refund_id: str) -> Response:
    """End a slow refund now: `outcome` is succeeded or failed; without one, as the buyer's card has it."""
    return _hasten("refund", refund_id)


@blueprint.post("/disputes")
def dispute() -> Response:
    """Have the buyer dispute a `payment_intent`, or an `amount` of it, for a `reason` (fraudulent if none is given)."""
    given = _given("payment_intent", "amount", "reason")
    reason = given.get("reason", "fraudulent")
    if reason not in disputes.REASONS:
        raise refuse(f"reason is one of {', '.join(sorted(disputes.REASONS))}.", param="reason")
    with bank().state.transaction() as connection:
        payment = bank().find(connection, "payment_intent", given.get("payment_intent", ""), "payment_intent")
        if payment["latest_charge"] is None:
            raise refuse("Nobody has tried to pay it yet.", param="payment_intent")
        charge = bank().find(connection, "charge", payment["latest_charge"])
        made = disputes.begin(bank(), connection, charge, reason=reason, amount=given.get("amount"))
    bank().wake()
    return jsonify(made)


@blueprint.post("/disputes/<dispute_id>/close")
def close_dispute(dispute_id: str) -> Response:
    """Have the buyer's bank decide: `outcome` is won or lost."""
    outcome = _given("outcome").get("outcome")
    if outcome not in ("won", "lost"):
        raise refuse("outcome is won or lost.", param="outcome")
    with bank().state.transaction() as connection:
        closed = disputes.close(bank(), connection, dispute_id, outcome)
    bank().wake()
    return jsonify(closed)


@blueprint.get("/outbox")
def outbox() -> Response:
    """How many deliveries the shop hasn't taken, and when the next is due."""
    box = bank().outbox
    return jsonify({"undelivered": box.undelivered(), "next_due": box.next_due(), "now": bank().now()})


@blueprint.post("/outbox/take")
def take() -> Response:
    """Deliveries that are due, `limit` at most, to be carried to the shop by the caller; `report` tells how it went.

    What isn't reported is due again after `lease` seconds, like any delivery nobody answered.
    """
    given = _given("limit", "lease")
    bank().catch_up()
    claimed = bank().outbox.claim(float(given.get("lease", _LEASE_SECONDS)), int(given.get("limit", 100)))
    secret, now = current_app.config["WEBHOOK_SECRET"], int(time.time())
    return jsonify(
        [
            {
                "delivery": each.number,
                "event": each.event,
                "type": each.type,
                "attempts": each.attempts,
                "body": each.body,
                "signature": sign(each.body.encode(), secret, now + each.skew),
            }
            for each in claimed
        ]
    )


@blueprint.post("/outbox/report")
def report() -> Response:
    """Which deliveries the shop took (`delivered`) and which it didn't (`failed`): those come again by the schedule."""
    given = _given("delivered", "failed")
    bank().outbox.delivered(*given.get("delivered", []))
    bank().outbox.failed(*given.get("failed", []))
    return outbox()


@blueprint.post("/outbox/retry")
def retry() -> Response:
    """Whatever is undelivered is due now, whenever its next attempt was to be."""
    bank().outbox.retry_now()
    bank().wake()
    return outbox()


@blueprint.post("/events/<event_id>/resend")
def resend(event_id: str) -> Response:
    """Deliver an event once more, as Stripe's dashboard can."""
    with bank().state.transaction() as connection:
        if connection.execute("SELECT 1 FROM event WHERE id = ?", (event_id,)).fetchone() is None:
            raise refuse(f"No such event: '{event_id}'", code="resource_missing", status=404)
        bank().outbox.add(connection, event_id, due=bank().now())
    bank().wake()
    return outbox()


def _hasten(kind: str, subject: str) -> Response:
    outcome = _given("outcome").get("outcome")
    if outcome not in (None, "succeeded", "failed"):
        raise refuse("outcome is succeeded or failed.", param="outcome")
    if not bank().hasten(kind, subject, outcome):
        raise refuse(f"Nothing is under way with {subject}.", status=404)
    with bank().state.transaction(write=False) as connection:
        return jsonify(State.any(connection, subject))


def _given(*names: str) -> dict[str, Any]:
    """The request's JSON object, of which only these keys may be."""
    given = request.get_json(silent=True) if request.get_data() else {}
    if not isinstance(given, dict):
        raise refuse("The body must be a JSON object.")
    for name in given:
        if name not in names:
            raise refuse(f"Unknown: {name}. There are {', '.join(names)}.", param=name)
    return given
