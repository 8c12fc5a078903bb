"""Idempotency keys (https://docs.stripe.com/api/idempotent_requests).

The first answer is kept from the moment a request's execution began, errors and all, and given again for a day. What
was refused before that, for a bad parameter or because another request with the key was under way, leaves it unused.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.payments.sandbox.bank import Refused

_KEEP_SECONDS = 24 * 3600
_LONGEST = 255


class Keys:
    """The keys in use, and what was answered under them."""

    def __init__(self) -> None:
        self._under_way: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def held(self, key: str | None) -> Iterator[None]:
        """Keep a key from others while its request is carried out; raise Refused if another does."""
        if key is None:
            yield
            return
        if not 0 < len(key) <= _LONGEST:
            raise Refused(400, "invalid_request_error", f"Idempotency keys are 1 to {_LONGEST} characters long.")
        with self._lock:
            if key in self._under_way:
                raise Refused(
                    409,
                    "idempotency_error",
                    "There is currently another in-progress request using this Idempotent Key (that probably means you"
                    f" submitted twice, and the other request is still going through): {key}. Please try again later.",
                    code="idempotency_key_in_use",
                )
            self._under_way.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.discard(key)

    @staticmethod
    def kept(
        connection: sqlite3.Connection, key: str | None, request: str, now: float
    ) -> tuple[int, dict[str, Any]] | None:
        """What was answered under the key, or None; raise Refused if it was another request's."""
        if key is None:
            return None
        row = connection.execute("SELECT request, status, body, at FROM answer WHERE key = ?", (key,)).fetchone()
        if row is None or row[3] + _KEEP_SECONDS <= now:
            return None
        if row[0] != request:
            raise Refused(
                400,
                "idempotency_error",
                "Keys for idempotent requests can only be used with the same parameters they were first used with."
                f" Try using a key other than '{key}' if you meant to execute a different request.",
            )
        return row[1], json.loads(row[2])

    @staticmethod
    def keep(
        connection: sqlite3.Connection, key: str | None, request: str, status: int, body: dict[str, Any], now: float
    ) -> None:
        """Remember the answer."""
        if key is not None:
            connection.execute(
                "INSERT OR REPLACE INTO answer (key, request, status, body, at) VALUES (?, ?, ?, ?, ?)",
                (key, request, status, json.dumps(body), now),
            )


def fingerprint(path: str, pairs: list[tuple[str, str]]) -> str:
    """What a request is known by: its address and its parameters."""
    return hashlib.sha256(json.dumps([path, sorted(pairs)]).encode()).hexdigest()
