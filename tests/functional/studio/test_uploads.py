"""Masters in parts: what is announced, signed, gone on with, compared, replaced, and cleared away."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from flask import Flask
from flask.testing import FlaskClient
from media_samples import make_audio, make_film
from sqlalchemy import select
from support import rows
from support.sending import announcement, part, put, send, send_parts, sign

from app.accounts.models import Account, Role
from app.catalog.models import Track
from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.media import queries as media_queries
from app.media import service as media
from app.media.models import TranscodeJob
from app.settings import Settings
from app.studio import queries, tasks
from app.studio.importer import import_paths
from app.studio.models import Upload, UploadPart
from media_store import keys
from media_store.s3 import S3Store
from transcoder.contract import MadeRendition, RenditionReport, TagSet

MIB = 1024**2


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Parts as small as S3 allows, so that a small file has several."""
    return settings.model_copy(update={"upload_part_mib": 5})


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real master of three parts."""
    return make_audio(tmp_path_factory.mktemp("song") / "Long Song.wav", seconds=65)


def begin(client: FlaskClient, path: Path, **more: Any) -> dict[str, Any]:
    answer = client.post("/studio/uploads", json=announcement(path.name, path.read_bytes(), **more))
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json)


def listed(client: FlaskClient, begun: dict[str, Any]) -> list[int]:
    root = ElementTree.fromstring(client.get(f"{begun['url']}/parts").data)  # noqa: S314  # our own answer
    return [int(item.findtext("PartNumber") or 0) for item in root.iter("Part")]


def upload(begun: dict[str, Any]) -> Upload:
    found = db.session.get(Upload, begun["id"], populate_existing=True)
    assert found is not None
    return found


def other_editor(client: FlaskClient) -> None:
    rows.staff(client, Role.MANAGER, "Other")


def finish(folder: str = "b") -> None:
    """Do as the worker does when it has made everything of the newest master."""
    job = db.session.scalars(select(TranscodeJob).order_by(TranscodeJob.created_at.desc()).limit(1)).one()
    with transaction():
        claimed = media.claim(job.id)
        assert claimed is not None
        prefix = keys.stream_prefix(folder * 64)
        made = MadeRendition("stream", "stream", prefix, "application/vnd.apple.mpegurl", "m3u8", 1)
        media.publish(RenditionReport(job.id, claimed.attempt, (made,), {}, {}))


def test_only_missing_parts_are_sent_when_it_is_gone_on_with(
    editor: Account, client: FlaskClient, store: S3Store, song: Path
) -> None:
    body = song.read_bytes()
    begun = begin(client, song)
    assert (begun["part_size"], begun["kept"]) == (5 * MIB, {})
    send_parts(client, begun, body, [2])
    page = client.get("/studio/upload").text
    assert "Choose the file again" in page
    assert song.name in page
    assert client.post(f"{begun['url']}/complete").status_code == 409

    again = begin(client, song)
    assert again["id"] == begun["id"]
    assert list(again["kept"]) == ["2"]
    assert listed(client, again) == [2]
    send_parts(client, again, body, [3, 1])
    for _twice in range(2):
        assert client.post(f"{again['url']}/complete").status_code == 200
    assert store.head(keys.upload(again["id"])).size == len(body)
    tasks.receive_upload(again["id"])
    assert upload(again).track_id is not None
    assert db.session.scalars(select(UploadPart)).all() == []
    assert begin(client, song)["id"] != begun["id"]  # that one has come to its end


def test_an_answer_that_was_lost_after_the_store_had_finished(
    editor: Account, client: FlaskClient, store: S3Store, song: Path
) -> None:
    body = song.read_bytes()
    begun = begin(client, song)
    send_parts(client, begun, body, [1, 2, 3])
    sent = upload(begun)
    announced = queries.announced_parts(sent.id)
    key = keys.upload(sent.id)
    store.multipart.complete(
        key, sent.multipart_id or "", store.multipart.parts(key, sent.multipart_id or ""), announced
    )
    assert client.post(f"{begun['url']}/complete").status_code == 200
    assert upload(begun).arrived_at is not None


def test_a_part_that_is_not_what_was_announced_is_refused_by_the_store(
    editor: Account, client: FlaskClient, song: Path
) -> None:
    body = song.read_bytes()
    begun = begin(client, song)
    data = part(begun, body, 1)
    signed = sign(client, begun, 1, data).json
    assert put(signed["url"], bytes([data[0] ^ 1]) + data[1:], signed["headers"]) == 400
    assert listed(client, begun) == []
    assert put(signed["url"], data, signed["headers"]) == 200
    assert listed(client, begun) == [1]


def test_what_the_store_damaged_afterwards_is_found_and_named(
    editor: Account, client: FlaskClient, store: S3Store, song: Path
) -> None:
    upload_id = send(client, song)
    body = bytearray(song.read_bytes())
    body[6 * MIB] ^= 1
    store.put_stream(keys.upload(upload_id), __import__("io").BytesIO(bytes(body)), "audio/wav")
    tasks.receive_upload(upload_id)
    page = client.get(f"/studio/uploads/{upload_id}").text
    assert "part 2 is not what was sent" in page
    assert not store.exists(keys.upload(upload_id))


def test_another_file_of_the_same_name_and_size_starts_afresh(
    editor: Account, client: FlaskClient, store: S3Store, song: Path
) -> None:
    begun = begin(client, song)
    send_parts(client, begun, song.read_bytes(), [1])
    assert begin(client, song, modified=1)["id"] != begun["id"]
    assert begin(client, song, head="0" * 64)["id"] != begun["id"]
    afresh = begin(client, song, afresh=True)  # the page found that the parts are not this file's
    assert afresh["id"] != begun["id"]
    assert db.session.get(Upload, begun["id"]) is None
    assert begun["id"] not in {found.key for found in store.multipart.begun(keys.UPLOADS)}


def test_other_parts_than_before_start_afresh(editor: Account, client: FlaskClient, app: Flask, song: Path) -> None:
    begun = begin(client, song)
    app.extensions["settings"] = app.extensions["settings"].model_copy(update={"upload_part_mib": 6})
    again = begin(client, song)
    assert again["id"] != begun["id"]
    assert again["part_size"] == 6 * MIB


def test_a_transfer_the_store_forgot_starts_afresh(
    editor: Account, client: FlaskClient, store: S3Store, song: Path
) -> None:
    begun = begin(client, song)
    store.multipart.abort(keys.upload(begun["id"]), upload(begun).multipart_id or "")
    assert client.get(f"{begun['url']}/parts").status_code == 404
    assert client.get("/studio/upload").status_code == 200
    assert begin(client, song)["id"] != begun["id"]


def test_it_can_be_taken_back(editor: Account, client: FlaskClient, store: S3Store, song: Path) -> None:
    begun, other = begin(client, song), begin(client, song, modified=1)
    send_parts(client, begun, song.read_bytes(), [1])
    assert client.delete(begun["url"]).status_code == 204
    assert client.post(f"{other['url']}/drop").status_code == 303
    assert list(store.multipart.begun(keys.UPLOADS)) == []
    assert client.delete(begun["url"]).status_code == 404
    assert sign(client, begun, 1, b"").status_code == 404
    sent = send(client, song)
    assert client.delete(f"/studio/uploads/{sent}").status_code == 409


def test_an_upload_is_its_senders_own(editor: Account, client: FlaskClient, song: Path) -> None:
    begun = begin(client, song)
    other_editor(client)
    assert client.get(begun["url"]).status_code == 404
    assert client.delete(begun["url"]).status_code == 404
    assert client.get(f"{begun['url']}/parts").status_code == 404
    assert client.post(f"{begun['url']}/complete").status_code == 404
    assert client.post(f"{begun['url']}/drop").status_code == 404
    assert sign(client, begun, 1, b"abc").status_code == 404
    assert begin(client, song)["id"] != begun["id"]
    assert client.get("/studio/upload").text.count("Choose the file again") == 1  # the other editor's own


def test_what_is_not_worth_sending_is_refused_at_once(editor: Account, client: FlaskClient) -> None:
    good = announcement("a.wav", b"12345")
    for wrong in (
        {"filename": "notes.txt"},
        {"size": 0},
        {"size": -1},
        {"size": 50 * 1024**3 + 1},
        {"size": 10**30},
        {"filename": ""},
        {"size": "5"},
        {"filename": 5},
        {"size": True},
        {"modified": "yesterday"},
        {"modified": None},
        {"head": "abc"},
        {"head": None},
        {"filename": "../../etc/\0"},
    ):
        answer = client.post("/studio/uploads", json=good | wrong, headers={"Accept": "application/json"})
        assert (answer.status_code, "error" in answer.json) == (400, True), wrong
    assert client.post("/studio/uploads", data="not json").status_code == 400
    assert client.post("/studio/uploads", json=good | {"track": "nothing"}).status_code == 404
    assert client.post("/studio/uploads", json=good | {"track": 5}).status_code == 404
    assert db.session.scalars(select(Upload)).all() == []
    most = client.post("/studio/uploads", json=good | {"size": 50 * 1024**3})
    assert most.status_code == 201
    assert -(-50 * 1024**3 // most.json["part_size"]) <= 10_000


def test_only_parts_of_the_file_are_signed(editor: Account, client: FlaskClient, song: Path) -> None:
    begun = begin(client, song)
    for number in (0, 4, 10_000):
        assert sign(client, begun, number, b"x").status_code in (400, 404)
    for told in ({}, {"sha256": "short"}, {"sha256": "YWJj"}, {"sha256": 5}, []):
        assert client.post(f"{begun['url']}/parts/1", json=told).status_code == 400
    data = part(begun, song.read_bytes(), 1)
    signed = sign(client, begun, 1, data).json
    elsewhere = signed["url"].replace(f"uploads/{begun['id']}", "masters/" + "0" * 64)
    assert put(elsewhere, data, signed["headers"]) == 403
    assert put(signed["url"], data + b"more", signed["headers"]) == 403  # exactly the size that was declared


def preflight(url: str, origin: str) -> urllib.request.Request:
    asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-amz-checksum-sha256"}
    return urllib.request.Request(url, method="OPTIONS", headers={"Origin": origin} | asked)  # noqa: S310


def test_the_browser_may_put_to_the_store_from_the_shop_and_from_nowhere_else(
    editor: Account, client: FlaskClient, settings: Settings, store: S3Store, song: Path
) -> None:
    store.receive_uploads(settings.base_url, keep_days=28)
    begun = begin(client, song)
    url = sign(client, begun, 1, b"x").json["url"]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(preflight(url, "https://elsewhere.example"), timeout=20)  # noqa: S310
    with urllib.request.urlopen(preflight(url, settings.base_url), timeout=20) as answer:  # noqa: S310
        assert answer.status in (200, 204)
        assert answer.headers["Access-Control-Allow-Origin"] == settings.base_url
        assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
        assert "x-amz-checksum-sha256" in answer.headers["Access-Control-Allow-Headers"].lower()
        assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    policy = client.get("/studio/upload").headers["Content-Security-Policy"]
    assert url.split("/")[2] in policy.split("connect-src")[1].split(";")[0]


def test_transfers_in_which_nothing_moves_are_cleared_away(
    editor: Account, client: FlaskClient, store: S3Store, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = song.read_bytes()
    still, moving = begin(client, song), begin(client, song, modified=1)
    send_parts(client, still, body, [1])
    arrived = send(client, make_audio(song.parent / "waits.wav", 0.5))
    stray = keys.upload("bcdfghjkmnpqrstv")
    store.put_bytes(stray, b"of no row", "audio/wav")
    store.multipart.begin(stray)
    tasks.clear_uploads()
    assert {begun.key for begun in store.multipart.begun(keys.UPLOADS)} == {
        keys.upload(still["id"]),
        keys.upload(moving["id"]),
        stray,
    }
    later = clock.now() + timedelta(days=8)
    monkeypatch.setattr(clock, "now", lambda: later)
    rows.sign_in(client, editor)  # a session does not outlast a week either
    send_parts(client, moving, body, [2])
    tasks.clear_uploads()
    assert [begun.key for begun in store.multipart.begun(keys.UPLOADS)] == [keys.upload(moving["id"])]
    assert list(store.list(keys.UPLOADS)) == [keys.upload(arrived)]
    assert {found.id for found in db.session.scalars(select(Upload))} == {moving["id"], arrived}


def test_a_new_master_takes_the_old_ones_place_once_it_is_ready(
    editor: Account, client: FlaskClient, tmp_path: Path
) -> None:
    tags = TagSet(title="Song", artist="Lin Hai", album="Harbour", track=1)
    import_paths([make_audio(tmp_path / "in" / "1.flac", 1, tags=tags)], price=Money(990, "EUR"), publish=True)
    finish("b")
    track = db.session.scalars(select(Track)).one()
    key = rows.own(rows.account("Buyer"), track=track)
    before = media_queries.stream_of(track.id)
    assert before is not None

    page = client.get(f"/studio/releases/{track.release_id}").text
    assert f"/studio/upload?track={track.id}" in page
    assert "Song" in client.get(f"/studio/upload?track={track.id}").text
    better = make_audio(tmp_path / "better.flac", 2, tags=TagSet(title="Other words", album="Elsewhere"))
    upload_id = send(client, better, track=track.id)
    assert "A new master of" in client.get(f"/studio/uploads/{upload_id}").text
    tasks.receive_upload(upload_id)

    db.session.expire_all()
    assert db.session.scalars(select(Track)).one() is track
    assert (track.title, track.duration_ms, track.release.is_published) == ("Song", 1000, True)
    after = media_queries.stream_of(track.id)
    assert after is not None
    assert after.key == before.key  # the old stream stays on air …
    page = client.get(f"/studio/releases/{track.release_id}").text
    assert "The master before this one is heard" in page
    finish("c")
    db.session.expire_all()
    swapped = media_queries.stream_of(track.id)
    assert swapped is not None
    assert (swapped.key, track.duration_ms) == (keys.stream_prefix("c" * 64), 2000)  # … until all of the new is there
    assert "The master before this one is heard" not in client.get(f"/studio/releases/{track.release_id}").text
    assert db.session.scalar(db.text("SELECT count(*) FROM license WHERE grant_key = :key").bindparams(key=key)) == 1


def test_a_new_master_is_of_the_same_kind(editor: Account, client: FlaskClient, tmp_path: Path) -> None:
    tags = TagSet(title="Song", artist="Lin Hai", album="Harbour", track=1)
    import_paths([make_audio(tmp_path / "in" / "1.flac", 1, tags=tags)], price=Money(990, "EUR"), publish=False)
    track = db.session.scalars(select(Track)).one()
    upload_id = send(client, make_film(tmp_path / "film.mp4", 1, "160x90"), track=track.id)
    tasks.receive_upload(upload_id)
    assert "holds a picture" in client.get(f"/studio/uploads/{upload_id}").text
    assert len(db.session.scalars(select(TranscodeJob)).all()) == 1


def test_random_bytes_in_parts_are_refused_with_a_reason(editor: Account, client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "noise.wav").write_bytes(os.urandom(11 * MIB))
    upload_id = send(client, tmp_path / "noise.wav")
    tasks.receive_upload(upload_id)
    assert "Refused" in client.get(f"/studio/uploads/{upload_id}").text
