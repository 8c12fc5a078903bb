"""A shop for forged webhooks to be sent to: sold, sold and untold, given back and untold, ordered and unpaid."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from support import forgery, rows
from support.forgery import Forger, Posted
from support.sandbox import direct_client
from support.shop import LiveShop, live_shop, offer

from app.core.db import db
from app.payments import stripe_gateway as gateway
from app.settings import Settings

WEBHOOK = "/webhooks/stripe"
# What may change where the gateway truly tells of money that bought nothing here: the record that it did, the books, in
# which it waits, and word to a person. Neither an order nor a license.
_STRANGE = {"payment_event", "ledger_entry", "ledger_posting", "payment_case", "letter"}
STRANGE = frozenset(_STRANGE | {"procrastinate_jobs", "procrastinate_events"})


@dataclass
class Target:
    """The shop, and what a forger knows of it. Every event that is `untold` would change something, were it taken."""

    live: LiveShop
    client: FlaskClient
    told: list[bytes] = field(default_factory=list)
    untold: list[bytes] = field(default_factory=list)
    strangers: list[bytes] = field(default_factory=list)

    def forger(self, seed: int) -> Forger:
        """Somebody who knows all that."""
        secret = self.live.config.webhook_secret
        return Forger(secret, told=self.told, untold=self.untold, strangers=self.strangers, seed=seed)

    def post(self, posted: Posted) -> int:
        """Send it; the status of the answer."""
        return self.client.post(WEBHOOK, data=posted.body, environ_overrides=posted.environ).status_code

    def tell(self, bodies: list[bytes]) -> list[int]:
        """Have the gateway itself send these."""
        by = self.forger(0)
        return [self.post(Posted("told", body, {"HTTP_STRIPE_SIGNATURE": by.signed(body)})) for body in bodies]

    def sold(self) -> str:
        """Have somebody order something; the checkout."""
        release = rows.release(f"Release {len(self.told)}")
        offer_id = offer(release=release).id
        client = self.live.app.test_client()
        rows.sign_in(client, rows.account())
        client.post("/cart/items", data={"offer_id": offer_id})
        answer = client.post("/checkout", data={"total": 990, "currency": "EUR"})
        found = re.search(r"/pay/(cs_test_\w+)", answer.headers.get("Location", ""))
        assert found, f"no payment page: {answer.status} {answer.headers.get('Location')}"
        return found[1]

    def events(self) -> list[bytes]:
        """The bodies of what the gateway has to tell; it is as if they had been delivered."""
        taken = self.live.controls.take()
        self.live.controls.report(delivered=[each["delivery"] for each in taken])
        return [each["body"].encode() for each in taken]


@contextmanager
def target(settings: Settings, directory: Path) -> Iterator[Target]:
    """Set it all up; the shop's context is open within."""
    with live_shop(settings, directory, deliver=False, csrf=False) as live:
        live.app.extensions["stripe"] = direct_client(live.sandbox)
        made = Target(live, live.app.test_client())
        for _number in range(2):
            live.controls.pay(made.sold())
        kept = live.controls.pay(made.sold())["payment_intent"]
        made.told = made.events()
        assert set(made.tell(made.told)) == {204}

        live.controls.pay(made.sold())
        gateway.client().v1.refunds.create({"payment_intent": kept})
        live.controls.dispute(live.controls.pay(_stranger())["payment_intent"])
        bodies = made.events()
        own = [body for body in bodies if b"somebody-else" not in body]
        made.untold = [body for body in own if b'"dispute"' not in body]
        made.strangers = [body for body in bodies if body not in made.untold]
        made.sold()  # and this one nobody has paid
        assert made.untold
        assert made.strangers
        yield made


def _stranger() -> str:
    """A checkout that another system opened with the same account at the gateway."""
    page: Any = {"quantity": 1, "price_data": {"currency": "eur", "unit_amount": 500, "product_data": {"name": "Tea"}}}
    session = gateway.client().v1.checkout.sessions.create(
        {
            "mode": "payment",
            "line_items": [page],
            "client_reference_id": "somebody-else",
            "metadata": {"order": "somebody-else"},
            "payment_intent_data": {"metadata": {"order": "somebody-else"}},
            "success_url": "https://tea.test/",
        }
    )
    return session.id


def contents(app: Flask) -> dict[str, str]:
    """What stands in every table of the database, as a hash."""
    with app.app_context(), db.engine.connect() as connection:
        tables = sorted(sa.inspect(connection).get_table_names())
        assert len(tables) > 30
        hashed = (
            f"SELECT '{table}', md5(coalesce(string_agg(t::text, ' ' ORDER BY t::text), '')) FROM \"{table}\" t"  # noqa: S608
            for table in tables
        )
        return {row[0]: row[1] for row in connection.execute(sa.text(" UNION ALL ".join(hashed)))}


def changed(before: dict[str, str], after: dict[str, str], *, apart_from: frozenset[str] = frozenset()) -> list[str]:
    """The tables that are not as they were."""
    return [name for name in after if before.get(name) != after[name] and name not in apart_from]


@dataclass
class Outcome:
    """What came of many requests, by their kind."""

    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    accepted: Counter[str] = field(default_factory=Counter)
    changed: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """How many there were."""
        return sum(each.total() for each in self.statuses.values())

    @property
    def unexpected(self) -> list[str]:
        """Answers other than 400 to what is forged and 204 to what the gateway may send."""
        good = dict.fromkeys(forgery.forged_kinds(), 400) | dict.fromkeys(forgery.genuine_kinds(), 204)
        return [
            f"{kind}: {many} times {status}"
            for kind, statuses in self.statuses.items()
            for status, many in statuses.items()
            if status != good[kind]
        ]


def attack(at: Target, count: int, seed: int, *, per_look: int = 100) -> Outcome:
    """Send so many, of every kind as often as of any other; after each `per_look` of a kind look for changed rows.

    A forged one is accepted if it was not refused; and where a row changed, all of its batch are.
    """
    by, found = at.forger(seed), Outcome()
    kinds = [(kind, by.forged, frozenset[str]()) for kind in forgery.forged_kinds()]
    kinds += [
        (kind, by.genuine, STRANGE if kind == forgery.STRANGER else frozenset()) for kind in forgery.genuine_kinds()
    ]
    share, more = divmod(count, len(kinds))
    before = contents(at.live.app)
    for number, (kind, make, may_change) in enumerate(kinds):
        statuses, left = found.statuses.setdefault(kind, Counter()), share + (number < more)
        while left:
            batch = min(per_look, left)
            left -= batch
            said = Counter(at.post(make(kind)) for _ in range(batch))
            statuses.update(said)
            after = contents(at.live.app)
            touched = changed(before, after, apart_from=may_change)
            if touched:
                found.changed += [f"{kind}: {name}" for name in touched]
                found.accepted[kind] += batch
            elif make == by.forged:
                found.accepted[kind] += sum(many for status, many in said.items() if status < 400)
            before = after
    return found
