"""What the next page would say of what was just done."""

from __future__ import annotations

from flask.testing import FlaskClient


def flashed(browser: FlaskClient) -> list[tuple[str, str]]:
    """Kind and words of each message that waits in this browser, and they wait no more."""
    with browser.session_transaction() as kept:
        return [(kind, words) for kind, words in kept.pop("_flashes", [])]
