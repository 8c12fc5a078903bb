"""An upload that has arrived is not refused because something of ours is out of order."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from media_samples import make_audio
from sqlalchemy import text
from support.drain import drain
from support.sending import send

from app.accounts.models import Account
from app.core.db import db
from app.core.store import open_store
from app.settings import Settings
from app.studio.models import Upload
from media_store.s3 import S3Store

RECEIVING = text("SELECT status::text, attempts FROM procrastinate_jobs WHERE task_name = 'studio.receive'")
LONG_AFTER = text("UPDATE procrastinate_jobs SET attempts = 50, scheduled_at = NULL WHERE task_name = 'studio.receive'")


def receive(app: Flask, settings: Settings) -> None:
    db.session.commit()
    drain(app, settings, "app.studio.tasks")
    db.session.expire_all()


@pytest.fixture
def upload(editor: Account, client: FlaskClient, tmp_path: Path) -> Upload:
    upload_id = send(client, make_audio(tmp_path / "Ebb.flac", seconds=2))
    return db.session.get_one(Upload, upload_id)


def test_it_waits_as_long_as_the_store_is_out_of_reach(
    app: Flask, upload: Upload, store: S3Store, settings: Settings
) -> None:
    gone = settings.model_copy(update={"s3_endpoint_url": "http://127.0.0.1:9"})
    app.extensions["media_store"] = open_store(gone)
    receive(app, settings)
    assert db.session.execute(RECEIVING).one() == ("todo", 1)
    for _day in range(2):
        db.session.execute(LONG_AFTER)
        receive(app, settings)
        assert db.session.execute(RECEIVING).one() == ("todo", 51)
    assert upload.refused is None
    app.extensions["media_store"] = store
    db.session.execute(LONG_AFTER)
    receive(app, settings)
    assert upload.track_id is not None


def test_it_is_refused_for_what_is_wrong_with_it_however_long_it_waited(
    app: Flask, editor: Account, client: FlaskClient, settings: Settings, tmp_path: Path
) -> None:
    path = make_audio(tmp_path / "Ebb.flac", seconds=2)
    path.write_bytes(path.read_bytes()[:64])
    upload = db.session.get_one(Upload, send(client, path))
    db.session.execute(LONG_AFTER)
    receive(app, settings)
    assert upload.refused is not None
    assert "on our side" not in upload.refused["message"]
    assert db.session.execute(RECEIVING).one().status == "succeeded"
