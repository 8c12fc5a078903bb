"""The payment sandbox from inside: its controls, and stripe-python without a network."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

import stripe
from flask import Flask
from requests.structures import CaseInsensitiveDict

from app.payments import stripe_gateway
from app.payments.sandbox.api import LOST


class Controls:
    """What a sandbox does on demand; each method is one of its `/sandbox` addresses, each value what that answered."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def ask(self, verb: str, path: str, expect: int = 200, /, **body: Any) -> Any:
        """Any of them."""
        headers = {"Authorization": f"Bearer {self._app.config['API_KEY']}"}
        given = body if verb == "POST" else None
        answer = self._app.test_client().open(f"/sandbox/{path}", method=verb, headers=headers, json=given)
        assert answer.status_code == expect, answer.text
        return answer.get_json()

    def fault(self, kind: str, **rule: Any) -> Any:
        """Put a rule in force."""
        return self.ask("POST", "faults", kind=kind, **rule)

    def injected(self) -> dict[str, int]:
        """How many faults of each kind there were so far."""
        return self.ask("GET", "faults")["injected"]

    def no_faults(self) -> None:
        """Take all rules out."""
        self.ask("DELETE", "faults")

    def advance(self, seconds: float) -> None:
        """Put the sandbox's clock forward; what was to happen by then happens."""
        self.ask("POST", "clock", advance=seconds)

    def pay(self, checkout_id: str, method: str = "card", *, expect: int = 200, **means: Any) -> dict[str, Any]:
        """Pay a session as its buyer; the session as it is then. A payment that is declined is a 402."""
        return self.ask("POST", f"sessions/{checkout_id}/pay", expect, method=method, **means)

    def settle(self, checkout_id: str, outcome: str) -> dict[str, Any]:
        """End a delayed payment."""
        return self.ask("POST", f"sessions/{checkout_id}/settle", outcome=outcome)

    def end_refund(self, refund_id: str, outcome: str) -> dict[str, Any]:
        """End a slow refund."""
        return self.ask("POST", f"refunds/{refund_id}/end", outcome=outcome)

    def dispute(self, payment_id: str, **more: Any) -> dict[str, Any]:
        """Dispute a payment as its buyer."""
        return self.ask("POST", "disputes", payment_intent=payment_id, **more)

    def close_dispute(self, dispute_id: str, outcome: str) -> dict[str, Any]:
        """Decide a dispute as the buyer's bank."""
        return self.ask("POST", f"disputes/{dispute_id}/close", outcome=outcome)

    def take(self, limit: int = 100) -> list[dict[str, Any]]:
        """Deliveries that are due."""
        return self.ask("POST", "outbox/take", limit=limit)

    def report(self, *, delivered: list[int] | None = None, failed: list[int] | None = None) -> dict[str, Any]:
        """How they went."""
        return self.ask("POST", "outbox/report", delivered=delivered or [], failed=failed or [])


class Direct(stripe.HTTPClient):
    """Calls a WSGI application where others would open a connection: the same bytes, a tenth of the time."""

    name = "direct"

    def __init__(self, app: Flask) -> None:
        super().__init__()
        self._app = app

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, *, _usage: Any = None
    ) -> tuple[str, int, Mapping[str, str]]:
        """One request; raises APIConnectionError where the sandbox was told to lose the answer."""
        parts, body = urlsplit(url), (post_data or "").encode()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method.upper(),
            "SCRIPT_NAME": "",
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "SERVER_NAME": "sandbox",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in (headers or {}).items():
            plain = name.upper().replace("-", "_")
            environ["CONTENT_TYPE" if plain == "CONTENT_TYPE" else f"HTTP_{plain}"] = value
        said: list[Any] = []

        def start_response(status: str, given: list[tuple[str, str]], _exc: Any = None, /) -> Any:
            said.extend((status, given))

        answer = b"".join(self._app(environ, start_response))
        found = CaseInsensitiveDict(said[1])
        if LOST in found:
            raise stripe.APIConnectionError("The sandbox was told not to answer.", should_retry=True)
        return answer.decode(), int(said[0].split(" ", 1)[0]), found

    def close(self) -> None:
        """Nothing is open."""

    async def request_async(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Nobody waits for it so."""
        raise NotImplementedError

    async def close_async(self) -> None:
        """Nothing is open."""


def direct_client(app: Flask, *, retries: int = 0) -> stripe.StripeClient:
    """A client as the gateway makes it, that calls a sandbox in its own process: `extensions["stripe"]` may be one."""
    return stripe.StripeClient(
        app.config["API_KEY"],
        stripe_version=stripe_gateway.API_VERSION,
        base_addresses={"api": "http://sandbox"},
        max_network_retries=retries,
        http_client=Direct(app),
    )
