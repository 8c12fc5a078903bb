"""Forged, spoilt and repeated webhooks of every kind: none changes a row. bench/webhooks.py sends ten thousand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import forgery
from support.forgery import Forger, Posted
from support.forgery_target import Target, attack, changed, contents, target

from app.settings import Settings

COUNT, SEED = 400, 4


@pytest.fixture
def besieged(settings: Settings, tmp_path: Path) -> Iterator[Target]:
    with target(settings, tmp_path) as made:
        yield made


def test_no_forged_or_repeated_webhook_changes_a_row(besieged: Target) -> None:
    found = attack(besieged, COUNT, SEED)
    assert found.sent == COUNT
    assert found.changed == []
    assert found.accepted.total() == 0
    assert found.unexpected == []

    # What was withheld from the shop all the while does change rows, once the gateway itself tells it.
    before = contents(besieged.live.app)
    assert set(besieged.tell(besieged.untold)) == {204}
    assert {"payment_event", "customer_order", "license"} <= set(changed(before, contents(besieged.live.app)))


def test_the_same_seed_makes_the_same_requests() -> None:
    bodies = [json.dumps({"id": f"evt_{number}", "object": "event", "livemode": False}).encode() for number in range(6)]

    def made(seed: int) -> list[Posted]:
        by = Forger("whsec_1", bodies[:2], bodies[2:4], bodies[4:], seed=seed, clock=lambda: 1_800_000_000.0)
        made = [by.forged(kind) for kind in forgery.forged_kinds() for _ in range(20)]
        return made + [by.genuine(kind) for kind in forgery.genuine_kinds() for _ in range(20)]

    assert made(1) == made(1) != made(2)
