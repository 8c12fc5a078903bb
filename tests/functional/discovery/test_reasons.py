"""Why a release is shown: the reasons are the person's own, and true, on planted tastes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from flask import Flask
from support import rows

from app.accounts.models import Account
from app.catalog.models import Release
from app.core.db import db, transaction
from app.discovery import choices, events, folded, queries, reasons, service
from app.discovery.models import EventKind, Mode, ReleaseVector, Verdict
from app.discovery.reasons import Reason


@dataclass
class Town:
    """Three groups of people, each of whom buys three neighbouring releases of its own six; and somebody else."""

    jazz: list[Release]
    metal: list[Release]
    folk: list[Release]
    ada: Account

    def likes(self, *liked: tuple[Release, EventKind]) -> None:
        for release, kind in liked:
            with transaction():
                events.note(self.ada.id, release.id, kind)

    def score(self, shown: Release) -> float:
        """What the model in use gives the release for Ada now."""
        model = queries.active_model()
        vector = folded.taste(model, self.ada.id)
        return float(vector @ db.session.get(ReleaseVector, (model.id, shown.id)).vector)


@pytest.fixture
def town(app: Flask) -> Town:
    groups = [[rows.release(f"{name} {n}") for n in range(6)] for name in ("Jazz", "Metal", "Folk")]
    for own in groups:
        for number in range(12):
            fan = rows.account()
            for step in range(3):
                service.record(fan.id, own[(number + step) % 6].id, EventKind.PURCHASE)
    db.session.commit()
    with transaction():
        service.train()
    return Town(*groups, rows.account())


def ids(found: list[Reason]) -> list[str]:
    return [one.release_id for one in found]


def test_reasons_are_the_persons_own_releases_that_are_like_it(town: Town) -> None:
    town.likes(
        (town.jazz[0], EventKind.PURCHASE),
        (town.metal[0], EventKind.PURCHASE),
        (town.folk[0], EventKind.CART),
        (town.jazz[3], EventKind.WISHLIST),
    )
    told = reasons.of(town.ada.id, [town.jazz[1].id, town.metal[1].id])
    assert set(told) == {town.jazz[1].id, town.metal[1].id}
    assert ids(told[town.jazz[1].id])[0] == town.jazz[0].id
    assert ids(told[town.metal[1].id])[0] == town.metal[0].id
    for found in told.values():
        assert len(found) <= reasons.MOST
        assert set(ids(found)) <= {town.jazz[0].id, town.metal[0].id, town.folk[0].id, town.jazz[3].id}
        shares = [one.share for one in found]
        assert shares == sorted(shares, reverse=True)
        assert all(0 < share <= 1 for share in shares)
        assert sum(shares) <= 1 + 1e-9


def test_without_the_one_that_is_named_the_score_falls_further_than_without_another(town: Town) -> None:
    liked = [town.jazz[0], town.metal[0], town.folk[0]]
    town.likes(*((release, EventKind.PURCHASE) for release in liked))
    for shown in (town.jazz[1], town.metal[5], town.folk[1]):
        named = ids(reasons.of(town.ada.id, [shown.id])[shown.id])[0]
        whole, without = town.score(shown), {}
        for release in liked:
            with transaction():
                choices.leave_out(town.ada.id, release.id)
            without[release.id] = town.score(shown)
            assert release.id not in ids(reasons.of(town.ada.id, [shown.id])[shown.id])
            with transaction():
                choices.leave_out(town.ada.id, release.id, out=False)
        assert without[named] < whole
        assert all(without[named] < score for one, score in without.items() if one != named)


def test_what_was_dismissed_disliked_or_taken_out_is_never_a_reason(town: Town) -> None:
    town.likes(*((release, EventKind.PURCHASE) for release in town.jazz[:4]))
    with transaction():
        choices.say(town.ada.id, town.jazz[0].id, Verdict.DISMISSED)
        choices.rate(town.ada.id, town.jazz[1].id, 1)
        choices.leave_out(town.ada.id, town.jazz[2].id)
    shown = [release.id for release in (*town.jazz, *town.metal)]
    told = reasons.of(town.ada.id, shown)
    assert {one for found in told.values() for one in ids(found)} == {town.jazz[3].id}


def test_nothing_is_its_own_reason_though_it_takes_its_share(town: Town) -> None:
    town.likes((town.jazz[0], EventKind.CART))
    assert reasons.of(town.ada.id, [town.jazz[0].id]) == {town.jazz[0].id: []}
    town.likes((town.jazz[1], EventKind.CART))
    found = reasons.of(town.ada.id, [town.jazz[0].id])[town.jazz[0].id]
    assert ids(found) == [town.jazz[1].id]
    assert found[0].share < 1


def test_where_nothing_is_known_there_is_no_reason(town: Town) -> None:
    unknown = rows.release("New")
    assert reasons.of(town.ada.id, [town.jazz[0].id]) == {town.jazz[0].id: []}
    town.likes((town.jazz[0], EventKind.PURCHASE))
    assert reasons.of(town.ada.id, []) == {}
    assert reasons.of(town.ada.id, [unknown.id, "nosuchrelease"]) == {unknown.id: [], "nosuchrelease": []}
    with transaction():
        choices.set_mode(town.ada.id, Mode.OFF)
    assert reasons.of(town.ada.id, [town.jazz[1].id]) == {town.jazz[1].id: []}


def test_before_the_first_training_there_is_no_reason(app: Flask) -> None:
    release, person = rows.release(), rows.account()
    with transaction():
        events.note(person.id, release.id, EventKind.PURCHASE)
    assert reasons.of(person.id, [release.id]) == {release.id: []}
