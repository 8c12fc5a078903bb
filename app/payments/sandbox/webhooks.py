"""Brings signed events to the shop until it takes them, and lets happen what was to happen by now."""

from __future__ import annotations

import logging
import threading
import time
import urllib.error
import urllib.request

from app.payments.sandbox.bank import Bank
from app.payments.sandbox.outbox import Due, sign

__all__ = ["Courier", "sign"]

log = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 20
_LEASE_SECONDS = 60
_IDLE_SECONDS = 1.0  # the clock may have been set


class Courier(threading.Thread):
    """One daemon thread: delivers what is due, and what it can't, later. Events may arrive twice."""

    def __init__(self, bank: Bank, url: str, secret: str) -> None:
        super().__init__(name="webhooks", daemon=True)
        self._bank, self._url, self._secret = bank, url, secret
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
        state, outbox = self._bank.state, self._bank.outbox
        while not self._stopped:
            self._woken.clear()
            due = None
            try:
                self._bank.catch_up()
                while not self._stopped and (claimed := outbox.claim(_LEASE_SECONDS)):
                    self._deliver(claimed[0])
                    self._bank.catch_up()
                due = min((at for at in (outbox.next_due(), state.next_task()) if at is not None), default=None)
            except Exception:  # a full disk or a locked file must not end deliveries for good
                log.exception("webhooks: the sandbox's state cannot be used")
            wait = _IDLE_SECONDS if due is None else min(max(due - state.now(), 0.01), _IDLE_SECONDS)
            self._woken.wait(wait)

    def _deliver(self, due: Due) -> None:
        body = due.body.encode()
        request = urllib.request.Request(  # noqa: S310  the address is the operator's own setting
            self._url,
            data=body,
            headers={
                "Content-Type": "application/json; charset=utf-8",
                "User-Agent": "Wavecrate-Sandbox/1.0",
                "Stripe-Signature": sign(body, self._secret, int(time.time()) + due.skew),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS):  # noqa: S310
                self._bank.outbox.delivered(due.number)
        except (OSError, urllib.error.HTTPError) as error:
            log.warning("webhooks: %s not taken by %s: %s", due.event, self._url, error)
            self._bank.outbox.failed(due.number)
