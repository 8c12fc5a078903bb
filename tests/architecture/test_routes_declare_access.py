"""Every route declares who may call it."""

from __future__ import annotations

from flask import Flask

from app.core.auth import declared_access


def test_every_route_declares_who_may_call_it(app: Flask) -> None:
    silent = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static" and declared_access(app, rule.endpoint) is None
    }
    assert not silent
