"""Files to keep: who gets which, under what name, straight from the store, and all of them as one ZIP."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote
from urllib.request import Request, urlopen

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from support import rows
from support.drain import drain

from app.accounts.models import Account
from app.catalog.models import Kind, Release
from app.core import clock
from app.core.db import db, transaction
from app.discovery import reading
from app.discovery.models import Event
from app.downloads import service, tasks
from app.downloads.models import Archive, ArchiveState
from app.licenses import service as licenses
from app.settings import Settings
from media_store import keys
from media_store.errors import StoreError
from media_store.s3 import S3Store

FRAGMENT = {"HX-Request": "true"}
COVER = keys.cover("c0" * 32)


@dataclass
class Shop:
    """An owner of a release of two tracks in two formats, and a stranger."""

    owner: Account
    stranger: Account
    release: Release
    grant_key: str
    client: FlaskClient


@pytest.fixture
def shop(app: Flask, client: FlaskClient, store: S3Store) -> Shop:
    release = rows.release("Tides", tracks=2, title_zh="潮汐", artist_zh="海潮")
    store.put_bytes(COVER, b"a jpeg", "image/jpeg")
    release.cover_key = COVER
    db.session.commit()
    for track in release.tracks:
        rows.download(track, store, "flac", f"flac of {track.title}".encode() * 1000)
        rows.download(track, store, "mp3-320", f"mp3 of {track.title}".encode(), "audio/mpeg")
    owner, stranger = rows.account("Ada"), rows.account("Bo")
    grant_key = rows.own(owner, release=release)
    rows.sign_in(client, owner)
    return Shop(owner, stranger, release, grant_key, client)


def _fetch(url: str, **headers: str) -> tuple[int, Any, bytes]:
    try:
        with urlopen(Request(url, headers=headers)) as answer:  # noqa: S310
            return answer.status, answer.headers, answer.read()
    except HTTPError as error:
        return error.code, error.headers, error.read()


def _name(headers: Any) -> str:
    return unquote(headers["Content-Disposition"].split("filename*=UTF-8''")[1])


def _work(app: Flask) -> int:
    """Do what waits on the queue for ZIPs, as a worker would; return how many jobs there were."""
    waiting = db.session.execute(
        text("SELECT args FROM procrastinate_jobs WHERE task_name = :name AND status = 'todo' ORDER BY id"),
        {"name": service.TASK},
    ).scalars()
    jobs = [args if isinstance(args, dict) else json.loads(args) for args in waiting]
    db.session.execute(text("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE status = 'todo'"))
    db.session.commit()
    for args in jobs:
        tasks.archive(**args)
    return len(jobs)


def test_a_file_comes_from_the_store_with_its_name_and_resumes(shop: Shop) -> None:
    track = shop.release.tracks[0]
    answer = shop.client.get(f"/downloads/{track.id}/flac")
    assert answer.status_code == 302
    assert answer.headers["Cache-Control"] == "no-store"

    status, headers, body = _fetch(answer.location)
    assert (status, body) == (200, b"flac of Tides 1" * 1000)
    assert headers["Content-Type"] == "audio/flac"
    assert _name(headers) == "01 Mira Sol – Tides 1.flac"
    status, headers, rest = _fetch(answer.location, Range="bytes=10000-")
    assert (status, rest) == (206, body[10_000:])


def test_a_chinese_name_survives(shop: Shop) -> None:
    answer = shop.client.get(f"/downloads/{shop.release.tracks[1].id}/mp3-320?lang=zh_Hans")
    _status, headers, _body = _fetch(answer.location)
    assert _name(headers) == "02 海潮 – 潮汐 2.mp3"


def test_the_event_log_hears_of_a_download(shop: Shop) -> None:
    track = shop.release.tracks[0]
    shop.client.head(f"/downloads/{track.id}/flac")
    shop.client.get(f"/downloads/{track.id}/flac")
    event = db.session.scalars(select(Event)).one()
    assert (event.kind, event.account_id, event.release_id, event.track_id) == (
        "download",
        shop.owner.id,
        shop.release.id,
        track.id,
    )


def test_formats_of_one_release_are_one_thing_that_was_downloaded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one go they count once; on another day once more, and for the same release."""
    track = shop.release.tracks[0]
    for name in ("flac", "mp3-320", "flac"):
        assert shop.client.get(f"/downloads/{track.id}/{name}").status_code == 302
    assert [one.value for one in db.session.scalars(select(Event))] == [1.0]
    later = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert shop.client.get(f"/downloads/{track.id}/mp3-320").status_code == 302
    assert db.session.scalars(select(Event.release_id)).all() == [shop.release.id] * 2
    db.session.commit()
    found = reading.interactions_so_far()
    assert found.matrix.shape == (1, 1)
    assert len(found) == 1


