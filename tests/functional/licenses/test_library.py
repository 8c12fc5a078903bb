"""What a person's library shows of what they bought, rent and wait for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from support import rows

from app.accounts.models import Role
from app.core import clock
from app.core.db import db, transaction
from app.licenses import queries, service
from app.licenses.models import License, Use

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    moment = [NOW]
    monkeypatch.setattr(clock, "now", lambda: moment[0])
    return moment


def grant(account_id: str | None, key: str, **more: Any) -> License:
    with transaction():
        service.grant(account_id, grant_key=key, **more)
    return queries.granted([key])[key]


def test_a_release_bought_and_rented_is_shown_as_bought(app: Flask, at: list[datetime]) -> None:
    ada, release = rows.account(), rows.release(tracks=2)
    grant(ada.id, "rented", release_id=release.id, rental=(30, 48))
    at[0] += timedelta(hours=1)
    grant(ada.id, "track", track_id=release.tracks[1].id)
    (shown,) = queries.library(ada.id)
    assert (shown.whole, shown.tracks, shown.until, shown.started) == (False, [release.tracks[1]], None, False)
    assert (shown.since, shown.from_) == (NOW + timedelta(hours=1), None)


def test_a_rental_says_until_when_and_whether_it_runs(app: Flask, at: list[datetime]) -> None:
    ada, film = rows.account(), rows.release()
    grant(ada.id, "short", release_id=film.id, rental=(7, 48))
    grant(ada.id, "long", release_id=film.id, rental=(30, 48))
    (shown,) = queries.library(ada.id)
    assert (shown.whole, shown.until, shown.started) == (True, NOW + timedelta(days=30), False)
    with transaction():
        service.begin_play(ada.id, film.tracks[0].id)
    assert queries.granted(["short"])["short"].first_played_at == NOW
    (shown,) = queries.library(ada.id)
    assert shown.started
    at[0] = NOW + timedelta(days=30)
    assert queries.library(ada.id) == []


def test_a_rental_on_the_second_of_its_end_is_over_everywhere(app: Flask, at: list[datetime]) -> None:
    ada, film = rows.account(), rows.release()
    held = grant(ada.id, "line", release_id=film.id, rental=(1, 48))
    at[0] = NOW + timedelta(days=1) - timedelta(microseconds=1)
    assert queries.rentals(ada.id) == {film.id: held}
    assert queries.playable_track_ids(ada.id) == {film.tracks[0].id}
    assert len(queries.library(ada.id)) == 1
    at[0] = NOW + timedelta(days=1)
    assert queries.rentals(ada.id) == {}
    assert queries.playable_track_ids(ada.id) == set()
    assert queries.library(ada.id) == []


def test_what_is_bought_is_no_rental_and_nobody_rents_nothing(app: Flask) -> None:
    ada, release = rows.account(), rows.release()
    grant(ada.id, "line", release_id=release.id)
    assert queries.rentals(ada.id) == {}
    assert queries.rentals(None) == {}
    assert queries.playable_track_ids(None) == set()
    assert queries.owned_track_ids(None) == set()


def test_what_is_not_out_yet_says_from_when(app: Flask, at: list[datetime]) -> None:
    ada, release = rows.account(), rows.release()
    release.released_on = date(2026, 11, 25)
    db.session.commit()
    grant(ada.id, "line", release_id=release.id)
    (shown,) = queries.library(ada.id)
    assert shown.from_ == datetime(2026, 11, 25, tzinfo=UTC)
    at[0] = datetime(2026, 11, 25, tzinfo=UTC)
    assert queries.library(ada.id)[0].from_ is None


def test_the_latest_comes_first_by_when_it_became_theirs(app: Flask, at: list[datetime]) -> None:
    ada, gift, bought = rows.account(), rows.release("Gift"), rows.release("Bought")
    grant(None, "gift", release_id=gift.id)
    at[0] += timedelta(hours=1)
    grant(ada.id, "bought", release_id=bought.id)
    at[0] += timedelta(hours=1)
    with transaction():
        service.assign(["gift"], ada.id)
    assert [each.release.title for each in queries.library(ada.id)] == ["Gift", "Bought"]
    assert [each.since for each in queries.library(ada.id)] == [NOW + timedelta(hours=2), NOW + timedelta(hours=1)]


def test_what_was_taken_back_is_in_no_list(app: Flask) -> None:
    ada, release = rows.account(), rows.release()
    grant(ada.id, "whole", release_id=release.id)
    grant(ada.id, "track", track_id=release.tracks[0].id)
    with transaction():
        service.revoke("whole", "refunded")
        service.revoke("track", "refunded")
    assert queries.owned_release_ids(ada.id) == queries.owned_track_ids(ada.id) == set()
    assert queries.playable_track_ids(ada.id) == set()
    assert queries.library(ada.id) == []
    assert {key: each.revoked_reason for key, each in queries.granted(["whole", "track", "none"]).items()} == {
        "whole": "refunded",
        "track": "refunded",
    }


def test_others_licenses_are_others(app: Flask) -> None:
    ada, bo, release = rows.account(), rows.account(), rows.release()
    grant(bo.id, "whole", release_id=release.id)
    grant(bo.id, "track", track_id=release.tracks[0].id)
    grant(bo.id, "rented", release_id=release.id, rental=(1, 1))
    assert queries.library(ada.id) == []
    assert queries.owned_release_ids(ada.id) == queries.owned_track_ids(ada.id) == set()
    assert queries.playable_track_ids(ada.id) == set()
    assert queries.rentals(ada.id) == {}


def test_a_grant_is_what_it_was_granted_as(app: Flask, at: list[datetime]) -> None:
    ada, release = rows.account(), rows.release()
    held = grant(ada.id, "line", release_id=release.id, rental=(7, 24))
    assert (held.account_id, held.release_id, held.track_id, held.grant_key) == (ada.id, release.id, None, "line")
    assert (held.rental_days, held.rental_hours, held.claimed_at, held.created_at) == (7, 24, None, NOW)
    single = grant(None, "track", track_id=release.tracks[0].id)
    assert (single.account_id, single.release_id, single.track_id) == (None, None, release.tracks[0].id)
    assert (single.rental_days, single.rental_hours) == (None, None)
    for wrong in ({}, {"release_id": release.id, "track_id": release.tracks[0].id}):
        with pytest.raises(ValueError, match=r"^a license is for a release or for a track$"):
            service.grant(ada.id, grant_key="wrong", **wrong)


def test_taking_back_notes_when_and_why(app: Flask, at: list[datetime]) -> None:
    ada, release = rows.account(), rows.release()
    held = grant(ada.id, "line", release_id=release.id)
    other = grant(ada.id, "other", release_id=release.id)
    at[0] += timedelta(minutes=1)
    assert service.set_standing("line", stands=False, reason="x" * 300) is True
    assert (held.revoked_at, held.revoked_reason) == (at[0], "x" * 200)
    assert other.revoked_at is None
    assert service.set_standing("line", stands=True, reason="won") is True
    assert (held.revoked_at, held.revoked_reason) == (None, None)
    assert service.revoke("other", "gone") is True
    assert (held.revoked_at, other.revoked_reason) == (None, "gone")
    assert service.revoke("never", "gone") is False


def test_what_is_claimed_is_counted_and_dated(app: Flask, at: list[datetime]) -> None:
    ada, bo, release = rows.account(), rows.account(), rows.release(tracks=3)
    waiting = [grant(None, f"w{number}", track_id=track.id) for number, track in enumerate(release.tracks)]
    taken = grant(bo.id, "taken", release_id=release.id)
    at[0] += timedelta(days=1)
    with transaction():
        assert service.assign(["w0", "w1", "taken", "none"], ada.id) == 2
    assert [each.account_id for each in waiting] == [ada.id, ada.id, None]
    assert [each.claimed_at for each in waiting] == [at[0], at[0], None]
    assert (taken.account_id, taken.claimed_at) == (bo.id, None)


def test_a_download_is_noted_on_all_that_covers_it_and_is_in_force(app: Flask, at: list[datetime]) -> None:
    ada, bo, release = rows.account(), rows.account(), rows.release(tracks=2)
    first, second = release.tracks
    keys = {"whole": {"release_id": release.id}, "one": {"track_id": first.id}, "two": {"track_id": second.id}}
    for key, what in keys.items():
        grant(ada.id, key, **what)
    grant(ada.id, "gone", track_id=first.id)
    grant(bo.id, "bo", release_id=release.id)
    with transaction():
        service.revoke("gone", "refunded")
        service.note_download(ada.id, [first.id, "nosuchtrack"])
    db.session.expire_all()
    noted = {row.grant_key: row.downloaded_at for row in db.session.scalars(select(License)).unique()}
    assert noted == {"whole": NOW, "one": NOW, "two": None, "gone": None, "bo": None}


def test_a_play_starts_the_rental_that_covers_it_and_no_other(app: Flask, at: list[datetime]) -> None:
    ada, film, other = rows.account(), rows.release("Film"), rows.release("Other")
    one, two = (
        grant(ada.id, name, release_id=each.id, rental=(7, 48)) for name, each in (("film", film), ("other", other))
    )
    with transaction():
        service.begin_play(ada.id, "nosuchtrack")
        service.begin_play(ada.id, film.tracks[0].id)
    assert (one.first_played_at, two.first_played_at) == (NOW, None)
    at[0] += timedelta(hours=3)
    with transaction():
        service.begin_play(ada.id, film.tracks[0].id)
    assert one.first_played_at == NOW


def test_editors_hear_what_they_may_edit_and_download_nothing(app: Flask) -> None:
    editor, admin, customer, release = rows.account(), rows.account(), rows.account(), rows.release()
    admin.role, editor.role = Role.ADMIN, Role.EDITOR
    db.session.commit()
    track_id = release.tracks[0].id
    assert service.may(admin.id, track_id, Use.STREAM)
    assert not service.may(admin.id, track_id, Use.DOWNLOAD)
    assert not service.may(editor.id, track_id, Use.STREAM)
    assert not service.may(customer.id, track_id, Use.STREAM)
    assert not service.may("nobody", track_id, Use.STREAM)
    assert not service.may(admin.id, "nosuchtrack", Use.STREAM)
    assert not service.may(None, track_id, Use.STREAM)
    with pytest.raises(ValueError, match="rent"):
        service.may(customer.id, track_id, "rent")  # type: ignore[arg-type]


def test_a_rental_streams_and_does_not_download(app: Flask) -> None:
    ada, film = rows.account(), rows.release()
    grant(ada.id, "line", release_id=film.id, rental=(7, 48))
    track_id = film.tracks[0].id
    assert service.holds(ada.id, track_id)
    assert service.holds(ada.id, track_id, Use.STREAM)
    assert not service.holds(ada.id, track_id, Use.DOWNLOAD)
    assert not service.holds(ada.id, "nosuchtrack")
