"""Rentals, pre-orders and what nobody has claimed yet: what opens when, and for how long."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from support import rows

from app.core import clock
from app.core.db import db, transaction
from app.licenses import queries, service
from app.licenses.models import License, Use


class Clock:
    """The time, to be moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = datetime(2026, 11, 21, 12, tzinfo=UTC)
        monkeypatch.setattr(clock, "now", lambda: self.now)

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def license_of(key: str) -> License:
    return queries.granted([key])[key]


def test_a_rental_waits_for_its_first_play_and_then_runs(app: Flask, time: Clock) -> None:
    ada, film = rows.account(), rows.release()
    track = film.tracks[0]
    with transaction():
        service.grant(ada.id, release_id=film.id, grant_key="line", rental=(30, 48))
    assert service.may(ada.id, track.id, Use.STREAM)
    assert not service.may(ada.id, track.id, Use.DOWNLOAD)
    time.forward(days=29)
    with transaction():
        service.begin_play(ada.id, track.id)
    time.forward(hours=47)
    with transaction():
        service.begin_play(ada.id, track.id)  # playing again doesn't wind it up
    assert service.may(ada.id, track.id, Use.STREAM)
    time.forward(hours=1)
    assert not service.may(ada.id, track.id, Use.STREAM)


def test_a_rental_nobody_plays_ends_after_its_days(app: Flask, time: Clock) -> None:
    ada, film = rows.account(), rows.release()
    with transaction():
        service.grant(ada.id, release_id=film.id, grant_key="line", rental=(30, 48))
    time.forward(days=30, seconds=-1)
    assert service.may(ada.id, film.tracks[0].id, Use.STREAM)
    assert film.id in queries.rentals(ada.id)
    time.forward(seconds=1)
    assert not service.may(ada.id, film.tracks[0].id, Use.STREAM)
    assert queries.rentals(ada.id) == {}
    with transaction():
        service.begin_play(ada.id, film.tracks[0].id)
    assert license_of("line").first_played_at is None


def test_playing_what_is_bought_too_starts_no_rental(app: Flask, time: Clock) -> None:
    ada, film = rows.account(), rows.release()
    with transaction():
        service.grant(ada.id, release_id=film.id, grant_key="rented", rental=(30, 48))
        service.grant(ada.id, release_id=film.id, grant_key="bought")
        service.begin_play(ada.id, film.tracks[0].id)
    assert license_of("rented").first_played_at is None
    (owned,) = queries.library(ada.id)
    assert owned.until is None


def test_of_two_rentals_the_one_that_ends_first_is_begun_and_only_that(app: Flask, time: Clock) -> None:
    ada, film = rows.account(), rows.release()
    with transaction():
        service.grant(ada.id, release_id=film.id, grant_key="long", rental=(30, 48))
        service.grant(ada.id, release_id=film.id, grant_key="short", rental=(7, 48))
    for _again in range(2):
        with transaction():
            service.begin_play(ada.id, film.tracks[0].id)
        time.forward(hours=1)
    assert license_of("short").first_played_at is not None
    assert license_of("long").first_played_at is None


def test_what_is_not_out_yet_is_owned_and_shut_until_its_day(app: Flask, time: Clock) -> None:
    ada, release = rows.account(), rows.release()
    release.released_on = date(2026, 11, 25)
    with transaction():
        service.grant(ada.id, release_id=release.id, grant_key="line")
    track = release.tracks[0]
    time.now = datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC)
    assert not service.may(ada.id, track.id, Use.STREAM)
    assert not service.may(ada.id, track.id, Use.DOWNLOAD)
    assert queries.owned_release_ids(ada.id) == {release.id}
    assert queries.playable_track_ids(ada.id) == set()
    (owned,) = queries.library(ada.id)
    assert owned.from_ == datetime(2026, 11, 25, tzinfo=UTC)
    time.forward(seconds=1)
    assert service.may(ada.id, track.id, Use.STREAM)
    assert service.may(ada.id, track.id, Use.DOWNLOAD)
    assert queries.playable_track_ids(ada.id) == {track.id}
    assert queries.library(ada.id)[0].from_ is None


def test_the_days_of_a_rental_that_is_not_out_yet_count_from_its_day(app: Flask, time: Clock) -> None:
    ada, film = rows.account(), rows.release()
    film.released_on = date(2026, 12, 24)
    with transaction():
        service.grant(ada.id, release_id=film.id, grant_key="line", rental=(2, 48))
    time.now = datetime(2026, 12, 25, 23, tzinfo=UTC)
    assert service.may(ada.id, film.tracks[0].id, Use.STREAM)
    time.forward(hours=1)
    assert not service.may(ada.id, film.tracks[0].id, Use.STREAM)


def test_what_is_nobody_s_opens_for_nobody_and_its_clock_begins_when_it_is_claimed(app: Flask, time: Clock) -> None:
    ada, bo, film = rows.account(), rows.account(), rows.release()
    with transaction():
        service.grant(None, release_id=film.id, grant_key="line", rental=(2, 48))
    time.forward(days=10)
    assert not service.may(None, film.tracks[0].id, Use.STREAM)
    with transaction():
        assert service.assign(["line"], ada.id) == 1
        assert service.assign(["line"], bo.id) == 0
    assert service.may(ada.id, film.tracks[0].id, Use.STREAM)
    assert not service.may(bo.id, film.tracks[0].id, Use.STREAM)
    time.forward(days=2)
    assert not service.may(ada.id, film.tracks[0].id, Use.STREAM)


def test_a_license_can_be_taken_and_given_back_any_number_of_times(app: Flask) -> None:
    ada, release = rows.account(), rows.release()
    with transaction():
        service.grant(ada.id, release_id=release.id, grant_key="line")
    track_id = release.tracks[0].id
    for stands in (False, True, False, True):
        with transaction():
            assert service.set_standing("line", stands, "a dispute")
            assert not service.set_standing("line", stands, "a dispute")
        assert service.may(ada.id, track_id, Use.DOWNLOAD) is stands
    assert license_of("line").revoked_reason is None


def test_a_download_is_noted_once_on_what_was_bought_and_not_on_a_rental(app: Flask, time: Clock) -> None:
    ada, release = rows.account(), rows.release(tracks=2)
    first, second = release.tracks
    with transaction():
        service.grant(ada.id, track_id=first.id, grant_key="track")
        service.grant(ada.id, track_id=second.id, grant_key="other")
        service.grant(ada.id, release_id=release.id, grant_key="rented", rental=(2, 48))
        service.note_download(ada.id, [first.id])
    noted = time.now
    time.forward(days=1)
    with transaction():
        service.note_download(ada.id, [first.id])
    db.session.expire_all()
    assert [license_of(key).downloaded_at for key in ("track", "other", "rented")] == [noted, None, None]


def test_a_rental_owns_nothing(app: Flask) -> None:
    ada, film = rows.account(), rows.release()
    with transaction():
        service.grant(ada.id, release_id=film.id, grant_key="line", rental=(2, 48))
    assert queries.owned_release_ids(ada.id) == set()
    assert queries.owned_track_ids(ada.id) == set()
    assert queries.playable_track_ids(ada.id) == {film.tracks[0].id}
    (rented,) = queries.library(ada.id)
    assert rented.until is not None
    assert not rented.started
