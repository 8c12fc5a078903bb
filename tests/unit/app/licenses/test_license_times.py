"""When a license opens and ends, by itself: no database, every edge."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from app.catalog.models import Release, Track
from app.licenses.models import License, Use

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def bought(*, out: date | None = None, **changes: object) -> License:
    values = {"release": Release(title="Tides", released_on=out), "grant_key": "line", "created_at": NOW}
    return License(**(values | changes))


def rented(**changes: object) -> License:
    return bought(**({"rental_days": 30, "rental_hours": 48} | changes))  # type: ignore[arg-type]


def test_the_uses_are_two() -> None:
    assert [str(use) for use in Use] == ["stream", "download"]


def test_it_is_for_its_release_or_for_its_track_s() -> None:
    release = Release(title="Tides")
    track = Track(title="One", position=1, release=release)
    assert bought().subject_release.title == "Tides"
    assert License(track=track, grant_key="line").subject_release is release
    with pytest.raises(AssertionError):
        _ = License(grant_key="line").subject_release


def test_what_is_bought_stands_from_when_it_was_granted_for_good() -> None:
    license_ = bought()
    assert (license_.is_rental, license_.begins_at, license_.ends_at) == (False, NOW, None)
    assert not license_.stands(NOW - SECOND)
    assert license_.stands(NOW)
    assert license_.stands(NOW + timedelta(days=36_500))


def test_what_was_claimed_later_stands_from_then() -> None:
    license_ = bought(claimed_at=NOW + timedelta(days=3))
    assert license_.begins_at == NOW + timedelta(days=3)
    assert not license_.stands(NOW + timedelta(days=3) - SECOND)


@pytest.mark.parametrize(
    ("out", "begins"),
    [
        (date(2026, 11, 25), datetime(2026, 11, 25, tzinfo=UTC)),
        (date(2026, 11, 20), NOW),
        (None, NOW),
    ],
)
def test_what_is_not_out_yet_begins_on_its_day(out: date | None, begins: datetime) -> None:
    assert bought(out=out).begins_at == begins


def test_what_was_taken_back_never_stands() -> None:
    license_ = bought(revoked_at=NOW + timedelta(days=1), revoked_reason="refunded")
    assert not license_.stands(NOW)
    assert not license_.stands(NOW + timedelta(days=2))


def test_a_rental_waits_its_days_and_plays_its_hours() -> None:
    waiting = rented()
    assert (waiting.is_rental, waiting.ends_at) == (True, NOW + timedelta(days=30))
    assert waiting.stands(NOW + timedelta(days=30) - SECOND)
    assert not waiting.stands(NOW + timedelta(days=30))
    playing = rented(first_played_at=NOW + timedelta(days=2))
    assert playing.ends_at == NOW + timedelta(days=4)
    assert playing.stands(NOW + timedelta(days=4) - SECOND)
    assert not playing.stands(NOW + timedelta(days=4))


def test_a_rental_waits_from_when_it_is_claimed_and_out() -> None:
    assert rented(claimed_at=NOW + timedelta(days=1)).ends_at == NOW + timedelta(days=31)
    assert rented(out=date(2026, 12, 24)).ends_at == datetime(2027, 1, 23, tzinfo=UTC)


@pytest.mark.parametrize("lacking", ["rental_days", "rental_hours"])
def test_half_a_rental_does_not_end(lacking: str) -> None:
    assert rented(**{lacking: None}).ends_at is None
