"""What a file that is gone on with is for, and that neither a page nor the database waits for the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from media_samples import make_audio
from support import rows
from support.sending import announcement, send_parts

from app.accounts.models import Account
from app.core.db import db
from app.settings import Settings
from app.studio.models import Upload
from media_store import keys
from media_store.s3 import S3Store


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Parts as small as S3 allows, so that a small file has several."""
    return settings.model_copy(update={"upload_part_mib": 5})


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real master of three parts."""
    return make_audio(tmp_path_factory.mktemp("purpose") / "01.wav", seconds=65)


def begin(client: FlaskClient, path: Path, **more: Any) -> dict[str, Any]:
    answer = client.post("/studio/uploads", json=announcement(path.name, path.read_bytes(), **more))
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json)


def purpose(begun: dict[str, Any]) -> str | None:
    found = db.session.get(Upload, begun["id"], populate_existing=True)
    assert found is not None
    assert begun["track"] == found.replaces_id
    return found.replaces_id


def test_a_new_master_is_gone_on_with_from_a_page_that_names_no_track(
    editor: Account, client: FlaskClient, store: S3Store, song: Path
) -> None:
    track = rows.release("Tides").tracks[0]
    begun = begin(client, song, track=track.id)
    send_parts(client, begun, song.read_bytes(), [1])
    again = begin(client, song)
    assert (again["id"], list(again["kept"]), purpose(again)) == (begun["id"], ["1"], track.id)
    assert again["purpose"] == "A new master of “Tides 1”"

    multipart_id = db.session.get_one(Upload, begun["id"]).multipart_id or ""
    store.multipart.abort(keys.upload(begun["id"]), multipart_id)  # the store has forgotten what it had
    renewed = begin(client, song)
    assert renewed["id"] != begun["id"]
    assert purpose(renewed) == track.id


@pytest.mark.parametrize("other", [{"modified": 1}, {"head": "0" * 64}])
def test_another_file_of_the_same_name_and_size_replaces_nothing(
    editor: Account, client: FlaskClient, song: Path, other: dict[str, Any]
) -> None:
    track = rows.release("Tides").tracks[0]
    begun = begin(client, song, track=track.id)
    stranger = begin(client, song, **other)
    assert stranger["id"] != begun["id"]
    assert purpose(stranger) is stranger["purpose"] is None
    assert purpose(begun) == track.id


def test_a_file_that_only_begins_alike_replaces_nothing(editor: Account, client: FlaskClient, song: Path) -> None:
    track = rows.release("Tides").tracks[0]
    begun = begin(client, song, track=track.id)
    stranger = begin(client, song, afresh=True)  # the page has compared the parts: they are another file's
    assert purpose(stranger) is None
    assert purpose(begun) == track.id  # which is still to come


def test_what_a_page_names_counts(editor: Account, client: FlaskClient, song: Path) -> None:
    first, second = rows.release("Tides", tracks=2).tracks
    one, two = begin(client, song, track=first.id), begin(client, song, track=second.id)
    loose = db.session.get_one(Upload, begin(client, song, afresh=True)["id"])
    assert (purpose(one), purpose(two)) == (first.id, second.id)
    assert len({one["id"], two["id"], loose.id}) == 3
    assert begin(client, song)["id"] == loose.id  # a release of its own, rather than a track's new master
    assert begin(client, song, track=first.id)["id"] == one["id"]


@contextmanager
def heard(store: S3Store, note: Callable[[str], None]) -> Iterator[None]:
    """Tell `note` of each request to the store by its name in S3's API."""

    def before(model: Any, **_more: Any) -> None:
        note(model.name)

    events = store._client.meta.events
    events.register("before-call.s3", before)
    try:
        yield
    finally:
        events.unregister("before-call.s3", before)


def test_the_upload_page_does_not_ask_the_store(app: Flask, editor: Account, client: FlaskClient, song: Path) -> None:
    begun = begin(client, song)
    send_parts(client, begun, song.read_bytes(), [1, 2])
    asked: list[str] = []
    with heard(app.extensions["media_store"], asked.append):
        page = client.get("/studio/upload").text
        assert client.get(begun["url"]).status_code == 200
    assert asked == []
    assert "5.2 MB of" in page  # the second may be on its way still


def test_no_transaction_is_open_while_the_store_answers(
    app: Flask, editor: Account, client: FlaskClient, song: Path
) -> None:
    open_during: dict[str, set[bool]] = {}

    def note(name: str) -> None:
        open_during.setdefault(name, set()).add(db.session().in_transaction())

    with heard(app.extensions["media_store"], note):
        dropped = begin(client, song, modified=1)
        assert client.delete(dropped["url"]).status_code == 204
        begun = begin(client, song)
        send_parts(client, begun, song.read_bytes(), [1])
        assert list(begin(client, song)["kept"]) == ["1"]
        assert client.post(f"{begun['url']}/complete").status_code == 409
        send_parts(client, begun, song.read_bytes(), [2, 3])
        assert client.post(f"{begun['url']}/complete").status_code == 200
    asked = {"CreateMultipartUpload", "AbortMultipartUpload", "DeleteObject", "ListParts", "CompleteMultipartUpload"}
    assert open_during == {name: {False} for name in asked | {"HeadObject"}}