def test_no_license_no_file(app: Flask, shop: Shop) -> None:
    track = shop.release.tracks[0]
    addresses = [
        f"/downloads/{track.id}/flac",
        f"/downloads/releases/{shop.release.id}",
        f"/downloads/releases/{shop.release.id}/flac",
    ]
    json_ = {"Accept": "application/json"}
    for address in addresses:
        assert app.test_client().get(address).status_code == 302  # to sign in
        assert "sign-in" in app.test_client().get(address).location
    rows.sign_in(shop.client, shop.stranger)
    for address in addresses:
        answer = shop.client.get(address, headers=json_)
        assert answer.status_code == 403
        assert "Buy it" in answer.get_json()["error"]
    assert shop.client.post(addresses[2], headers=json_).status_code == 403
    assert db.session.scalar(select(func.count()).select_from(Archive)) == 0
    assert db.session.scalar(select(func.count()).select_from(Event)) == 0


def test_a_refund_ends_downloads(app: Flask, shop: Shop) -> None:
    shop.client.post(f"/downloads/releases/{shop.release.id}/flac")
    assert _work(app) == 1
    with transaction():
        licenses.revoke(shop.grant_key, "refunded")
    json_ = {"Accept": "application/json"}
    assert shop.client.get(f"/downloads/{shop.release.tracks[0].id}/flac", headers=json_).status_code == 403
    assert shop.client.get(f"/downloads/releases/{shop.release.id}/flac", headers=json_).status_code == 403


def test_unknown_things_are_not_there(shop: Shop, store: S3Store) -> None:
    json_ = {"Accept": "application/json"}
    track = shop.release.tracks[0]
    draft = rows.release("Draft", published=False)
    for address in (
        f"/downloads/{track.id}/exe",
        f"/downloads/{track.id}/opus",
        f"/downloads/{track.id}/..%2f..%2fmasters",
        "/downloads/nonesuchnonesuch/flac",
        "/downloads/releases/nonesuchnonesuch",
        f"/downloads/releases/{shop.release.id}/exe",
        f"/downloads/releases/{shop.release.id}/opus",
        f"/downloads/{draft.tracks[0].id}/flac",
        f"/downloads/releases/{draft.id}",
    ):
        assert shop.client.get(address, headers=json_).status_code == 404, address


def test_files_not_made_yet_say_so(shop: Shop) -> None:
    early = rows.release("Early", tracks=2)
    rows.own(shop.owner, release=early)
    json_ = {"Accept": "application/json"}
    assert shop.client.get(f"/downloads/{early.tracks[0].id}/flac", headers=json_).status_code == 409
    assert shop.client.post(f"/downloads/releases/{early.id}/flac", headers=json_).status_code == 409
    assert "Still being prepared" in shop.client.get(f"/downloads/releases/{early.id}").text


def test_the_page_lists_formats_tracks_and_sizes(shop: Shop) -> None:
    page = shop.client.get(f"/downloads/releases/{shop.release.id}").text
    for part in ("FLAC", "MP3 320", "Tides 1", "Tides 2", "0.1\N{NO-BREAK SPACE}MB", "All tracks as a ZIP"):
        assert part in page
    for track in shop.release.tracks:
        assert f"/downloads/{track.id}/flac" in page
    assert "WAV" not in page


