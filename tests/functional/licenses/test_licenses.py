"""Grants, revocations and the one question, as owner, teammate of nobody, and stranger."""

from __future__ import annotations

import pytest
from flask import Flask
from support import rows

from app.catalog.models import Track
from app.core.db import db, transaction
from app.licenses import queries, service
from app.licenses.models import Use


def test_a_license_on_a_release_covers_its_tracks_and_those_added_later(app: Flask) -> None:
    ada, bo, release, other = rows.account(), rows.account(), rows.release(tracks=2), rows.release("Other")
    with transaction():
        assert service.grant(ada.id, release_id=release.id, grant_key="line1")
    for track in release.tracks:
        for use in Use:
            assert service.may(ada.id, track.id, use)
            assert not service.may(bo.id, track.id, use)
            assert not service.may(None, track.id, use)
    assert not service.may(ada.id, other.tracks[0].id, Use.STREAM)
    assert not service.may(ada.id, "nosuchtrack", Use.STREAM)
    late = Track(release_id=release.id, position=3, title="Bonus")
    db.session.add(late)
    db.session.commit()
    assert service.may(ada.id, late.id, Use.DOWNLOAD)


def test_a_license_on_a_track_covers_that_track_only(app: Flask) -> None:
    ada, release = rows.account(), rows.release(tracks=2)
    with transaction():
        service.grant(ada.id, track_id=release.tracks[0].id, grant_key="line1")
    assert service.may(ada.id, release.tracks[0].id, Use.STREAM)
    assert not service.may(ada.id, release.tracks[1].id, Use.STREAM)
    assert queries.owned_track_ids(ada.id) == {release.tracks[0].id}
    assert queries.owned_release_ids(ada.id) == set()


def test_a_grant_key_grants_once_and_not_again_after_it_was_revoked(app: Flask) -> None:
    ada, release = rows.account(), rows.release()
    track_id = release.tracks[0].id
    with transaction():
        assert service.grant(ada.id, release_id=release.id, grant_key="line1")
        assert not service.grant(ada.id, release_id=release.id, grant_key="line1")
    with transaction():
        assert service.revoke("line1", "refunded")
        assert not service.revoke("line1", "refunded")
        assert not service.revoke("line2", "never granted")
    assert not service.may(ada.id, track_id, Use.STREAM)
    with transaction():
        assert not service.grant(ada.id, release_id=release.id, grant_key="line1")
    assert not service.may(ada.id, track_id, Use.STREAM)


def test_revoking_one_of_two_licenses_leaves_the_other_in_force(app: Flask) -> None:
    ada, release = rows.account(), rows.release()
    with transaction():
        service.grant(ada.id, release_id=release.id, grant_key="line1")
        service.grant(ada.id, track_id=release.tracks[0].id, grant_key="line2")
    with transaction():
        service.revoke("line1", "refunded")
    assert service.may(ada.id, release.tracks[0].id, Use.STREAM)
    assert queries.owned_release_ids(ada.id) == set()


def test_owners_keep_what_is_no_longer_published(app: Flask) -> None:
    ada, release = rows.account(), rows.release(published=False)
    rows.own(ada, release=release)
    assert service.may(ada.id, release.tracks[0].id, Use.DOWNLOAD)
    assert [owned.release for owned in queries.library(ada.id)] == [release]


def test_the_library_shows_each_release_once_with_what_is_owned_of_it_newest_first(app: Flask) -> None:
    ada, older, newer = rows.account(), rows.release("Older", tracks=3), rows.release("Newer", tracks=2)
    rows.own(ada, track=older.tracks[2])
    rows.own(ada, track=older.tracks[0])
    rows.own(ada, release=newer)
    rows.own(ada, track=newer.tracks[1])
    found = queries.library(ada.id)
    assert [(owned.release.title, owned.whole) for owned in found] == [("Newer", True), ("Older", False)]
    assert [track.position for track in found[1].tracks] == [1, 3]
    assert found[0].tracks == newer.tracks
    assert queries.owned_release_ids(ada.id) == {newer.id}
    assert len(queries.owned_track_ids(ada.id)) == 4
    assert queries.owned_track_ids(None) == queries.owned_release_ids(None) == set()


def test_a_license_is_for_a_release_or_a_track_and_a_use_is_one_of_two(app: Flask) -> None:
    ada, release = rows.account(), rows.release()
    with pytest.raises(ValueError, match="for a release or for a track"):
        service.grant(ada.id, grant_key="line1")
    with pytest.raises(ValueError, match="for a release or for a track"):
        service.grant(ada.id, release_id=release.id, track_id=release.tracks[0].id, grant_key="line1")
    with pytest.raises(ValueError, match="rent"):
        service.may(ada.id, release.tracks[0].id, "rent")  # type: ignore[arg-type]
