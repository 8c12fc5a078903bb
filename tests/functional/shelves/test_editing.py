"""Editors put releases forward: within limits, for some days, on their own labels."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from statistics import pstdev

import pytest
from flask import Flask
from support import rows

from app.accounts.models import Account, Role
from app.catalog import rights
from app.catalog import service as catalog
from app.catalog.models import Label, Release, Status
from app.core import clock
from app.core.db import db, transaction
from app.core.errors import NotFound
from app.discovery import choices
from app.discovery import service as discovery
from app.discovery.models import EventKind, Verdict
from app.shelves import editing, queries
from app.shelves.editing import BadChoice, TooMuch
from app.shelves.making import LENGTH
from app.shelves.models import Boost, Pin
from app.shelves.shelf import Candidate, Pick, ShelfName, Source

SHELF = ShelfName.FOR_YOU


@pytest.fixture
def label(app: Flask) -> Label:
    made = catalog.ensure_label("Northern Line")
    db.session.commit()
    return made


@pytest.fixture
def ed(label: Label) -> Account:
    made = rows.account("Ed")
    made.role = Role.EDITOR
    rights.give_label(made, label)
    db.session.commit()
    return made


@pytest.fixture
def boss(app: Flask) -> Account:
    made = rows.account("Max")
    made.role = Role.MANAGER
    db.session.commit()
    return made


def on(label: Label | None, title: str = "Tides") -> Release:
    made = rows.release(title)
    made.label = label
    db.session.commit()
    return made


def days(first: int = 0, last: int = 6) -> tuple[date, date]:
    now = clock.now().date()
    return now + timedelta(days=first), now + timedelta(days=last)


def chosen(*titles: str) -> list[Candidate]:
    return [Candidate(rows.release(title).id, 1.0 - n / 10, Source.MODEL) for n, title in enumerate(titles)]


def candidates(*scores: float) -> list[Candidate]:
    return [Candidate(rows.release(f"R{n}").id, score, Source.MODEL) for n, score in enumerate(scores)]


def of(candidate: Candidate) -> Release:
    found = db.session.get(Release, candidate.release_id)
    assert found is not None
    return found


def titles(found: list[Candidate]) -> list[str]:
    return [of(one).title for one in found]


def pinned(shelf: ShelfName, found: list[Candidate]) -> list[Candidate]:
    return editing.pinned(shelf, found, editing.today())


def boosted(shelf: ShelfName, found: list[Candidate]) -> list[Candidate]:
    return editing.boosted(shelf, found, editing.today())


def popular(person: Account | None) -> list[Pick]:
    """A shelf as it is really made: what is popular, and then what is new."""
    [shelf] = queries.popular(person.id if person else None)
    return list(shelf.picks)


def test_a_pin_stands_on_its_place_and_says_who_put_it_there(ed: Account, label: Label) -> None:
    found = chosen("A", "B", "C")
    editing.pin(ed, on(label), SHELF, 2, *days())
    shown = pinned(SHELF, found)
    assert titles(shown) == ["A", "Tides", "B", "C"]
    assert [one.source for one in shown] == [Source.MODEL, Source.EDITOR, Source.MODEL, Source.MODEL]
    assert pinned(ShelfName.NEW, found) == found
    assert pinned(SHELF, []) == []


def test_what_stands_there_by_itself_is_not_the_editors(ed: Account, label: Label) -> None:
    release = on(label)
    found = [Candidate(release.id, 1.0, Source.MODEL), *chosen("A", "B")]
    editing.pin(ed, release, SHELF, 2, *days())
    assert pinned(SHELF, found) == found
    shown = pinned(SHELF, [*found[1:], found[0]])
    assert titles(shown) == ["A", "Tides", "B"]
    assert shown[1].source == Source.EDITOR


def test_a_pin_is_not_shown_to_who_is_not_to_see_it(ed: Account, label: Label) -> None:
    others, release = [rows.release(f"Other {n}", artist=f"Artist {n}") for n in range(8)], on(label)
    ada, owner, hater, elsewhere = (rows.account() for _n in range(4))
    rows.own(owner, release=release)
    with transaction():
        choices.say(hater.id, release.id, Verdict.DISMISSED)
        choices.say(elsewhere.id, release.id, Verdict.ELSEWHERE)
        for other in others:  # what is popular, without it
            discovery.record(ada.id, other.id, EventKind.PURCHASE)
    with transaction():
        editing.pin(ed, release, ShelfName.POPULAR, 2, *days())
    for person in (None, ada):
        shown = popular(person)
        assert [pick.release.title for pick in shown].index("Tides") == 1
        assert [pick.source for pick in shown[:3]] == [Source.POPULAR, Source.EDITOR, Source.POPULAR]
        assert len(shown) == LENGTH
    for person in (owner, hater, elsewhere):
        assert "Tides" not in [pick.release.title for pick in popular(person)]
        assert len(popular(person)) == LENGTH
    release.status, release.published_at = Status.DRAFT, None
    db.session.commit()
    assert "Tides" not in [pick.release.title for pick in popular(None)]


def test_a_pin_holds_on_its_days_and_no_others(ed: Account, label: Label, monkeypatch: pytest.MonkeyPatch) -> None:
    found = chosen("A", "B")
    first, last = days(1, 3)
    editing.pin(ed, on(label), SHELF, 1, first, last)
    editing.boost(ed, on(label, "Louder"), None, 2, first, last)
    shown: dict[date, tuple[int, int]] = {}
    at = clock.now().replace(hour=12)
    for day in range(5):
        moment: datetime = at + timedelta(days=day)
        monkeypatch.setattr(clock, "now", lambda moment=moment: moment)
        held = editing.today()
        shown[moment.date()] = (len(held.pins), len(held.boosts))
        assert ("Tides" in titles(pinned(SHELF, found))) == (first <= moment.date() <= last)
    assert [on_that_day for on_that_day, counts in shown.items() if counts == (1, 1)] == [
        first,
        first + timedelta(days=1),
        last,
    ]
    assert editing.pins() == []


def test_a_boost_moves_by_the_spread_of_the_shelf_and_brings_nothing_new(ed: Account, label: Label) -> None:
    there = candidates(0.9, 0.5, 0.3, -0.1)
    low, stranger = of(there[2]), on(label, "Stranger")
    low.label = label
    db.session.commit()
    editing.boost(ed, low, SHELF, 2, *days())
    editing.boost(ed, stranger, SHELF, 2, *days())
    after = boosted(SHELF, there)
    spread = pstdev([0.9, 0.5, 0.3, -0.1])
    assert set(titles(after)) == {"R0", "R1", "R2", "R3"}
    assert titles(after) == ["R0", "R2", "R1", "R3"]
    assert after[1].score == pytest.approx(0.3 + spread)
    assert [each.score for each in after if each.release_id != low.id] == [0.9, 0.5, -0.1]
    assert boosted(ShelfName.NEW, there) == there, "on the shelf that was named"
    assert boosted(ShelfName.POPULAR, there) == there


def test_a_boost_goes_down_as_well_and_decides_between_equals(ed: Account, label: Label) -> None:
    there = candidates(0.5, 0.5, 0.5)
    for each, halves in zip(there, (-1, 1, 2), strict=True):
        of(each).label = label
        db.session.commit()
        editing.boost(ed, of(each), None, halves, *days())
    assert titles(boosted(SHELF, there)) == ["R2", "R1", "R0"]
    assert boosted(SHELF, []) == []


def test_an_editor_s_hand_reaches_their_own_labels_and_a_manager_s_all(
    ed: Account, boss: Account, label: Label
) -> None:
    other = on(catalog.ensure_label("Other"), "Theirs")
    nobodys = on(None, "Nobody's")
    for release in (other, nobodys):
        with pytest.raises(NotFound):
            editing.pin(ed, release, SHELF, 1, *days())
        with pytest.raises(NotFound):
            editing.boost(ed, release, SHELF, 1, *days())
    made = editing.pin(boss, other, SHELF, 1, *days())
    with pytest.raises(NotFound):
        editing.take_off(ed, Pin, made.id)
    assert db.session.query(Pin).one() is made
    editing.take_off(boss, Pin, made.id)
    assert db.session.query(Pin).count() == 0


def test_nobody_fills_a_shelf(boss: Account, label: Label) -> None:
    others = [catalog.ensure_label(f"Label {n}") for n in range(3)]
    editing.pin(boss, on(label), SHELF, 1, *days(0, 6))
    with pytest.raises(TooMuch, match="of this label"):
        editing.pin(boss, on(label, "More"), SHELF, 2, *days(6, 9))
    editing.pin(boss, on(label, "More"), SHELF, 2, *days(7, 9))
    with pytest.raises(TooMuch, match="place is taken"):
        editing.pin(boss, on(others[0]), SHELF, 1, *days(3, 8))
    editing.pin(boss, on(others[0]), SHELF, 3, *days(3, 8))
    with pytest.raises(TooMuch, match="2 pins"):
        editing.pin(boss, on(others[1]), SHELF, 4, *days(0, 3))
    editing.pin(boss, on(others[1]), SHELF, 4, *days(0, 2))
    editing.pin(boss, on(others[1], "Elsewhere"), ShelfName.OFF_BEATEN, 1, *days(0, 6))
    per_day = [
        sum(each.from_on <= day <= each.until_on for each in editing.pins() if each.shelf == SHELF)
        for day in (clock.now().date() + timedelta(days=n) for n in range(12))
    ]
    assert max(per_day) == editing.MOST_PINS


def test_nobody_boosts_everything(boss: Account, label: Label) -> None:
    for n in range(editing.MOST_BOOSTS_OF_A_LABEL):
        editing.boost(boss, on(label, f"B{n}"), None, 1, *days())
    with pytest.raises(TooMuch, match="This label has 5"):
        editing.boost(boss, on(label, "One more"), None, 1, *days(6, 7))
    for n in range(editing.MOST_BOOSTS - editing.MOST_BOOSTS_OF_A_LABEL):
        editing.boost(boss, on(catalog.ensure_label(f"Label {n}"), f"C{n}"), None, 1, *days())
    with pytest.raises(TooMuch, match="There are 30"):
        editing.boost(boss, on(catalog.ensure_label("Late"), "Late"), None, 1, *days())
    assert db.session.query(Boost).count() == editing.MOST_BOOSTS


def test_a_release_is_not_put_forward_twice(ed: Account, label: Label) -> None:
    release = on(label)
    editing.pin(ed, release, SHELF, 1, *days())
    with pytest.raises(TooMuch, match="pinned there"):
        editing.pin(ed, release, SHELF, 3, *days(6, 8))
    editing.boost(ed, release, SHELF, 1, *days())
    for shelf in (SHELF, None):
        with pytest.raises(TooMuch, match="a boost there"):
            editing.boost(ed, release, shelf, 1, *days(6, 8))
    editing.boost(ed, release, ShelfName.NEW, 1, *days())


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [
        (3, 2, "end before"),
        (-5, -1, "over"),
        (0, editing.MOST_DAYS, "28 days"),
        (91, 92, "90 days ahead"),
    ],
)
def test_days_have_limits(ed: Account, label: Label, first: int, last: int, says: str) -> None:
    release = on(label)
    with pytest.raises(BadChoice, match=says):
        editing.pin(ed, release, SHELF, 1, *days(first, last))
    with pytest.raises(BadChoice, match=says):
        editing.boost(ed, release, None, 1, *days(first, last))


def test_a_heading_that_says_why_is_not_made_untrue(ed: Account, label: Label) -> None:
    release = on(label)
    for shelf in set(ShelfName) - set(editing.PINNED_SHELVES):
        with pytest.raises(BadChoice, match="takes no pins"):
            editing.pin(ed, release, shelf, 1, *days())
    for shelf in set(ShelfName) - set(editing.BOOSTED_SHELVES):
        with pytest.raises(BadChoice, match="takes no boosts"):
            editing.boost(ed, release, shelf, 1, *days())
    for place in (0, 7):
        with pytest.raises(BadChoice, match="first 6 places"):
            editing.pin(ed, release, SHELF, place, *days())
    for halves in (0, 3, -3):
        with pytest.raises(BadChoice, match="half the spread"):
            editing.boost(ed, release, None, halves, *days())
    release.status, release.published_at = Status.DRAFT, None
    with pytest.raises(BadChoice, match="Publish"):
        editing.pin(ed, release, SHELF, 1, *days())