def test_a_release_becomes_a_zip(app: Flask, shop: Shop) -> None:
    address = f"/downloads/releases/{shop.release.id}/flac"
    asked = shop.client.post(address, headers=FRAGMENT)
    assert "Packing FLAC" in asked.text
    assert f'hx-get="{address}"' in asked.text
    assert "Packing FLAC" in shop.client.get(address, headers=FRAGMENT).text
    assert shop.client.get(address).location.startswith(f"/downloads/releases/{shop.release.id}#")
    assert _work(app) == 1

    ready = shop.client.get(address, headers=FRAGMENT).text
    assert "Save the ZIP" in ready
    assert "hx-get" not in ready
    status, headers, body = _fetch(shop.client.get(address).location)
    assert status == 200
    assert headers["Content-Type"] == "application/zip"
    assert _name(headers) == "Mira Sol – Tides.zip"
    with zipfile.ZipFile(io.BytesIO(body)) as packed:
        assert packed.testzip() is None
        assert packed.namelist() == [
            "Mira Sol – Tides/01 Tides 1.flac",
            "Mira Sol – Tides/02 Tides 2.flac",
            "Mira Sol – Tides/cover.jpg",
        ]
        assert packed.read("Mira Sol – Tides/02 Tides 2.flac") == b"flac of Tides 2" * 1000
        assert packed.read("Mira Sol – Tides/cover.jpg") == b"a jpeg"
        assert {entry.compress_type for entry in packed.infolist()} == {zipfile.ZIP_STORED}
        assert all(entry.flag_bits & 0x800 for entry in packed.infolist()[:2])  # names are marked as UTF-8


def test_the_queue_makes_the_zip(app: Flask, shop: Shop, settings: Settings) -> None:
    address = f"/downloads/releases/{shop.release.id}/mp3-320"
    shop.client.post(address)
    drain(app, settings, "app.downloads.tasks")
    assert "Save the ZIP" in shop.client.get(address, headers=FRAGMENT).text


def test_a_zip_speaks_the_language_it_was_asked_in(app: Flask, shop: Shop) -> None:
    address = f"/downloads/releases/{shop.release.id}/flac?lang=zh_Hans"
    shop.client.post(address)
    _work(app)
    _status, headers, body = _fetch(shop.client.get(address).location)
    assert _name(headers) == "海潮 – 潮汐.zip"
    assert zipfile.ZipFile(io.BytesIO(body)).namelist()[0] == "海潮 – 潮汐/01 潮汐 1.flac"


def test_asking_again_makes_nothing_again(app: Flask, shop: Shop, store: S3Store) -> None:
    address = f"/downloads/releases/{shop.release.id}/flac"
    for _ in range(3):
        shop.client.post(address)
    assert _work(app) == 1
    other = rows.account()
    rows.own(other, release=shop.release)
    rows.sign_in(shop.client, other)
    assert "Save the ZIP" in shop.client.post(address, headers=FRAGMENT).text
    assert _work(app) == 0
    assert len(list(store.list("archives/"))) == 1


def test_asking_at_the_same_moment_makes_one(app: Flask, shop: Shop) -> None:
    address = f"/downloads/releases/{shop.release.id}/flac"
    together = threading.Barrier(4)

    browsers = [app.test_client() for _ in range(4)]
    for browser in browsers:
        rows.sign_in(browser, shop.owner)

    def ask(browser: FlaskClient) -> int:
        together.wait()
        return browser.post(address).status_code

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, browsers)) == [303] * 4
    assert db.session.scalar(select(func.count()).select_from(Archive)) == 1
    assert _work(app) == 1


