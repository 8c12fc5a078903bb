"""Editors see what was heard of each track beside its ingest report; where little is sure, little is said."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import rows

from app.accounts.models import Role
from app.catalog.models import Release
from app.core.db import db
from app.media import sound_words
from app.media.models import RenditionKind, Sound
from transcoder.contract import SOUND_NAMES, SOUND_VERSION

VECTOR = [0.0] * len(SOUND_NAMES)
SURE = {"tempo": 127.96, "tempo_confidence": 0.9, "key": 9, "mode": "minor", "key_confidence": 0.8}
LOUD = {"loudness": -9.46, "loudness_range": 4.0}


@pytest.fixture
def release(app: Flask) -> Release:
    return rows.release()


def sounds_like(release: Release, **told) -> Sound:
    track = release.tracks[0]
    stream = rows.rendition(track, RenditionKind.STREAM, "stream", f"streams/{track.id}/", "x", 1)
    figures = {"tempo_confidence": 0.0, "key_confidence": 0.0, "vector": VECTOR, "version": SOUND_VERSION} | told
    made = Sound(track_id=track.id, master_id=stream.master_id, **figures)
    db.session.add(made)
    db.session.commit()
    return made


def shown(client: FlaskClient, release: Release, locale: str = "en") -> str | None:
    client.set_cookie("locale", locale)
    page = client.get(f"/studio/releases/{release.id}/ingest", headers={"Accept-Language": locale})
    assert page.status_code == 200
    found = re.search(r'<p class="ingest__sound.*?</span>(.*?)</p>', page.get_data(as_text=True))
    return found[1] if found else None


def test_an_editor_sees_tempo_key_and_loudness(client: FlaskClient, release: Release) -> None:
    sounds_like(release, **SURE, **LOUD)
    rows.staff(client, Role.ADMIN)
    assert shown(client, release) == "128 BPM · A minor · -9.5 LUFS · range 4.0 LU"
    assert "BPM" in client.get(f"/studio/releases/{release.id}").get_data(as_text=True)


def test_listeners_are_told_nothing_of_it(client: FlaskClient, release: Release) -> None:
    sounds_like(release, **SURE, **LOUD)
    page = client.get(f"/releases/{release.id}")
    assert page.status_code == 200
    assert "BPM" not in page.get_data(as_text=True)


def test_what_nobody_is_sure_of_is_not_said(client: FlaskClient, release: Release) -> None:
    sounds_like(release, **(SURE | {"tempo_confidence": 0.1, "key_confidence": 0.2}), **LOUD)
    rows.staff(client, Role.ADMIN)
    assert shown(client, release) == "-9.5 LUFS · range 4.0 LU"


@pytest.mark.parametrize("told", [{"vector": [], "loudness": -70.0}, {"version": SOUND_VERSION - 1, **SURE}])
def test_silence_and_other_versions_say_nothing(client: FlaskClient, release: Release, told: dict) -> None:
    sounds_like(release, **told)
    rows.staff(client, Role.ADMIN)
    assert shown(client, release) is None


def test_a_track_nobody_has_heard_has_its_report_all_the_same(client: FlaskClient, release: Release) -> None:
    track = release.tracks[0]
    rows.rendition(track, RenditionKind.STREAM, "stream", f"streams/{track.id}/", "x", 1)
    rows.staff(client, Role.ADMIN)
    assert shown(client, release) is None
    assert track.title in client.get(f"/studio/releases/{release.id}/ingest").get_data(as_text=True)


@pytest.mark.parametrize(
    ("key", "mode", "words"), [(0, "major", "C major"), (1, "minor", "C♯ minor"), (10, "major", "B♭ major")]
)
def test_every_key_has_its_name(app: Flask, key: int, mode: str, words: str) -> None:
    with app.test_request_context():
        assert sound_words.told(Sound(key=key, mode=mode, key_confidence=1.0, tempo=None, vector=[])) == [words]
