"""What each person is shown, before and beside any trained model."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from support import rows, shown

from app.core import clock
from app.core.db import db, transaction
from app.discovery import queries, service
from app.discovery.models import EventKind


def test_popular_is_what_was_done_most_of_late_then_the_newest(app: Flask) -> None:
    quiet, stale, hot, newest = (rows.release(title) for title in ("Quiet", "Stale", "Hot", "Newest"))
    ada, bo = rows.account(), rows.account()
    service.record(ada.id, hot.id, EventKind.PURCHASE)
    service.record(bo.id, stale.id, EventKind.PURCHASE, at=clock.now() - timedelta(days=90))
    db.session.commit()

    assert [r.title for r in shown.popular(10)] == ["Hot", "Stale", "Newest", "Quiet"]
    assert shown.popular(2) == [hot, stale]
    assert shown.popular(10)[2:] == [newest, quiet]


def test_what_people_only_turn_away_from_is_not_popular(app: Flask) -> None:
    turned_down, liked, newest = rows.release("Turned down"), rows.release("Liked"), rows.release("Newest")
    for person in (rows.account(), rows.account()):
        service.record(person.id, turned_down.id, EventKind.VIEW)
        service.record(person.id, turned_down.id, EventKind.DISMISS)
    service.record(person.id, liked.id, EventKind.VIEW)
    db.session.commit()
    assert shown.popular(3) == [liked, newest, turned_down]
    with transaction():
        service.train()
    assert shown.popular(3) == [liked, newest, turned_down]


def test_popular_goes_on_from_what_the_last_training_counted(app: Flask) -> None:
    first, second = rows.release("First"), rows.release("Second")
    ada = rows.account()
    with transaction():
        service.record(ada.id, first.id, EventKind.PURCHASE)
    untrained = queries.heat_of_releases()
    with transaction():
        service.train()
    assert queries.heat_of_releases() == pytest.approx(untrained, rel=1e-3)
    assert shown.popular(1) == [first]
    with transaction():
        service.record(ada.id, second.id, EventKind.PURCHASE)
        service.record(ada.id, second.id, EventKind.PLAY)
    assert shown.popular(2) == [second, first]


def test_popular_leaves_out_drafts_and_what_the_person_owns_whole(app: Flask) -> None:
    ada = rows.account()
    draft, owned = rows.release("Draft", published=False), rows.release("Owned")
    by_tracks, in_part = rows.release("By tracks", tracks=2), rows.release("In part", tracks=2)
    for one in (draft, owned, by_tracks, in_part):
        service.record(ada.id, one.id, EventKind.VIEW)
    db.session.commit()
    rows.own(ada, release=owned)
    for track in by_tracks.tracks:
        rows.own(ada, track=track)
    rows.own(ada, track=in_part.tracks[0])

    assert shown.popular(10, ada.id) == [in_part]
    assert set(shown.popular(10)) == {owned, by_tracks, in_part}


def test_a_refund_takes_back_what_went_before_it(app: Flask) -> None:
    ada = rows.account()
    returned, viewed = rows.release("Returned"), rows.release("Viewed")
    service.record(ada.id, returned.id, EventKind.PURCHASE)
    service.record(ada.id, viewed.id, EventKind.VIEW)
    db.session.commit()
    assert shown.popular(1) == [returned]

    service.record(ada.id, returned.id, EventKind.REFUND)
    db.session.commit()
    assert shown.popular(1) == [viewed]

    service.record(ada.id, returned.id, EventKind.PURCHASE)
    db.session.commit()
    assert shown.popular(1) == [returned]


def test_no_history_is_shown_what_is_popular(app: Flask) -> None:
    first, second = rows.release("First"), rows.release("Second")
    newcomer, other = rows.account(), rows.account()
    service.record(other.id, first.id, EventKind.PLAY)
    db.session.commit()
    assert shown.for_you(newcomer.id, 10) == [first, second]
    assert shown.fans_also_bought(first.id, newcomer.id, 10) == []
