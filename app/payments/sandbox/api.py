"""The API: what stripe-python speaks to. Each address is one of the endpoints; here is what they all go through."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import socket
import time
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, current_app, g, request

from app.payments.sandbox import lists, objects, wire
from app.payments.sandbox.bank import Bank, Refused
from app.payments.sandbox.endpoints import ENDPOINTS, Call, Endpoint
from app.payments.sandbox.faults import Rule
from app.payments.sandbox.idempotency import Keys, fingerprint
from app.payments.sandbox.params import BadParameter, decode

blueprint = Blueprint("api", __name__, url_prefix="/v1")

LOST = "Sandbox-Lost"
"""The header of an answer that its caller never gets: over a socket it is cut off, and so should who calls without."""

Answered = tuple[int, dict[str, Any], dict[str, str]]


def bank() -> Bank:
    """The present server's account."""
    found: Bank = current_app.extensions["sandbox"]
    return found


def authenticate() -> None:
    """Refuse whoever doesn't show the account's secret key."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    if not secrets.compare_digest(given.encode(), current_app.config["API_KEY"].encode()):
        raise Refused(401, "invalid_request_error", "Invalid API Key provided. The sandbox takes only its own key.")


blueprint.before_request(authenticate)


@blueprint.errorhandler(Refused)
def _refused(error: Refused) -> Response:
    return _response(error.status, error.body())


@blueprint.errorhandler(BadParameter)
def _bad(error: BadParameter) -> Response:
    return _refused(Refused(400, "invalid_request_error", str(error), code=error.code, param=error.param))


def _view(endpoint: Endpoint) -> Callable[..., Response]:
    def view(id: str = "") -> Response:
        version = _version(request.headers.get("Stripe-Version"))
        bank().catch_up()
        fault = bank().faults.for_request(request.method, request.path)
        if fault is not None and fault.kind in ("timeout_before", "error_before", "rate_limit"):
            return _unserved(fault)
        answer = _post if endpoint.method == "POST" else _get
        status, body, headers = answer(endpoint, id, version, fault)
        if fault is not None and fault.kind == "timeout_after":
            return _lost(fault)
        return _response(status, body, headers)

    return view


for _each in ENDPOINTS:
    _name = f"{_each.method} {_each.rule}".replace(".", " ")
    blueprint.add_url_rule(_each.rule, _name, _view(_each), methods=[_each.method])


@blueprint.route("/<path:rest>", methods=["GET", "POST", "DELETE"])
def unknown(rest: str) -> Response:
    """The rest of Stripe is not here."""
    raise Refused(
        404,
        "invalid_request_error",
        f"Unrecognized request URL ({request.method}: /v1/{rest}). The sandbox speaks only what the shop uses.",
    )


def _get(endpoint: Endpoint, object_id: str, version: str, fault: Rule | None) -> Answered:
    params = decode(request.args.items(multi=True))
    paths = _checked(endpoint, params, version)
    if fault is not None and fault.kind == "slow":
        time.sleep(fault.seconds)
    with bank().state.transaction(write=False) as connection:
        body = endpoint.run(Call(bank(), connection, params, version, object_id))
        lists.expand(connection, body, paths)
    if fault is not None and fault.kind == "error_after":
        return 500, _internal_error(), {}
    return 200, body, {}


def _post(endpoint: Endpoint, object_id: str, version: str, fault: Rule | None) -> Answered:
    """Carry a request out once for each idempotency key: the same one again gets the first answer."""
    pairs = list(request.form.items(multi=True))
    params = decode(pairs)
    key, asked = request.headers.get("Idempotency-Key"), fingerprint(request.path, pairs)
    keys: Keys = current_app.extensions["sandbox_keys"]
    with keys.held(key):
        if fault is not None and fault.kind == "slow":
            time.sleep(fault.seconds)
        with bank().state.transaction() as connection:
            kept = keys.kept(connection, key, asked, bank().now())
            if kept is not None:
                return *kept, {"Idempotent-Replayed": "true"} | _advice(kept[0])
            paths = _checked(endpoint, params, version)
            connection.execute("SAVEPOINT effect")
            try:
                call = Call(bank(), connection, params, version, object_id, tuple(paths))
                status, body = 200, endpoint.run(call)
                lists.expand(connection, body, paths)
            except Refused as error:
                connection.execute("ROLLBACK TO effect")
                status, body = error.status, error.body()
            if fault is not None and fault.kind == "error_after":
                status, body = 500, _internal_error()
            keys.keep(connection, key, asked, status, body, bank().now())
    bank().wake()
    return status, body, _advice(status)


def _checked(endpoint: Endpoint, params: dict[str, Any], version: str) -> list[str]:
    """Hold the parameters against Stripe's own types; return what is to be expanded, which every address takes."""
    if version == wire.VERSION and "payment_method_types" not in params:  # that one has an error of its own
        wire.check(endpoint.params, params)
    paths = params.pop("expand", [])
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise BadParameter("Invalid array: expand", param="expand")
    return paths


def _version(asked: str | None) -> str:
    """The version of the API a request is for; raise Refused for one that doesn't exist yet, or is no version."""
    if asked is None:
        return objects.API_VERSION
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?", asked) or asked[:10] > objects.API_VERSION[:10]:
        raise Refused(400, "invalid_request_error", f"Invalid Stripe API version: {asked}")
    g.version = asked
    return asked


def _unserved(fault: Rule) -> Response:
    """A request that never took effect."""
    if fault.kind == "timeout_before":
        return _lost(fault)
    if fault.kind == "rate_limit":
        limited = Refused(429, "invalid_request_error", "Request rate limit exceeded.", code="rate_limit")
        return _response(429, limited.body())
    return _response(500, _internal_error())


def _internal_error() -> dict[str, Any]:
    return Refused(500, "api_error", "An unknown error occurred. The sandbox was told to have one.").body()


def _advice(status: int) -> dict[str, str]:
    """An error that is kept comes again however often one asks (https://docs.stripe.com/error-low-level)."""
    return {"Stripe-Should-Retry": "false"} if status >= 500 else {}


def _lost(fault: Rule) -> Response:
    """An answer that doesn't come: the line is held as long as the fault says, then cut."""
    time.sleep(fault.seconds)
    line: socket.socket | None = request.environ.get("werkzeug.socket") or request.environ.get("gunicorn.socket")
    if line is not None:
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
    return Response(status=504, headers={LOST: "true"})


def _response(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    response = Response(json.dumps(body), status=status, mimetype="application/json", headers=headers)
    response.headers["Request-Id"] = objects.new_id("req")
    response.headers["Stripe-Version"] = g.get("version", objects.API_VERSION)
    return response
