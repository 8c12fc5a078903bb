"""An editor sends subtitles for a film: they are in its stream without anything being encoded again."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import pipeline, rows
from support.drain import drain
from werkzeug.test import TestResponse

from app.accounts.models import Role
from app.catalog.models import Kind, Release
from app.core.db import db, transaction
from app.media import queries, subtitles
from app.media import service as media
from app.settings import Settings
from media_store.s3 import S3Store
from tests.media_samples import SUBTITLES, make_film, make_many_tracks
from transcoder import captions, package

CHINESE = "1\n00:00:00,500 --> 00:00:02,000\n海在哪里？我们走吧\n"


@pytest.fixture
def film(app: Flask) -> Release:
    """A film without a stream."""
    return rows.release("Night Ferry", kind=Kind.FILM)


@pytest.fixture
def editor(client: FlaskClient, film: Release) -> FlaskClient:
    """Somebody who may."""
    who = rows.account()
    who.role = Role.MANAGER
    db.session.commit()
    rows.sign_in(client, who)
    return client


def send(client: FlaskClient, film: Release, data: bytes, filename: str = "words.srt", **fields: str) -> TestResponse:
    form = {"file": (io.BytesIO(data), filename), "language": "zh-Hans", "name": ""} | fields
    return client.post(f"/studio/releases/{film.id}/subtitles", data=form)


def multivariant(store: S3Store, film: Release) -> str:
    db.session.expire_all()
    return store.get_bytes(queries.stream_of(film.tracks[0].id).key + "multivariant.m3u8").decode()


def test_sent_subtitles_stand_beside_the_films_own(
    app: Flask, editor: FlaskClient, film: Release, store: S3Store, settings: Settings, tmp_path: Path
) -> None:
    track = film.tracks[0]
    pipeline.transcode(track, make_many_tracks(tmp_path / "m.mkv", 7), store, settings, tmp_path / "work")
    before = multivariant(store, film)
    stream = queries.stream_of(track.id)
    size, segment = stream.size, store.get_bytes(stream.key + "v180/00001.m4s")

    answer = send(editor, film, CHINESE.encode("gb18030"))
    assert answer.status_code == 303
    page = editor.get(f"/studio/releases/{film.id}").text
    assert "read as GB18030" in page
    assert "Not all of them are in the film yet" in page
    drain(app, settings, "app.media.tasks")

    after = multivariant(store, film)
    named = re.findall(r'TYPE=SUBTITLES,GROUP-ID="subs",NAME="([^"]+)",LANGUAGE="([^"]+)".*URI="([^"]+)"', after)
    assert [(name, tag) for name, tag, _uri in named] == [
        ("Français", "fr"),
        ("中文", "zh"),
        ("中文 (简体)", "zh-Hans"),
    ]
    kept = [line for line in after.splitlines() if line in before.splitlines()]
    assert kept == before.splitlines(), "something else changed"
    folder = named[-1][2].split("/")[0]
    stream = queries.stream_of(track.id)
    listed = store.get_bytes(f"{stream.key}{folder}/index.m3u8").decode()
    assert "#EXT-X-ENDLIST" in listed
    assert sum(map(float, re.findall(r"#EXTINF:([\d.]+)", listed))) == pytest.approx(7, abs=0.01)
    key = queries.segment_key(track.id, 0)
    sealed = store.get_bytes(f"{stream.key}{folder}/00001.vtt")
    cues = captions.read(package.decrypt_segment(sealed, key, 1)).cues
    assert [cue.text for cue in cues] == ["海在哪里？我们走吧"]
    assert stream.size > size
    assert store.get_bytes(stream.key + "v180/00001.m4s") == segment
    assert "Not all of them" not in editor.get(f"/studio/releases/{film.id}").text

    row = subtitles.of_track(track.id)[0]
    answer = editor.post(f"/studio/releases/{film.id}/subtitles/{row.id}/remove")
    assert answer.status_code == 303
    drain(app, settings, "app.media.tasks")
    assert multivariant(store, film) == before
    assert queries.stream_of(track.id).size == size


def test_a_film_without_subtitles_of_its_own_gets_some_and_keeps_them_when_it_is_made_anew(
    app: Flask, editor: FlaskClient, film: Release, store: S3Store, settings: Settings, tmp_path: Path
) -> None:
    assert send(editor, film, SUBTITLES.encode(), language="fr", name="Pour tous", hearing="y").status_code == 303
    drain(app, settings, "app.media.tasks")  # there is no stream yet
    track = film.tracks[0]
    for master in ("first.mp4", "second.mp4"):
        made = make_film(tmp_path / master, 2, "320x180", frequency=200 + len(master))
        pipeline.transcode(track, made, store, settings, tmp_path / "work")
        drain(app, settings, "app.media.tasks")
        text = multivariant(store, film)
        assert 'NAME="Pour tous",LANGUAGE="fr"' in text
        assert "transcribes-spoken-dialog" in text
        assert 'SUBTITLES="subs"' in text
        assert queries.stream_of(track.id).facts["texts"][0]["name"] == "Pour tous"


@pytest.mark.parametrize(
    ("data", "fields", "says"),
    [
        (b"", {}, "holds no subtitles"),
        (b"Dear shop,\n", {}, "words.srt holds no subtitles"),
        (b"\xff\xfe\x00\xd8", {}, "save it as UTF-8"),
        (b"x" * (captions.MAX_BYTES + 1), {}, "larger than 1 MB"),
        (CHINESE.encode(), {"language": "klingon"}, "is no language"),
        (CHINESE.encode(), {"name": "x" * 81}, "80"),
    ],
)
def test_what_is_wrong_is_said(editor: FlaskClient, film: Release, data: bytes, fields: dict, says: str) -> None:
    answer = send(editor, film, data, **fields)
    assert answer.status_code == 422
    assert says in answer.text
    assert subtitles.of_track(film.tracks[0].id) == []


def test_nothing_hostile_gets_through(editor: FlaskClient, film: Release) -> None:
    hostile = "1\n00:00:01,000 --> 00:00:02,000\n<script>alert(1)</script><img onerror=x> a --> b\n"
    answer = send(editor, film, hostile.encode(), filename='<b>"x.srt', name="<i>name</i>")
    assert answer.status_code == 303
    row = subtitles.of_track(film.tracks[0].id)[0]
    assert row.webvtt == "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nalert(1) a --&gt; b\n"
    page = editor.get(f"/studio/releases/{film.id}").text
    assert "<i>name</i>" not in page
    assert "&lt;i&gt;name&lt;/i&gt;" in page


def test_the_same_words_twice_and_words_for_music_are_refused(editor: FlaskClient, film: Release) -> None:
    assert send(editor, film, CHINESE.encode()).status_code == 303
    assert "there already" in send(editor, film, CHINESE.encode()).text
    music = rows.release()
    assert send(editor, music, CHINESE.encode()).status_code == 404
    row = subtitles.of_track(film.tracks[0].id)[0]
    assert editor.post(f"/studio/releases/{music.id}/subtitles/{row.id}/remove").status_code == 404


def test_only_editors_may(client: FlaskClient, film: Release) -> None:
    rows.sign_in(client, rows.account())
    assert send(client, film, CHINESE.encode()).status_code in (403, 404)
    assert subtitles.of_track(film.tracks[0].id) == []


def test_a_stream_that_was_replaced_meanwhile_is_left_alone(
    app: Flask, editor: FlaskClient, film: Release, store: S3Store, settings: Settings, tmp_path: Path
) -> None:
    track = film.tracks[0]
    pipeline.transcode(track, make_film(tmp_path / "a.mp4", 2, "320x180"), store, settings, tmp_path / "work")
    assert send(editor, film, CHINESE.encode()).status_code == 303
    asked = subtitles.wanted(track.id)
    db.session.commit()
    attached = subtitles.put_in(asked, store, tmp_path / "subs")
    pipeline.transcode(
        track, make_film(tmp_path / "b.mp4", 2, "320x180", frequency=500), store, settings, tmp_path / "work"
    )
    with transaction():
        assert not subtitles.note(asked, attached)
    assert media.TASK
    drain(app, settings, "app.media.tasks")
    assert "TYPE=SUBTITLES" in multivariant(store, film)
