"""One clock for the shop and the gateway, that stands until it is put forward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from typing import Any
from unittest import mock

from app.core import clock
from app.payments.sandbox.state import State

BEGINS = datetime(2027, 1, 4, 12, tzinfo=UTC).timestamp()
_STEP = 1e-6  # each look is a little later than the one before, as it is for everybody else


class Timepiece:
    """Seconds since the epoch."""

    def __init__(self, at: float = BEGINS) -> None:
        self.at = at

    def now(self) -> float:
        """The moment."""
        self.at += _STEP
        return self.at

    def moment(self) -> datetime:
        """The same, aware, in UTC."""
        return datetime.fromtimestamp(self.now(), UTC)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.at += seconds

    @contextmanager
    def ruling(self, state: State) -> Iterator[None]:
        """Both go by this clock meanwhile: `app.core.clock`, wherever a column or a call took hold of it, and the
        gateway's. Signatures of webhooks are told and checked by the machine's own."""
        rules = self

        class _Datetime(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Any:
                return datetime.fromtimestamp(rules.now(), tz)

        with mock.patch.object(clock, "datetime", _Datetime), mock.patch.object(state, "now", self.now):
            yield