def test_a_zip_holds_what_one_owns_and_no_more(app: Flask, shop: Shop, store: S3Store) -> None:
    big = rows.release("Big", tracks=3)
    for track in big.tracks:
        rows.download(track, store, "flac", track.title.encode())
    rows.own(shop.owner, release=big)
    shop.client.post(f"/downloads/releases/{big.id}/flac")
    _work(app)

    partly = rows.account()
    for track in big.tracks[:2]:
        rows.own(partly, track=track)
    rows.sign_in(shop.client, partly)
    address = f"/downloads/releases/{big.id}/flac"
    page = shop.client.get(f"/downloads/releases/{big.id}").text
    assert "only those you own" in page
    assert "Big 3" not in page
    assert shop.client.get(address).location.startswith(f"/downloads/releases/{big.id}#")  # not the whole one
    shop.client.post(address)
    _work(app)
    _status, _headers, body = _fetch(shop.client.get(address).location)
    assert [name.rpartition("/")[2] for name in zipfile.ZipFile(io.BytesIO(body)).namelist()] == [
        "01 Big 1.flac",
        "02 Big 2.flac",
    ]

    one = rows.account()
    rows.own(one, track=big.tracks[2])
    rows.sign_in(shop.client, one)
    assert "as a ZIP" not in shop.client.get(f"/downloads/releases/{big.id}").text


def test_when_a_file_changes_the_zip_is_another(app: Flask, shop: Shop, store: S3Store) -> None:
    address = f"/downloads/releases/{shop.release.id}/flac"
    shop.client.post(address)
    _work(app)
    with transaction():
        shop.release.tracks[0].title = "Low Tide"
    assert "All tracks as a ZIP" in shop.client.get(address, headers=FRAGMENT).text


def test_a_worker_killed_while_packing_is_followed_by_another(
    app: Flask, shop: Shop, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a kill leaves is the row as it was: the job, taken up again, ends in the same ZIP."""
    address = f"/downloads/releases/{shop.release.id}/flac"
    shop.client.post(address)
    archive = db.session.scalars(select(Archive)).one()
    members = service._members(service.licensed(shop.owner.id, shop.release.id), "flac")
    args = [{"path": member.path, "key": member.key} for member in members]

    class Killed(BaseException):
        """As good as SIGKILL: no handler of ours sees it."""

    for moment in ("publish", "is_wanted"):
        with monkeypatch.context() as patched:
            patched.setattr(service, moment, _raiser(Killed()))
            with pytest.raises(Killed):
                tasks.archive(archive.id, args)
        db.session.refresh(archive)
        assert archive.state == ArchiveState.BUILDING
    tasks.archive(archive.id, args)
    tasks.archive(archive.id, args)
    db.session.refresh(archive)
    assert archive.state == ArchiveState.READY
    assert list(store.list("archives/")) == [archive.key]


def test_a_zip_that_cannot_be_made_says_so_and_can_be_tried_again(app: Flask, shop: Shop, store: S3Store) -> None:
    address = f"/downloads/releases/{shop.release.id}/flac"
    lost = service.licensed(shop.owner.id, shop.release.id).files["flac"][0].rendition
    body = store.get_bytes(lost.key)
    store.delete(lost.key)
    shop.client.post(address)
    with pytest.raises(StoreError):
        _work(app)
    failed = shop.client.get(address, headers=FRAGMENT).text
    assert "could not be made" in failed
    assert lost.key not in failed

    store.put_bytes(lost.key, body, "audio/flac")
    assert "Packing" in shop.client.post(address, headers=FRAGMENT).text
    assert _work(app) == 1
    assert "Save the ZIP" in shop.client.get(address, headers=FRAGMENT).text


def test_a_film_is_one_file_without_a_number(shop: Shop, store: S3Store) -> None:
    film = rows.release("Harbour", kind=Kind.FILM)
    film.tracks[0].title = "Harbour"
    rows.download(film.tracks[0], store, "mp4", b"a film", "video/mp4")
    rows.own(shop.owner, release=film)
    page = shop.client.get(f"/downloads/releases/{film.id}").text
    assert "MP4" in page
    assert "as a ZIP" not in page
    _status, headers, body = _fetch(shop.client.get(f"/downloads/{film.tracks[0].id}/mp4").location)
    assert (_name(headers), body) == ("Mira Sol – Harbour.mp4", b"a film")


def _raiser(error: BaseException) -> Any:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise error

    return fail
