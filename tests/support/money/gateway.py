"""The line to the gateway: each request is announced before it goes and after its effect, and may meet a fault."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import stripe
from flask import Flask
from support.money.points import course
from support.sandbox import Direct

from app.payments import stripe_gateway
from app.payments.sandbox.bank import Bank
from app.payments.sandbox.faults import Rule

IN_USE = "in_use"  # a 409: the same key is under way elsewhere
KINDS = ("timeout_before", "timeout_after", "error_before", "error_after", "rate_limit", IN_USE)


class Line(Direct):
    """Calls the sandbox in its own process, with the faults that the running action's plan has for the call."""

    def __init__(self, sandbox: Flask) -> None:
        super().__init__(sandbox)
        self._sandbox = sandbox

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, *, _usage: Any = None
    ) -> tuple[str, int, Mapping[str, str]]:
        """One request; raises APIConnectionError where its answer is lost."""
        running = course()
        if running is None:
            return super().request(method, url, headers, post_data)
        path = url.split("/v1/", 1)[1].split("?")[0]
        running.calls += 1
        fault = running.plan.gateway.get(running.calls)
        running.reached(f"before a call: {method} {path}")
        try:
            with ExitStack() as struck:
                if fault is not None:
                    self._strike(struck, fault, headers or {})
                    running.struck.append(fault)
                return super().request(method, url, headers, post_data)
        finally:
            running.reached(f"after a call: {method} {path}")

    def _strike(self, struck: ExitStack, fault: str, headers: Mapping[str, str]) -> None:
        bank: Bank = self._sandbox.extensions["sandbox"]
        if fault != IN_USE:
            bank.faults.add(Rule(fault, times=1))
            struck.callback(bank.faults.clear)
        elif key := headers.get("Idempotency-Key"):
            struck.enter_context(self._sandbox.extensions["sandbox_keys"].held(key))
        else:  # a GET has no key to be in use
            bank.faults.add(Rule("rate_limit", times=1))
            struck.callback(bank.faults.clear)


def client(sandbox: Flask) -> stripe.StripeClient:
    """A client as the gateway makes it, on that line; it asks once more as the shop's does, without the pause."""
    made = stripe.StripeClient(
        sandbox.config["API_KEY"],
        stripe_version=stripe_gateway.API_VERSION,
        base_addresses={"api": "http://sandbox"},
        max_network_retries=0,
        http_client=Line(sandbox),
    )
    return made
