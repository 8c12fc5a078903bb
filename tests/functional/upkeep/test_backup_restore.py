"""Backup and restore as docs/operations.md tells: dump, copy, lose everything, restore; and what was bought plays."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
from flask import Flask
from flask.testing import FlaskClient
from media_samples import make_audio
from support import rows
from support.instance import environment
from support.pipeline import transcode

from app.accounts.models import Account
from app.core.db import db
from app.engines.postgres import POSTGRES_BIN_PATH
from app.factory import create_app
from app.settings import ROOT, Settings
from media_store.s3 import S3Store

PLAIN = "application/octet-stream"


def tool(name: str, *arguments: str) -> None:
    """One of PostgreSQL's own programs, of the server's version."""
    done = subprocess.run([str(POSTGRES_BIN_PATH / name), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def verify(settings: Settings, *options: str) -> tuple[int, dict]:
    """What the operator types."""
    command = [sys.executable, "-m", "app.cli", "store", "verify", "--json", *options]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment(settings), capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def play(client: FlaskClient, track_id: str) -> bytes:
    """The first segment as a player gets it, its key asked for as well."""
    begun = client.post(f"/play/{track_id}").get_json()
    folder = begun["playlist"].rpartition("/")[0]
    entry = client.get(begun["playlist"]).text
    rung = next(line for line in entry.splitlines() if line.endswith("index.m3u8"))
    media = client.get(f"{folder}/{rung}").text.splitlines()
    [key, *_] = [line.split('URI="../')[1].split('"')[0] for line in media if line.startswith("#EXT-X-KEY")]
    assert client.get(f"{folder}/{key}").status_code == 200
    segment = next(line for line in media if line.endswith(".m4s"))
    return client.get(f"{folder}/{rung.rpartition('/')[0]}/{segment}").data


def copy_out(store: S3Store, folder: Path) -> None:
    """Every object into a folder, as `aws s3 sync` would."""
    for found in store.walk(""):
        path = folder / found.key
        path.parent.mkdir(parents=True, exist_ok=True)
        store.get_file(found.key, path)


def copy_back(store: S3Store, folder: Path) -> None:
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        store.put_file(str(path.relative_to(folder)), path, PLAIN)


def test_everything_lost_and_brought_back(
    app: Flask, client: FlaskClient, settings: Settings, store: S3Store, tmp_path: Path
) -> None:
    release, owner = rows.release("Tides"), rows.account()
    track = release.tracks[0]
    rows.own(owner, release=release)
    transcode(track, make_audio(tmp_path / "tides.wav", seconds=3), store, settings, tmp_path / "work")
    rows.sign_in(client, owner)
    track_id, owner_id, heard = track.id, owner.id, play(client, track.id)
    assert verify(settings, "--deep")[0] == 0
    db.session.remove()
    db.engine.dispose()

    dump, copy = tmp_path / "wavecrate.dump", tmp_path / "objects"
    tool("pg_dump", "--format=custom", f"--file={dump}", f"--dbname={settings.libpq_url}")
    copy_out(store, copy)
    secrets_too = settings  # SECRET_KEY and SIGNING_SECRET are kept with the backup

    database = settings.libpq_url.split("://", 1)[1].split("/", 1)[1].split("?")[0]
    admin_url = settings.libpq_url.replace(f"/{database}?", "/postgres?")
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {database} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {database} TEMPLATE template0")
    for found in list(store.walk("")):
        store.delete(found.key)
    assert not list(store.walk(""))

    tool("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={settings.libpq_url}", str(dump))
    code, lost = verify(settings)
    assert code == 1, "rows without their objects are told"
    assert {each["fault"] for each in lost["problems"]} == {"missing"}
    copy_back(store, copy)
    code, found = verify(settings, "--deep")
    assert code == 0, found
    assert found["problems"] == found["orphans"] == found["waiting"] == []

    again = create_app(secrets_too)
    again.config["WTF_CSRF_ENABLED"] = False
    with again.app_context():
        customer = again.test_client()
        rows.sign_in(customer, db.session.get_one(Account, owner_id))
        assert customer.get("/readyz").status_code == 200
        assert play(customer, track_id) == heard
        db.session.remove()
        db.engine.dispose()


def test_what_can_be_made_again_need_not_be_kept(
    app: Flask, settings: Settings, store: S3Store, tmp_path: Path
) -> None:
    release = rows.release("Tides")
    transcode(release.tracks[0], make_audio(tmp_path / "a.wav", seconds=2), store, settings, tmp_path / "work")
    db.session.commit()
    only_masters = tmp_path / "objects"
    copy_out(store, only_masters)
    for folder in ("streams", "downloads", "previews"):
        shutil.rmtree(only_masters / folder)
    for found in list(store.walk("")):
        store.delete(found.key)
    copy_back(store, only_masters)
    code, found = verify(settings, "--repair")
    assert code == 0, "all that is lost is on the queue"
    assert {each["done"] for each in found["problems"]} == {"on the queue, to be made again"}
