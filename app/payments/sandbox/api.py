"""The API: what stripe-python speaks to."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, current_app, request

from app.payments.sandbox import objects
from app.payments.sandbox.params import BadParameter, Reader, decode
from app.payments.sandbox.state import State
from app.payments.sandbox.webhooks import Courier

blueprint = Blueprint("api", __name__, url_prefix="/v1")

Made = tuple[int, dict[str, Any]]


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, kind: str, message: str, *, code: str | None = None, param: str | None = None):
        super().__init__(message)
        self.status, self.kind, self.code, self.param = status, kind, code, param

    def body(self) -> dict[str, Any]:
        """The error as Stripe writes it."""
        inner = {"message": str(self), "type": self.kind, "code": self.code, "param": self.param}
        return {"error": {name: value for name, value in inner.items() if value is not None}}


def state() -> State:
    """The present server's state."""
    found: State = current_app.extensions["sandbox_state"]
    return found


def emit(connection: sqlite3.Connection, kind: str, subject: dict[str, Any]) -> None:
    """Queue an event in the open transaction."""
    state().emit(connection, objects.event(kind, subject), current_app.config["WEBHOOK_DELAY"])


def wake_courier() -> None:
    """Deliver at once what was queued and committed."""
    courier: Courier | None = current_app.extensions.get("sandbox_courier")
    if courier is not None:
        courier.wake()


@blueprint.errorhandler(Refused)
def _refused(error: Refused) -> Response:
    return _answer(error.status, error.body())


@blueprint.errorhandler(BadParameter)
def _bad(error: BadParameter) -> Response:
    return _answer(400, _as_refusal(error).body())


@blueprint.before_request
def _authenticate() -> None:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    if not secrets.compare_digest(given.encode(), current_app.config["API_KEY"].encode()):
        raise Refused(401, "invalid_request_error", "Invalid API Key provided. The sandbox takes only its own key.")


@blueprint.post("/checkout/sessions")
def create_session() -> Response:
    """Open a payment page."""

    def make(connection: sqlite3.Connection, params: dict[str, Any]) -> Made:
        session, private = objects.checkout_session(params, current_app.config["PUBLIC_URL"])
        State.put(connection, session, private)
        return 200, session

    return _idempotent(make)


@blueprint.get("/checkout/sessions/<session_id>")
def read_session(session_id: str) -> Response:
    """How a session stands."""
    with state().transaction() as connection:
        return _answer(200, find_session(connection, session_id))


@blueprint.post("/checkout/sessions/<session_id>/expire")
def expire_session(session_id: str) -> Response:
    """Close an open session."""

    def make(connection: sqlite3.Connection, params: dict[str, Any]) -> Made:
        Reader(params).end()
        session = find_session(connection, session_id)
        if session["status"] != "open":
            raise Refused(
                400,
                "invalid_request_error",
                f"Only Checkout Sessions with a status of open can be expired. This one is {session['status']}.",
            )
        expire(connection, session)
        return 200, session

    return _idempotent(make)


@blueprint.post("/refunds")
def create_refund() -> Response:
    """Give a payment back, whole or in part."""

    def make(connection: sqlite3.Connection, params: dict[str, Any]) -> Made:
        reader = Reader(params)
        payment = _find(connection, "payment_intent", reader.needed("payment_intent"))
        reason = reader.text("reason")
        if reason not in (None, "duplicate", "fraudulent", "requested_by_customer"):
            raise BadParameter(f"Invalid reason: {reason}", param="reason")
        refunds = [
            json.loads(row[0]) for row in connection.execute("SELECT body FROM object WHERE kind = 'refund'").fetchall()
        ]
        before = sum(each["amount"] for each in refunds if each["payment_intent"] == payment["id"])
        left = payment["amount"] - before
        if left <= 0:
            raise BadParameter("Charge has already been refunded.", code="charge_already_refunded")
        amount = reader.integer("amount", least=1, most=left, default=left)
        metadata = reader.mapping("metadata")
        reader.end()
        made = objects.refund(payment, amount, reason, metadata)
        State.put(connection, made)
        emit(connection, "charge.refunded", objects.refunded_charge(payment, before + amount))
        return 200, made

    return _idempotent(make)


