"""Every route, every caller: the answer each gets, and that who is denied changed nothing.

The cells come from the URL map; what is expected stands in `support.cells`, by hand. A route without a row fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from support.cells import BY_SIGNATURE, EXPECTED, GUESTS_TOO, Caller, Outcome, World, contents, outcome, world
from support.ground import Engines, database, opened, settings_on
from werkzeug.routing import Rule

from app.core.auth import GRANTED, Access, Permission, declared_access
from app.core.store import open_store
from app.factory import create_app
from app.settings import Settings
from media_store.s3 import S3Store

# No request is made of it, and it opens no connection: it only tells which routes there are.
_MAP = create_app(
    Settings(
        database_url="postgresql://nowhere/none",
        s3_endpoint_url="http://127.0.0.1:9",
        s3_access_key="none",
        s3_secret_key="none",
        secret_key="no-secret-at-all-0123",
        signing_secret="no-secret-at-all-0123",
        stripe_webhook_secret="no-secret-at-all-0123",
        stripe_api_base="http://127.0.0.1:9",
    )
)
RULES = sorted((rule for rule in _MAP.url_map.iter_rules() if rule.endpoint != "static"), key=lambda rule: rule.rule)
CELLS = [
    pytest.param(rule, method, id=f"{method} {rule.rule}")
    for rule in RULES
    if rule.endpoint in EXPECTED
    for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
]


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert {rule.endpoint for rule in RULES} == set(EXPECTED) | BY_SIGNATURE
    for endpoint in BY_SIGNATURE:
        assert declared_access(_MAP, endpoint) is Access.SIGNATURE


def test_what_a_row_expects_is_what_its_route_declares() -> None:
    """That a row lets everybody in, or nobody unknown, is said in two places: here they are compared."""
    for endpoint, row in EXPECTED.items():
        declared = declared_access(_MAP, endpoint)
        let_in = row[Caller.ANONYMOUS] is not Outcome.ASKED or endpoint in GUESTS_TOO
        assert let_in == (declared is Access.PUBLIC), endpoint
        if isinstance(declared, Permission):
            assert row[Caller.CUSTOMER] is row[Caller.OTHER_CUSTOMER] is Outcome.REFUSED, endpoint
            for caller in (Caller.SUPPORT, Caller.MANAGER, Caller.ADMIN):
                may = declared in GRANTED[str(caller)]
                assert (row[caller] is Outcome.REFUSED) != may, (endpoint, caller)


def test_a_manager_may_do_what_support_may_and_an_admin_everything() -> None:
    assert GRANTED["customer"] == frozenset()
    assert GRANTED["support"] < GRANTED["manager"] < GRANTED["admin"] == frozenset(Permission)
    assert GRANTED["editor"] < GRANTED["manager"]


WRITES = [
    pytest.param(rule, method, id=f"{method} {rule.rule}")
    for rule in RULES
    for method in sorted((rule.methods or set()) - {"GET", "HEAD", "OPTIONS"})
    if rule.endpoint not in BY_SIGNATURE
]


def test_no_write_is_taken_without_its_token(app: Flask, store: S3Store) -> None:
    """Every form and every JSON write, by whoever may do the most, sent by a page that is not ours."""
    app.config["WTF_CSRF_ENABLED"] = True
    there = world(app, store)
    before = contents()
    for rule, method in (each.values for each in WRITES):
        for caller in (Caller.ADMIN, Caller.CUSTOMER, Caller.EDITOR):
            answer = there.ask(caller, rule, method)
            assert answer.status_code == 400, (method, rule.rule, caller)
            assert "This page was open too long" in answer.text
    assert contents() == before
    assert len(WRITES) > 40


@pytest.fixture(scope="module")
def shared(engines: Engines) -> Iterator[tuple[Flask, S3Store, World]]:
    """One shop for all cells, with a world that nobody may change: whoever is let in to write gets another."""
    with database(engines) as url:
        made = settings_on(url, engines.s3, prefix="cells/").model_copy(update={"rate_limit_scale": 10_000})
        store = open_store(made)
        with opened(made) as app:
            yield app, store, world(app, store)


@pytest.mark.parametrize(("rule", "method"), CELLS)
def test_each_caller_gets_the_answer_that_is_written_down(
    shared: tuple[Flask, S3Store, World], rule: Rule, method: str
) -> None:
    row = dict(EXPECTED[rule.endpoint])
    if rule.rule == "/account/addresses/new":  # the one address of this route that is nobody's
        row |= dict.fromkeys(set(Caller) - {Caller.ANONYMOUS}, Outcome.IN)
    denied = [caller for caller in Caller if row[caller] is not Outcome.IN]
    allowed = [caller for caller in Caller if row[caller] is Outcome.IN]
    got: dict[Caller, Any] = {}

    app, store, there = shared
    before = contents()
    for caller in denied:
        got[caller] = outcome(there.ask(caller, rule, method))
    assert contents() == before, "somebody who was denied changed something"
    for caller in allowed:
        # What one of them did must not be in the way of the next.
        place = there if method == "GET" else world(app, store)
        got[caller] = outcome(place.ask(caller, rule, method))
    assert got == row
