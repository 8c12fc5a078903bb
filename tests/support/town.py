"""A town of two tastes: each group of people buys some of its own releases, which three artists made."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from support import rows

from app.accounts.models import Account
from app.catalog.models import Release
from app.core.db import db, transaction
from app.discovery import events, service
from app.discovery.models import EventKind

RELEASES = 12
ARTISTS = 3
_FANS, _BOUGHT = 20, 8


@dataclass
class Town:
    """Jazz and metal, RELEASES of each, and Ada, who did nothing yet and lets what she plays count."""

    jazz: list[Release]
    metal: list[Release]
    ada: Account
    others: list[Account] = field(default_factory=list)

    def buy(self, person: Account, release: Release) -> None:
        """The license and the event, as fulfilment leaves them."""
        rows.own(person, release=release)
        self.did(person, release, EventKind.PURCHASE)

    def did(self, person: Account, release: Release, kind: EventKind) -> None:
        """Something that the event log hears of."""
        with transaction():
            events.note(person.id, release.id, kind, track_id=release.tracks[0].id if release.tracks else None)


def town(tracks: int = 1) -> Town:
    """The town, its model trained."""
    chance = random.Random(11)
    groups = [
        [
            rows.release(f"{name} {n}", tracks=tracks, artist=f"{name} player {n * ARTISTS // RELEASES}")
            for n in range(RELEASES)
        ]
        for name in ("Jazz", "Metal")
    ]
    made = Town(*groups, rows.consenting())
    for own in groups:
        made.others += [rows.account() for _ in range(_FANS)]
        for fan in made.others[-_FANS:]:
            for release in chance.sample(own, _BOUGHT):
                service.record(fan.id, release.id, EventKind.PURCHASE)
    db.session.commit()
    train()
    return made


def train() -> None:
    """Learn from what happened so far."""
    with transaction():
        service.train()
