"""Signs events and brings them to the shop until it takes them."""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
import time
import urllib.error
import urllib.request

from app.payments.sandbox.state import State

log = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 20
_LEASE_SECONDS = 60
_SLOWEST_SECONDS = 30.0
_IDLE_SECONDS = 1.0  # another process may have queued an event


def sign(body: bytes, secret: str, at: int) -> str:
    """The Stripe-Signature header (https://docs.stripe.com/webhooks#verify-manually)."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


class Courier(threading.Thread):
    """One daemon thread per process: delivers what is due, and what it can't, later. Events may arrive twice."""

    def __init__(self, state: State, url: str, secret: str) -> None:
        super().__init__(name="webhooks", daemon=True)
        self._state, self._url, self._secret = state, url, secret
        self._woken = threading.Event()
        self._stopped = False

    def wake(self) -> None:
        """There is a new event."""
        self._woken.set()

    def stop(self) -> None:
        """End the thread; what is undelivered stays in the file for the next start."""
        self._stopped = True
        self._woken.set()
        self.join()

    def run(self) -> None:
        while not self._stopped:
            self._woken.clear()
            try:
                while not self._stopped and self._deliver_one():
                    pass
                due = self._state.next_due()
            except Exception:  # a full disk or a locked file must not end deliveries for good
                log.exception("webhooks: the sandbox's state cannot be used")
                due = None
            wait = _IDLE_SECONDS if due is None else min(max(due - time.time(), 0.01), _IDLE_SECONDS)
            self._woken.wait(wait)

    def _deliver_one(self) -> bool:
        event = self._state.claim(_LEASE_SECONDS)
        if event is None:
            return False
        body = event.body.encode()
        request = urllib.request.Request(  # noqa: S310  the address is the operator's own setting
            self._url,
            data=body,
            headers={
                "Content-Type": "application/json; charset=utf-8",
                "User-Agent": "Wavecrate-Sandbox/1.0",
                "Stripe-Signature": sign(body, self._secret, int(time.time())),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS):  # noqa: S310
                self._state.delivered(event.id)
        except (OSError, urllib.error.HTTPError) as error:
            log.warning("webhooks: %s not taken by %s: %s", event.id, self._url, error)
            self._state.postpone(event.id, min(0.25 * 2**event.attempts, _SLOWEST_SECONDS))
        return True
