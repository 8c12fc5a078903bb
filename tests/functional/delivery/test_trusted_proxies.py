"""Who asks, and over what, as the edge says it; and not as anybody else does."""

from __future__ import annotations

import pytest
from flask import Flask, request

from app.core.auth import Access, access

CLAIMS = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Request-ID": "from-the-edge-1234"}


@pytest.fixture
def told(app: Flask) -> Flask:
    @app.get("/told")
    @access(Access.PUBLIC)
    def told() -> dict[str, str | None]:
        return {"address": request.remote_addr, "scheme": request.scheme}

    return app


@pytest.mark.parametrize("proxy", ["127.0.0.1", "::1", ""])
def test_a_trusted_proxy_is_believed(told: Flask, proxy: str) -> None:
    answer = told.test_client().get("/told", headers=CLAIMS, environ_base={"REMOTE_ADDR": proxy})
    assert answer.get_json() == {"address": "203.0.113.9", "scheme": "https"}
    assert answer.headers["X-Request-ID"] == "from-the-edge-1234"


def test_nobody_else_is(told: Flask) -> None:
    answer = told.test_client().get("/told", headers=CLAIMS, environ_base={"REMOTE_ADDR": "198.51.100.7"})
    assert answer.get_json() == {"address": "198.51.100.7", "scheme": "http"}
    assert answer.headers["X-Request-ID"] != "from-the-edge-1234"


def test_only_the_last_address_counts(told: Flask) -> None:
    """A client can send the header itself; our edge replaces it, another proxy adds to it."""
    claims = CLAIMS | {"X-Forwarded-For": "10.0.0.1, 203.0.113.9"}
    answer = told.test_client().get("/told", headers=claims, environ_base={"REMOTE_ADDR": "127.0.0.1"})
    assert answer.get_json()["address"] == "203.0.113.9"
