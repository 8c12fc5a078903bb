"""No shelf that the model fills shows what isn't sold where the visitor is."""

from __future__ import annotations

import random

from flask import Flask
from support import rows, shown

from app.core.db import db, transaction
from app.discovery import service
from app.discovery.models import EventKind


def test_shelves_keep_to_what_is_sold_in_the_country(app: Flask) -> None:
    chance = random.Random(7)
    jazz = [rows.release(f"Jazz {number}") for number in range(6)]
    metal = [rows.release(f"Metal {number}") for number in range(6)]
    for kind in (jazz, metal):
        for fan in [rows.account() for _ in range(8)]:
            for release in chance.sample(kind, 3):
                service.record(fan.id, release.id, EventKind.PURCHASE)
    newcomer = rows.account()
    service.record(newcomer.id, jazz[0].id, EventKind.PURCHASE)
    rows.own(newcomer, release=jazz[0])
    with transaction():
        service.train()
    for release in jazz[1:4]:
        rows.confine(release, "JP")
    rows.confine(jazz[4], "DE", barred=True)
    for country, sold in ((None, set(jazz[1:])), ("JP", set(jazz[1:])), ("FR", {*jazz[4:]}), ("DE", {jazz[5]})):
        assert set(shown.for_you(newcomer.id, len(sold), country=country)) == sold, country
        assert set(shown.fans_also_bought(jazz[0].id, newcomer.id, 5, country=country)) == sold, country
        rest = set(shown.popular(20, newcomer.id, country=country))
        assert rest == sold | set(metal), country
    db.session.rollback()
