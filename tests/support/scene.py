"""A shop with scenes: releases that say which scene they are of, and people who keep to theirs."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from support import rows

from app.accounts.models import Account
from app.catalog.models import Genre, Release
from app.core.db import db
from app.discovery import service
from app.discovery.models import EventKind


@dataclass
class Scene:
    """A genre, its releases and the people who buy them."""

    genre: Genre
    releases: list[Release] = field(default_factory=list)
    people: list[Account] = field(default_factory=list)

    def release(self, title: str) -> Release:
        """A new release of this scene, by an artist of its own, that nobody has touched."""
        made = rows.release(title, artist=f"by {title}")
        made.genre = self.genre
        db.session.commit()
        return made


def scenes(*names: str, releases: int = 10, people: int = 14, bought: int = 6) -> list[Scene]:
    """Each person buys so many of their own scene, by lot; the same lots each time."""
    lot, made = random.Random(5), []
    for name in names:
        scene = Scene(Genre(slug=name.lower(), name=name))
        scene.releases = [scene.release(f"{name} {number}") for number in range(releases)]
        for _person in range(people):
            scene.people.append(rows.account())
            for release in lot.sample(scene.releases, bought):
                service.record(scene.people[-1].id, release.id, EventKind.PURCHASE)
        made.append(scene)
    db.session.commit()
    return made
