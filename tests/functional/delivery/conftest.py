"""A shop behind the edge: an owner of one streamed track, the app as a real server, and nginx in front of both."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from support import rows
from support.nginx import Answer, Edge, edge, send
from werkzeug.serving import make_server

from app.accounts.models import Account
from app.catalog.models import Release, Track
from app.media.models import Rendition
from app.settings import Settings
from media_store.s3 import S3Store

KEY = bytes(range(16))
SEGMENT = bytes(range(256)) * 768  # 192 KB


@dataclass
class Delivery:
    """What a test of delivery needs to hand."""

    settings: Settings
    store: S3Store
    release: Release
    track: Track
    owner: Account
    grant_key: str
    stream: Rendition
    edge: Edge
    app_port: int
    cookie: str
    client: FlaskClient
    asked: list[str] = field(default_factory=list)  # what reached the app

    def play(self) -> str:
        """Press play; the folder that it opens."""
        answer = self.client.post(f"/play/{self.track.id}", headers={"Accept": "application/json"})
        assert answer.status_code == 200, answer.text
        playlist: str = answer.get_json()["playlist"]
        return playlist.removesuffix("multivariant.m3u8")

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Ask the edge, as the owner."""
        return self.edge.send(method, path, {k.replace("_", "-"): v for k, v in headers.items()})

    def ask(self, front: str, method: str, path: str, headers: dict[str, str] | None = None) -> Answer:
        """Ask nginx ("edge") or the app itself ("app"), as the owner."""
        port = self.edge.port if front == "edge" else self.app_port
        return send(port, method, path, {"Cookie": self.cookie, **(headers or {})})


@pytest.fixture
def delivery(app: Flask, client: FlaskClient, store: S3Store, settings: Settings, tmp_path: Path) -> Iterator[Delivery]:
    release = rows.release("Tides")
    owner = rows.account("Ada")
    stream = rows.stream(release.tracks[0], store, KEY)
    store.put_bytes(stream.key + "aac-64/00002.m4s", SEGMENT, "application/octet-stream")
    grant_key = rows.own(owner, release=release)
    rows.sign_in(client, owner)
    cookie = client.get_cookie("wavecrate-id")
    assert cookie is not None
    asked: list[str] = []

    @app.before_request
    def _note() -> None:
        asked.append(request.path)

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        with edge(settings, tmp_path / "edge", app=f"127.0.0.1:{server.server_port}") as running:
            made: Any = Delivery(
                settings=settings,
                store=store,
                release=release,
                track=release.tracks[0],
                owner=owner,
                grant_key=grant_key,
                stream=stream,
                edge=running,
                app_port=server.server_port,
                cookie=f"wavecrate-id={cookie.value}",
                client=client,
                asked=asked,
            )
            yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
