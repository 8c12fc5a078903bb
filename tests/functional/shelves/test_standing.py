"""Why a release is shown to whom, in numbers from which nobody can be told."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from flask import Flask
from support import rows

from app.accounts import leaving
from app.accounts.models import Role
from app.catalog.models import Release
from app.core.db import db, transaction
from app.discovery import choices
from app.discovery import service as discovery
from app.discovery.models import EventKind, Mode
from app.shelves import standing, tasks
from app.shelves.models import ShelfSample
from app.shelves.shelf import Because, Pick, Shelf, ShelfName, Source, Tie

SHELVES = dict[str, list[Shelf]]


def taken(shelves: SHELVES) -> ShelfSample:
    def of(account_id: str) -> Iterable[Shelf]:
        return shelves.get(account_id, [])

    with transaction():
        return standing.take(of)


def at(
    place: int, release: Release, source: Source = Source.MODEL, because: Iterable[Release] = ()
) -> tuple[Pick, ...]:
    """Picks with the release on that place, behind others that are on no more shelves than one."""
    before = tuple(Pick(_filler(), 2.0, Source.POPULAR) for _n in range(place - 1))
    return (*before, Pick(release, 1.0, source, tuple(Because(one, Tie.OWN) for one in because)))


def _filler() -> Release:
    return Release(id=f"filler{next(_numbers):010}", title="Filler", kind="audio")


_numbers = iter(range(10**9))


def test_a_release_s_standing_is_counted_in_people(app: Flask) -> None:
    release, reason, rare = rows.release("Tides"), rows.release("Reason"), rows.release("Rare")
    release_id, reason_id = release.id, reason.id
    people = [rows.account().id for _n in range(30)]
    shelves: SHELVES = {}
    for n, person in enumerate(people[:20]):
        because = [reason] if n < 12 else [rare] if n < 14 else []
        shelves[person] = [Shelf(ShelfName.FOR_YOU, at(1 if n < 8 else 3, release, because=because))]
    for person in people[:6]:
        shelves[person].append(Shelf(ShelfName.NEW, at(2, release, Source.EDITOR)))
    for person in people[20:23]:
        shelves[person] = [Shelf(ShelfName.POPULAR, at(1, release, Source.POPULAR))]
    assert taken(shelves).people == 30
    told = standing.of(release_id)
    assert told is not None
    assert (told.asked, told.people) == (30, 23)
    assert [(each.shelf, each.people, each.places, each.sources) for each in told.shelves] == [
        ("for-you", 20, [(1, 8), (3, 12)], [("model", 20)]),
        ("new-for-you", 6, [(2, 6)], [("editor", 6)]),
    ], "three people's shelf is not told"
    assert [(one.id, count) for one, count in told.reasons] == [(reason_id, 12)]


def test_of_fewer_than_five_people_nothing_is_even_kept(app: Flask) -> None:
    release, other = rows.release("Tides"), rows.release("Other")
    people = [rows.account().id for _n in range(9)]
    shelves = {person: [Shelf(ShelfName.FOR_YOU, at(1, release))] for person in people[:4]}
    shelves |= {person: [Shelf(ShelfName.FOR_YOU, at(1, other))] for person in people[4:]}
    ids = release.id, other.id
    made = taken(shelves)
    assert set(made.facts) == {ids[1]}
    told = standing.of(ids[0])
    assert told is not None
    assert (told.asked, told.people, told.shelves, told.reasons) == (9, None, [], [])


def test_one_person_s_place_cannot_be_reckoned_from_the_rest(app: Flask) -> None:
    release = rows.release("Tides")
    release_id = release.id
    people = [rows.account().id for _n in range(16)]
    places = [1] * 9 + [2] * 6 + [3]
    shelves = {
        person: [Shelf(ShelfName.FOR_YOU, at(place, release))] for person, place in zip(people, places, strict=True)
    }
    taken(shelves)
    told = standing.of(release_id)
    assert told is not None
    assert [(each.people, each.places) for each in told.shelves] == [(16, [(1, 9)])]


def test_the_lot_falls_on_the_same_buyers_and_on_nobody_who_is_off(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    people = [rows.account() for _n in range(8)]
    off, ed, gone = rows.account(), rows.account(), rows.account()
    with transaction():
        choices.set_mode(off.id, Mode.OFF)
        ed.role = Role.EDITOR
        leaving.close(gone)
    assert set(standing.drawn()) == {person.id for person in people}
    assert standing.drawn() == standing.drawn()
    monkeypatch.setattr(standing, "MOST_PEOPLE", 3)
    assert len(standing.drawn()) == 3


def test_nothing_was_counted_yet(app: Flask) -> None:
    assert standing.of(rows.release().id) is None


def test_the_night_counts_what_people_are_really_shown(app: Flask) -> None:
    hot, _leads = rows.release("Hot"), rows.release("The newest, which the page leads with")
    hot_id = hot.id
    buyers, others = [rows.account() for _n in range(3)], [rows.account() for _n in range(6)]
    for buyer in buyers:
        rows.own(buyer, release=hot)
        discovery.record(buyer.id, hot.id, EventKind.PURCHASE)
    with transaction():
        choices.say(others[0].id, hot.id, None)
    db.session.commit()
    tasks.count()
    told = standing.of(hot_id)
    assert told is not None
    assert (told.asked, told.people) == (9, 6), "not who owns it"
    tasks.sweep()
    assert db.session.query(ShelfSample).count() == 1