@blueprint.get("/payment_intents/<payment_id>")
def read_payment(payment_id: str) -> Response:
    """A payment."""
    with state().transaction() as connection:
        return _answer(200, _find(connection, "payment_intent", payment_id))


@blueprint.get("/events")
def list_events() -> Response:
    """The newest events, delivered or not."""
    reader = Reader(decode(request.args.items(multi=True)))
    kind, limit = reader.text("type"), reader.integer("limit", least=1, most=100, default=10)
    reader.end()
    found, more = state().events(kind=kind, limit=limit)
    return _answer(200, {"object": "list", "url": "/v1/events", "has_more": more, "data": found})


@blueprint.route("/<path:rest>", methods=["GET", "POST", "DELETE"])
def unknown(rest: str) -> Response:
    """The rest of Stripe is not here."""
    raise Refused(
        404,
        "invalid_request_error",
        f"Unrecognized request URL ({request.method}: /v1/{rest}). The sandbox speaks only what the shop uses.",
    )


def find_session(connection: sqlite3.Connection, session_id: str) -> dict[str, Any]:
    """A session as it is now: one whose time is up is expired first."""
    session = _find(connection, "checkout.session", session_id)
    if session["status"] == "open" and session["expires_at"] <= time.time():
        expire(connection, session)
    return session


def expire(connection: sqlite3.Connection, session: dict[str, Any]) -> None:
    """Close a session and say so."""
    session |= {"status": "expired", "url": None}
    State.put(connection, session)
    emit(connection, "checkout.session.expired", session)


def _find(connection: sqlite3.Connection, kind: str, object_id: str) -> dict[str, Any]:
    found = State.get(connection, kind, object_id)
    if found is None:
        raise Refused(
            404, "invalid_request_error", f"No such {kind}: '{object_id}'", code="resource_missing", param="id"
        )
    return found


def _idempotent(make: Callable[[sqlite3.Connection, dict[str, Any]], Made]) -> Response:
    """Answer a POST: the same key with the same parameters gets the first answer again, with others an error.

    Like Stripe's, only what ran is kept; parameters that fail validation leave the key unused.
    """
    pairs = list(request.form.items(multi=True))
    fingerprint = hashlib.sha256(json.dumps([request.path, sorted(pairs)]).encode()).hexdigest()
    key = request.headers.get("Idempotency-Key")
    try:
        with state().transaction() as connection:
            if key is not None:
                if len(key) > 255:
                    raise Refused(400, "invalid_request_error", "Idempotency keys are at most 255 characters long.")
                kept = connection.execute("SELECT request, status, body FROM answer WHERE key = ?", (key,)).fetchone()
                if kept is not None:
                    if kept[0] != fingerprint:
                        raise Refused(
                            400,
                            "idempotency_error",
                            "Keys for idempotent requests can only be used with the same parameters they were first"
                            f" used with. Try using a key other than '{key}' if you meant to execute a different"
                            " request.",
                        )
                    answer = _answer(kept[1], json.loads(kept[2]))
                    answer.headers["Idempotent-Replayed"] = "true"
                    return answer
            status, body = make(connection, decode(pairs))
            if key is not None:
                connection.execute(
                    "INSERT INTO answer (key, request, status, body) VALUES (?, ?, ?, ?)",
                    (key, fingerprint, status, json.dumps(body)),
                )
    except BadParameter as error:
        raise _as_refusal(error) from error
    wake_courier()
    return _answer(status, body)


def _as_refusal(error: BadParameter) -> Refused:
    return Refused(400, "invalid_request_error", str(error), code=error.code, param=error.param)


def _answer(status: int, body: dict[str, Any]) -> Response:
    response = Response(json.dumps(body), status=status, mimetype="application/json")
    response.headers["Request-Id"] = objects.new_id("req")
    response.headers["Stripe-Version"] = objects.API_VERSION
    return response
