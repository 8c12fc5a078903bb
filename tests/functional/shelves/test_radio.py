"""Radio: from any track, on and on, near it and near the person's taste, nothing twice in a round."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import rows
from support.town import RELEASES, Town, town

from app.accounts.models import Account
from app.catalog.models import Kind, Release, Track
from app.core.db import db, transaction
from app.discovery import choices
from app.discovery.models import EventKind, Verdict
from app.media.models import RenditionKind
from app.shelves import radio
from media_store import keys
from media_store.interface import MediaStore

JSON = {"Accept": "application/json"}


def _previewed(*releases: Release) -> None:
    for release in releases:
        for number, track in enumerate(release.tracks):
            key = keys.preview(f"{int(track.created_at.timestamp() * 1e6) + number:064x}", "m4a")
            rows.rendition(track, RenditionKind.PREVIEW, "preview", key, "audio/mp4", 9)


@pytest.fixture
def planted(app: Flask) -> Town:
    made = town(tracks=2)
    _previewed(*made.jazz, *made.metal)
    return made


def _tune(client: FlaskClient, seed: Track, status: int = 200, **told: Any) -> dict[str, Any]:
    answer = client.post(f"/radio/{seed.id}", json=told, headers=JSON)
    assert answer.status_code == status, answer.text
    return answer.json


def _round(client: FlaskClient, seed: Track, most: int = 99) -> list[dict[str, Any]]:
    """A station, handful by handful, until it begins anew."""
    played: list[dict[str, Any]] = []
    while len(played) < most:
        answer = _tune(client, seed, played=[track["id"] for track in played])
        if answer["again"]:
            break
        played += answer["tracks"]
    return played


def test_a_station_begins_near_its_track_and_plays_all_there_is_once(planted: Town, client: FlaskClient) -> None:
    seed = planted.jazz[3].tracks[0]
    heard = _round(client, seed)
    ids = [track["id"] for track in heard]
    assert len(ids) == len(set(ids)) == 2 * 2 * RELEASES - 1
    assert seed.id not in ids
    # Jazz first, all of it; then what is left.
    jazz = {release.id for release in planted.jazz}
    assert all(track["release_id"] in jazz for track in heard[: 2 * RELEASES - 1])

    first = _tune(client, seed)["tracks"]
    assert 1 < len(first) <= radio.HANDFUL
    assert len({track["artist"] for track in first}) == len(first)


def test_it_is_endless(planted: Town, client: FlaskClient) -> None:
    seed = planted.jazz[3].tracks[0]
    ids = [track["id"] for track in _round(client, seed)]
    answer = _tune(client, seed, played=ids)
    assert answer["again"] is True
    assert answer["tracks"]
    assert ids[-1] not in [track["id"] for track in answer["tracks"]]


def test_whole_tracks_where_they_are_theirs_and_previews_elsewhere(
    planted: Town, client: FlaskClient, store: MediaStore
) -> None:
    seed, mine, bought = planted.jazz[0].tracks[0], planted.jazz[1], planted.jazz[2].tracks[1]
    for track in (*mine.tracks, bought):
        rows.stream(track, store, name=track.id)
    guest = {track["id"]: track for track in _round(client, seed)}
    assert not any(track["whole"] for track in guest.values())
    assert all(track["preview"].startswith("/previews/") for track in guest.values())

    rows.own(planted.ada, release=mine)
    rows.own(planted.ada, track=bought)
    rows.sign_in(client, planted.ada)
    hers = {track["id"]: track for track in _round(client, seed)}
    whole = {one for one, track in hers.items() if track["whole"]}
    assert whole == {bought.id, *(track.id for track in mine.tracks)}
    assert all(hers[one]["preview"] is None for one in whole)
    told = hers[bought.id]
    assert told["title"] == bought.title
    assert told["href"] == f"/releases/{bought.release_id}"
    assert client.post(f"/play/{bought.id}").status_code == 200


def test_taste_leads_where_nobody_knows_the_track_yet(planted: Town, client: FlaskClient) -> None:
    between = rows.release("Between", artist="Nobody")
    _previewed(between)
    planted.did(planted.ada, planted.metal[0], EventKind.PLAY)
    rows.sign_in(client, planted.ada)
    metal = {release.id for release in planted.metal}
    heard = _tune(client, between.tracks[0])["tracks"]
    assert heard
    assert {track["release_id"] for track in heard} <= metal


def test_taste_moves_what_is_near(planted: Town, client: FlaskClient) -> None:
    seed = planted.jazz[0].tracks[0]
    guest = [track["id"] for track in _round(client, seed)]
    for release in (planted.jazz[8], planted.jazz[9]):
        planted.did(planted.ada, release, EventKind.PLAY)
    rows.sign_in(client, planted.ada)
    hers = [track["id"] for track in _round(client, seed)]
    assert set(hers) == set(guest)
    assert hers != guest


def test_what_was_skipped_turns_the_station_at_once(planted: Town, client: FlaskClient) -> None:
    seed = planted.jazz[0].tracks[0]
    first = _tune(client, seed)["tracks"]
    skipped = first[0]
    artist = db.session.get(Track, skipped["id"]).release.artist
    after = _tune(client, seed, played=[skipped["id"]], skipped=[skipped["id"]])["tracks"]
    assert artist.name not in [track["artist"] for track in after[:2]]


def test_not_for_me_is_not_heard_again_and_nothing_is_that_may_not_be_shown(planted: Town, client: FlaskClient) -> None:
    ada, (gone, elsewhere, draft) = planted.ada, planted.jazz[1:4]
    rows.sign_in(client, ada)
    with transaction():
        choices.say(ada.id, gone.id, Verdict.DISMISSED)
        choices.say(ada.id, elsewhere.id, Verdict.ELSEWHERE)
    draft.status, draft.published_at = "draft", None
    db.session.commit()
    heard = {track["release_id"] for track in _round(client, planted.jazz[0].tracks[0])}
    assert heard & {release.id for release in planted.jazz}
    assert not heard & {gone.id, elsewhere.id, draft.id}


def test_a_shop_without_a_model_has_radio_too(app: Flask, client: FlaskClient) -> None:
    releases = [rows.release(f"Tides {n}", artist=f"Artist {n}") for n in range(3)]
    film, silent = rows.release("Ferry", kind=Kind.FILM), rows.release("Silent")
    _previewed(*releases, film)
    heard = _round(client, releases[0].tracks[0])
    assert {track["release_id"] for track in heard} == {releases[1].id, releases[2].id}
    assert silent.id not in {track["release_id"] for track in heard}
    alone = rows.release("Alone", published=False)
    rows.own(_signed_in(client), release=alone)
    assert len(_round(client, alone.tracks[0])) == 3


def test_a_shop_with_one_track_says_that_there_is_nothing_else(app: Flask, client: FlaskClient) -> None:
    only = rows.release("Only")
    _previewed(only)
    assert _tune(client, only.tracks[0]) == {"tracks": [], "again": True, "signed_in": False}


def test_what_is_told_is_not_trusted(planted: Town, client: FlaskClient) -> None:
    seed = planted.jazz[0].tracks[0]
    for wrong in ("x", [1], ["short"], [None], {"a": 1}, ["x" * 17]):
        assert "Start it again" in _tune(client, seed, 400, played=wrong)["error"]
        assert "Start it again" in _tune(client, seed, 400, skipped=wrong)["error"]
    many = [f"{number:016d}" for number in range(radio.MOST_TOLD + 500)]
    assert _tune(client, seed, played=many)["tracks"]
    # Only the latest count: what was told before those is forgotten.
    first = _tune(client, seed)["tracks"][0]["id"]
    assert first in [track["id"] for track in _tune(client, seed, played=[first, *many])["tracks"]]
    assert client.post(f"/radio/{seed.id}", data="{", headers=JSON | {"Content-Type": "application/json"}).json[
        "tracks"
    ]
    assert client.post(f"/radio/{seed.id}", json=["list"], headers=JSON).json["tracks"]


def test_a_station_begins_from_music_that_one_may_know_of(planted: Town, client: FlaskClient) -> None:
    film = rows.release("Ferry", kind=Kind.FILM)
    assert "not from a film" in _tune(client, film.tracks[0], 400)["error"]
    hidden = rows.release("Hidden", published=False)
    assert "no such track" in _tune(client, hidden.tracks[0], 404)["error"]
    assert client.post("/radio/nonesuchnonesuch", json={}, headers=JSON).status_code == 404
    assert client.get(f"/radio/{planted.jazz[0].tracks[0].id}").status_code == 405


def _signed_in(client: FlaskClient) -> Account:
    person = rows.account()
    rows.sign_in(client, person)
    return person
