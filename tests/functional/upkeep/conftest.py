"""A house in order, and a clock that can be moved on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from support.house import House, furnish

from app.core import clock
from media_store.s3 import S3Store


@pytest.fixture
def house(app: Flask, store: S3Store) -> House:
    """Rows and objects that agree."""
    return furnish(store)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Move the shop's clock on; the store's own stays."""
    passed = timedelta()
    real = clock.now

    def move(by: timedelta) -> None:
        nonlocal passed
        passed += by
        monkeypatch.setattr(clock, "now", lambda: real() + passed)

    return move
