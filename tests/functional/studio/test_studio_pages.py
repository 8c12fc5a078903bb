"""An editor's day over HTTP: send, watch, edit, publish; and what strangers and listeners get to see of it."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from media_samples import make_audio, make_film, make_image, truncate
from PIL import Image
from sqlalchemy import select
from support import rows
from support.sending import send
from urllib3.filepost import encode_multipart_formdata

from app.accounts.models import Account
from app.catalog.models import Release
from app.core.db import db, transaction
from app.core.money import Money
from app.media import queries as media_queries
from app.media import service as media
from app.media.models import JobState, TranscodeJob
from app.studio import tasks
from app.studio.importer import import_paths
from app.studio.models import Upload
from media_store import keys
from media_store.errors import ObjectMissing
from media_store.s3 import S3Store
from transcoder.contract import MadeRendition, RenditionReport, TagSet


def queued(task: str) -> list[dict[str, Any]]:
    query = db.text("SELECT args FROM procrastinate_jobs WHERE task_name = :task AND status = 'todo' ORDER BY id")
    return [row.args for row in db.session.execute(query, {"task": task})]


def receive(upload_id: str) -> Upload:
    """What the worker does with the message that is on the queue."""
    assert {"upload_id": upload_id} in queued("studio.receive")
    db.session.rollback()
    tasks.receive_upload(upload_id)
    upload = db.session.get(Upload, upload_id, populate_existing=True)
    assert upload is not None
    return upload


def finish_all() -> None:
    for job in list(db.session.scalars(select(TranscodeJob).where(TranscodeJob.state == JobState.QUEUED))):
        with transaction():
            claimed = media.claim(job.id)
            assert claimed is not None
            folder = keys.stream_prefix("b" * 64)
            made = MadeRendition("stream", "stream", folder, "application/vnd.apple.mpegurl", "m3u8", 1)
            media.publish(RenditionReport(job.id, claimed.attempt, (made,), {}, {}))


def the_release() -> Release:
    db.session.expire_all()
    return db.session.scalars(select(Release)).one()


def filled(page: str, **changes: str) -> dict[str, str]:
    """The edit form as the page shows it, with some fields typed over."""
    body = re.search(r"<form class=\"form.*?</form>", page, re.DOTALL)
    assert body is not None
    values = {}
    for tag in re.findall(r"<input[^>]*>", body[0]):
        attributes = dict(re.findall(r'([a-z_-]+)="([^"]*)"', tag))
        if attributes.get("name") and attributes.get("type") != "file":
            values[attributes["name"]] = attributes.get("value", "")
    for name, text in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>\s*(.*?)</textarea>', body[0], re.DOTALL):
        values[name] = text
    values["currency"] = (re.search(r'<option selected value="([A-Z]+)"', body[0]) or ["", "EUR"])[1]
    return values | changes


def imported(tmp_path: Path, tracks: int = 2) -> Release:
    for number in range(1, tracks + 1):
        tags = TagSet(title=f"Song {number}", artist="Lin Hai", album="Harbour", track=number)
        make_audio(tmp_path / "in" / f"{number}.flac", 0.5, 8000, 1, tags=tags, frequency=100 * number)
    import_paths([tmp_path / "in"], price=Money(990, "EUR"), publish=False)
    return the_release()


EDITORS_ONLY = (
    ("get", "/studio"),
    ("get", "/studio/upload"),
    ("post", "/studio/uploads"),
    ("get", "/studio/uploads/{upload}"),
    ("post", "/studio/uploads/{upload}/parts/1"),
    ("get", "/studio/uploads/{upload}/parts"),
    ("post", "/studio/uploads/{upload}/complete"),
    ("delete", "/studio/uploads/{upload}"),
    ("post", "/studio/uploads/{upload}/drop"),
    ("get", "/studio/releases/{release}"),
    ("post", "/studio/releases/{release}"),
    ("get", "/studio/releases/{release}/state"),
    ("get", "/studio/releases/{release}/recordings"),
    ("post", "/studio/releases/{release}/publish"),
    ("post", "/studio/releases/{release}/unpublish"),
    ("post", "/studio/tracks/{track}/retry"),
    ("get", "/studio/releases/{release}/ingest"),
    ("get", "/studio/bundles"),
    ("post", "/studio/bundles"),
    ("post", "/studio/bundles/none/retire"),
    ("get", "/studio/releases/{release}/offers"),
    ("post", "/studio/releases/{release}/offers"),
    ("post", "/studio/releases/{release}/tracks"),
    ("get", "/studio/editors/{upload}/labels"),
    ("post", "/studio/editors/{upload}/labels"),
    ("post", "/studio/editors/{upload}/labels/none/take"),
    ("post", "/studio/releases/{release}/subtitles"),
    ("post", "/studio/releases/{release}/subtitles/none/remove"),
)


def test_the_studio_is_for_editors(app: Flask, client: FlaskClient) -> None:
    release = rows.release("Tides", published=True)
    upload = Upload(account_id=rows.account("Owner").id, filename="a.wav", size=1)
    db.session.add(upload)
    db.session.commit()
    ids = {"upload": upload.id, "release": release.id, "track": release.tracks[0].id}
    listener = rows.account("Listener")
    calls = [(method, path.format(**ids)) for method, path in EDITORS_ONLY]
    assert {rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint.startswith("studio.")} == {
        app.url_map.bind("").match(path, method=method.upper())[0] for method, path in calls
    }
    for method, path in calls:
        assert getattr(client, method)(path).status_code == 302, path  # a stranger is sent to sign in
    rows.sign_in(client, listener)
    for method, path in calls:
        assert getattr(client, method)(path).status_code == 403, path
    assert the_release().is_published
    assert db.session.scalars(select(Upload)).one().arrived_at is None


def test_a_master_sent_from_the_browser_becomes_a_release(
    editor: Account, client: FlaskClient, store: S3Store, tmp_path: Path
) -> None:
    tags = TagSet(title="Night Ferry", title_zh="夜航船", artist="Lin Hai", genre="Ambient")
    upload_id = send(client, make_audio(tmp_path / "夜航.flac", 1, tags=tags, cover=make_image()))
    upload = receive(upload_id)
    release = the_release()
    assert (upload.track_id, upload.refused) == (release.tracks[0].id, None)
    assert (release.title, release.title_zh, release.artist.name, release.status) == (
        "Night Ferry",
        "夜航船",
        "Lin Hai",
        "draft",
    )
    assert release.cover_key is not None
    assert release.offers == []
    with pytest.raises(ObjectMissing):
        store.head(keys.upload(upload_id))
    assert store.exists(keys.master(media_queries.master_of(release.tracks[0].id).sha256))  # type: ignore[union-attr]

    with transaction():
        job = media.claim(db.session.scalars(select(TranscodeJob.id)).one())
        assert job is not None
        media.report_progress(job.id, job.attempt, "encode", 0.42)
    page = client.get(f"/studio/uploads/{upload_id}").text
    assert "42 %" in page
    assert 'value="0.42"' in page
    assert "hx-get" in page
    assert "42 %" in client.get(f"/studio/releases/{release.id}/state").text
    assert "42 %" in client.get("/studio").text

    refused = client.post(f"/studio/releases/{release.id}/publish", follow_redirects=True)
    assert "still being transcoded" in refused.text
    assert not the_release().is_published

    with transaction():
        folder = keys.stream_prefix("b" * 64)
        made = MadeRendition("stream", "stream", folder, "application/vnd.apple.mpegurl", "m3u8", 1)
        media.publish(RenditionReport(job.id, job.attempt, (made,), {}, {}))
    page = client.get(f"/studio/uploads/{upload_id}").text
    assert "Ready" in page
    assert "hx-get" not in page

    refused = client.post(f"/studio/releases/{release.id}/publish", follow_redirects=True)
    assert "a price" in refused.text
    edit = f"/studio/releases/{release.id}"
    form = filled(client.get(edit).text, title="Night Ferry (live)", price="9,90", currency="EUR", artist_zh="林海")
    saved = client.post(edit, data=form, follow_redirects=True)
    assert "Saved." in saved.text
    published = client.post(f"{edit}/publish", follow_redirects=True)
    assert "It is in the shop." in published.text
    release = the_release()
    assert (release.is_published, release.title, release.artist.name_zh) == (True, "Night Ferry (live)", "林海")
    assert release.tracks[0].title == "Night Ferry (live)"
    assert [offer.price for offer in release.offers if offer.active] == [Money(990, "EUR")]


def test_a_refusal_is_shown_with_its_reason(
    editor: Account, client: FlaskClient, store: S3Store, tmp_path: Path
) -> None:
    cut = truncate(make_audio(tmp_path / "cut.flac", 2), 0.5)
    upload = receive(send(client, cut))
    assert upload.track_id is None
    page = client.get(f"/studio/uploads/{upload.id}").text
    assert "Refused" in page
    assert "truncated" in page or "damaged" in page
    assert "hx-get" not in page
    assert not store.exists(keys.upload(upload.id))
    assert "cut.flac" in client.get("/studio").text

    (tmp_path / "x.wav").write_text("<script>alert(1)</script>")
    upload = receive(send(client, tmp_path / "x.wav", "<b>x.wav"))
    page = client.get(f"/studio/uploads/{upload.id}").text
    assert "is text" in page
    assert "<b>x" not in page
    assert db.session.scalars(select(Release)).all() == []


def test_files_of_one_album_join_and_loose_files_stay_apart(
    editor: Account, client: FlaskClient, tmp_path: Path
) -> None:
    for number in (2, 1):
        tags = TagSet(title=f"Song {number}", artist="Lin Hai", album="Harbour", track=number)
        receive(send(client, make_audio(tmp_path / f"{number}.flac", 0.5, 8000, 1, tags=tags, frequency=number * 100)))
    assert [track.title for track in the_release().tracks] == ["Song 1", "Song 2"]
    for number in (3, 4):
        receive(send(client, make_audio(tmp_path / f"{number}.wav", 0.5, 8000, 1, frequency=number * 100), "demo.wav"))
    db.session.expire_all()
    assert sorted(r.title for r in db.session.scalars(select(Release))) == ["Harbour", "demo", "demo"]
    upload = receive(send(client, tmp_path / "3.wav", "demo.wav"))  # the same bytes again are what is there
    assert len(db.session.scalars(select(Release)).all()) == 3
    assert upload.track_id is not None
    assert len(queued("media.transcode")) == 4


def test_looking_twice_at_an_upload_changes_nothing(editor: Account, client: FlaskClient, tmp_path: Path) -> None:
    upload = receive(send(client, make_audio(tmp_path / "a.wav", 0.5)))
    tasks.receive_upload(upload.id)
    tasks.receive_upload("no such upload ")
    assert len(the_release().tracks) == 1


def test_an_upload_whose_object_vanished_is_refused(
    editor: Account, client: FlaskClient, store: S3Store, tmp_path: Path
) -> None:
    upload_id = send(client, make_audio(tmp_path / "a.wav", 0.5))
    store.delete(keys.upload(upload_id))
    assert receive(upload_id).refused == {"message": "did not arrive. Send it again", "facts": {}}


def test_a_film_is_sent_like_a_song(editor: Account, client: FlaskClient, tmp_path: Path) -> None:
    receive(send(client, make_film(tmp_path / "lamp.mp4", 1, "160x90")))
    assert (the_release().kind, the_release().title) == ("film", "lamp")
    assert client.get(f"/studio/releases/{the_release().id}").status_code == 200


def test_editing_everything(editor: Account, client: FlaskClient, store: S3Store, tmp_path: Path) -> None:
    release = imported(tmp_path)
    edit = f"/studio/releases/{release.id}"
    form = filled(
        client.get(edit).text,
        **{
            "title_zh": "港湾",
            "artist": "Someone Else",
            "label": "Quay",
            "genre": "Drone",
            "released_on": "2024-05-01",
            "description": "Two\r\nlines & <b>",
            "description_zh": "说明",
            "price": "1200",
            "currency": "JPY",
            "tracks-0-title": "First",
            "tracks-0-position": "2",
            "tracks-1-position": "1",
            "tracks-1-title_zh": "第二",
            "tracks-0-price": "",
            "tracks-1-price": "300",
        },
    )
    cover = (io.BytesIO(make_image((900, 900), image_format="PNG", mode="RGBA")), "cover.png")
    saved = client.post(edit, data={**form, "cover": cover}, content_type="multipart/form-data", follow_redirects=True)
    assert "Saved." in saved.text
    release = the_release()
    assert (release.title_zh, release.artist.name, release.description) == ("港湾", "Someone Else", "Two\nlines & <b>")
    assert release.label is not None
    assert release.genre is not None
    assert (release.label.name, release.genre.name, str(release.released_on)) == ("Quay", "Drone", "2024-05-01")
    assert [(t.position, t.title, t.title_zh) for t in release.tracks] == [(1, "Song 2", "第二"), (2, "First", None)]
    assert [o.price for o in release.offers if o.active] == [Money(1200, "JPY")]
    assert [[o.price for o in t.offers if o.active] for t in release.tracks] == [[Money(300, "JPY")], []]
    assert release.cover_key is not None
    with Image.open(io.BytesIO(store.get_bytes(release.cover_key))) as stored:
        assert (stored.format, stored.mode, stored.size) == ("JPEG", "RGB", (900, 900))
    assert "Two\nlines &amp; &lt;b&gt;" in client.get(edit).text


SENSELESS = (
    ("title", "", "needs a title"),
    ("title", "x" * 301, "300"),
    ("artist", " ", "needs an artist"),
    ("price", "0", "more than nothing"),
    ("price", "-1", "not an amount"),
    ("price", "9.999", "no unit as small"),
    ("price", "NaN", "not an amount"),
    ("price", "1e9", "more than a payment"),
    ("currency", "XXX", "valid choice"),
    ("released_on", "yesterday", "valid date"),
    ("released_on", "0001-01-01", "no year"),
    ("tracks-0-title", "", "needs a title"),
    ("tracks-1-position", "1", "same number"),
    ("tracks-1-position", "0", "between"),
    ("tracks-1-price", "cheap", "not an amount"),
)


def test_what_makes_no_sense_is_said_beside_its_field_and_nothing_is_saved(
    editor: Account, client: FlaskClient, tmp_path: Path
) -> None:
    release = imported(tmp_path)
    edit = f"/studio/releases/{release.id}"
    page = client.get(edit).text
    for field, value, says in SENSELESS:
        answer = client.post(edit, data=filled(page, **{"label": "Quay", field: value}))
        assert (answer.status_code, says in answer.text) == (422, True), (field, value, says)
    assert the_release().label is None


def test_a_box_of_two_hundred_tracks_is_saved_with_a_cover(editor: Account, client: FlaskClient) -> None:
    edit = f"/studio/releases/{rows.release('Box', tracks=200, published=False).id}"
    form: dict[str, Any] = filled(client.get(edit).text, **{"tracks-199-title": "The last one"})
    assert len(form) > 1000  # what a form may have elsewhere
    # As browsers write it: the test client leaves out the line before an empty value.
    body, kind = encode_multipart_formdata(form | {"cover": ("cover.jpg", make_image(), "image/jpeg")})
    saved = client.post(edit, data=body, content_type=kind)
    assert saved.status_code == 303
    assert the_release().tracks[199].title == "The last one"
    assert the_release().cover_key


def test_a_cover_that_is_none_is_refused(editor: Account, client: FlaskClient, tmp_path: Path) -> None:
    release = imported(tmp_path, 1)
    edit = f"/studio/releases/{release.id}"
    form = filled(client.get(edit).text, title="Changed")
    for content, says in (
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "no picture the shop can read"),
        (b"not a picture", "no picture the shop can read"),
        (make_image()[:400], "damaged"),
    ):
        data = {**form, "cover": (io.BytesIO(content), "cover.jpg")}
        answer = client.post(edit, data=data, content_type="multipart/form-data")
        assert (answer.status_code, says in answer.text) == (422, True), content
    assert (the_release().cover_key, the_release().title) == (None, "Harbour")


def test_a_cover_too_large_is_refused(editor: Account, client: FlaskClient, tmp_path: Path) -> None:
    release = imported(tmp_path, 1)
    edit = f"/studio/releases/{release.id}"
    data = {"title": "x", "cover": (io.BytesIO(bytes(14 * 1024**2)), "cover.jpg")}
    assert client.post(edit, data=data, content_type="multipart/form-data").status_code == 413
    # Nowhere else is there room for so much.
    assert client.post("/studio/uploads", data=bytes(3 * 1024**2), content_type="application/json").status_code in (
        400,
        413,
    )


def test_a_failed_track_says_why_and_can_be_tried_again(editor: Account, client: FlaskClient, tmp_path: Path) -> None:
    release = imported(tmp_path, 1)
    with transaction():
        job = media.claim(db.session.scalars(select(TranscodeJob.id)).one())
        assert job is not None
        media.fail(job.id, job.attempt, "The encoder ran out of ink.")
    edit = f"/studio/releases/{release.id}"
    assert "ran out of ink" in client.get(edit).text
    assert "could not be transcoded" in client.post(f"{edit}/publish", follow_redirects=True).text
    client.post(f"/studio/tracks/{release.tracks[0].id}/retry")
    assert (
        db.session.scalars(select(TranscodeJob.state).execution_options(populate_existing=True)).one()
        == JobState.QUEUED
    )


def test_one_failure_among_many_is_told_while_the_others_go_on(
    editor: Account, client: FlaskClient, tmp_path: Path
) -> None:
    release = imported(tmp_path, 2)
    jobs = {job.master.track_id: job.id for job in db.session.scalars(select(TranscodeJob))}
    first, second = (jobs[track.id] for track in release.tracks)
    with transaction():
        job = media.claim(first)
        assert job is not None
        media.fail(job.id, job.attempt, "moov atom not found", kind="damaged")
    section = f"/studio/releases/{release.id}/recordings"
    for path in (section, f"/studio/releases/{release.id}/state", f"/studio/releases/{release.id}/state?small=1"):
        assert "hx-get" in client.get(path).text, path  # the other one is still to come
    assert "The stored master is damaged. Send it again." in client.get(section).text
    assert "1 failed" in client.get("/studio").text

    with transaction():
        job = media.claim(second)
        assert job is not None
        media.fail(job.id, job.attempt, "no space left", kind="disk")
    assert "hx-get" not in client.get(section).text.replace("hx-post", "")
    retried = client.post(f"/studio/tracks/{release.tracks[1].id}/retry", headers={"HX-Request": "true"})
    assert retried.status_code == 200
    assert "<main" not in retried.text  # the pieces that changed, and no page
    assert 'id="recordings-list"' in retried.text
    assert 'hx-swap-oob="true"' in retried.text
    assert "The stored master is damaged" in retried.text
    assert "disk is full" not in retried.text


def test_what_is_on_air_can_be_listened_to_while_it_is_made(
    editor: Account, client: FlaskClient, tmp_path: Path
) -> None:
    receive(send(client, make_film(tmp_path / "lamp.mp4", 1, "160x90")))
    release = the_release()
    section = f"/studio/releases/{release.id}/recordings"
    assert "data-play" not in client.get(section).text
    with transaction():
        job = media.claim(db.session.scalars(select(TranscodeJob.id)).one())
        assert job is not None
        folder = keys.stream_prefix("b" * 64)
        made = MadeRendition("stream", "stream", folder, "application/vnd.apple.mpegurl", "m3u8", 1, {"on_air": True})
        media.on_air(job.id, job.attempt, made)
    page = client.get(section).text
    assert f'data-play="{release.tracks[0].id}"' in page
    assert "On air already" in page
    assert f'data-film="{release.tracks[0].id}"' in client.get(f"/studio/releases/{release.id}").text
    with transaction():
        media.publish(RenditionReport(job.id, job.attempt, (made,), {}, {}))
    assert "On air already" not in client.get(section).text


def test_rows_stand_in_the_order_that_was_typed_and_faults_name_them(
    editor: Account, client: FlaskClient, tmp_path: Path
) -> None:
    release = imported(tmp_path, 3)
    edit = f"/studio/releases/{release.id}"
    form = filled(
        client.get(edit).text,
        **{"tracks-0-position": "3", "tracks-2-position": "1", "tracks-1-position": "x", "tracks-0-isrc": "nothing"},
    )
    answer = client.post(edit, data=form)
    assert answer.status_code == 422
    rows_shown = re.findall(r'name="tracks-(\d)-title"', answer.text)
    assert rows_shown == ["2", "1", "0"]
    assert re.search(r'href="#tracks-1-position"[^>]*>Number, row 2</a>', answer.text)
    assert re.search(r'href="#tracks-0-isrc"[^>]*>ISRC, row 3</a>: An ISRC is 12 characters', answer.text)


def test_each_track_has_its_own_artist_and_isrc(editor: Account, client: FlaskClient, tmp_path: Path) -> None:
    release = imported(tmp_path, 2)
    edit = f"/studio/releases/{release.id}"
    own = {"tracks-0-artist": "Somebody Else", "tracks-0-isrc": "gb-aye-68-00011"}
    client.post(edit, data=filled(client.get(edit).text, **own))
    first, second = the_release().tracks
    assert (first.credited_artist.name, first.isrc) == ("Somebody Else", "GBAYE6800011")
    assert (second.artist, second.isrc) == (None, None)
    client.post(edit, data=filled(client.get(edit).text, **{"tracks-0-artist": "", "tracks-0-isrc": ""}))
    assert (the_release().tracks[0].artist, the_release().tracks[0].isrc) == (None, None)


def test_publishing_can_wait_until_ready_and_be_called_off(
    editor: Account, client: FlaskClient, tmp_path: Path
) -> None:
    release = imported(tmp_path, 2)
    edit = f"/studio/releases/{release.id}"
    page = client.post(f"{edit}/publish", data={"when": "ready"}, follow_redirects=True).text
    assert "once it is ready" in page
    client.post(f"{edit}/unpublish")
    assert not the_release().publish_when_ready
    client.post(f"{edit}/publish", data={"when": "ready"})
    finish_all()
    assert the_release().is_published
    assert "See it in the shop" in client.get(edit).text
    without_price = client.post(edit, data=filled(client.get(edit).text, price=""))
    assert without_price.status_code == 422
    assert "needs a price" in without_price.text
    client.post(f"{edit}/unpublish")
    assert not the_release().is_published


def test_pages_are_in_chinese_for_those_who_read_it_and_cost_few_queries(
    editor: Account, client: FlaskClient, tmp_path: Path
) -> None:
    imported(tmp_path, 1)
    for path in ("/studio", "/studio/upload", f"/studio/releases/{the_release().id}"):
        assert 'lang="zh-Hans"' in client.get(f"{path}?lang=zh_Hans").text


def test_every_field_has_a_label(editor: Account, client: FlaskClient, tmp_path: Path) -> None:
    release = imported(tmp_path, 2)
    for path in ("/studio/upload", f"/studio/releases/{release.id}"):
        main = client.get(path).text.split("<main")[1].split("</main>")[0]
        labelled = set(re.findall(r'<label[^>]*for="([^"]+)"', main))
        wrapped = set(re.findall(r"<label[^>]*>(<input[^>]*>) [^<]+</label>", main))
        for tag in re.findall(r"<(?:input|textarea|select)[^>]*>", main):
            attributes = dict(re.findall(r'([a-z_-]+)="([^"]*)"', tag))
            named = attributes.get("aria-label") or attributes.get("id") in labelled
            assert named or attributes.get("type") == "hidden" or tag in wrapped, tag
        assert "<script>" not in main
        assert " style=" not in main


def test_there_is_nothing_at_unknown_addresses(editor: Account, client: FlaskClient) -> None:
    for path in ("/studio/releases/nothing", "/studio/uploads/nothing", "/studio/releases/nothing/state"):
        assert client.get(path).status_code == 404
    assert client.post("/studio/tracks/nothing/retry").status_code == 404
