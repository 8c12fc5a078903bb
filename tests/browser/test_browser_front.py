"""The front of the shop with the demo's own covers and titles: what the README shows."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from datetime import date

import pytest
from flask import Flask
from playwright.sync_api import Browser, expect
from werkzeug.serving import make_server

from app.catalog import service as catalog
from app.catalog.models import Kind
from app.core.db import transaction
from app.demo.catalogue import RELEASES
from app.demo.covers import cover
from media_store import keys
from media_store.s3 import S3Store
from tests.browser.shop import RESULTS, ROOT


@pytest.fixture
def demo_front(app: Flask, store: S3Store) -> Iterator[str]:
    """The address of a shop that has the demo's releases, without their recordings."""
    with transaction():
        for spec in reversed(RELEASES):
            picture = cover(spec.key, 640)
            key = keys.cover(hashlib.sha256(picture).hexdigest())
            store.put_bytes(key, picture, "image/jpeg")
            release = catalog.create_release(
                title=spec.title,
                title_zh=spec.title_zh,
                artist=catalog.ensure_artist(spec.artist, spec.artist_zh),
                label=catalog.ensure_label(spec.label, spec.label_zh),
                genre=catalog.ensure_genre(spec.genre, spec.genre_zh),
                kind=Kind.FILM if spec.film else Kind.AUDIO,
                released_on=date.fromisoformat(spec.date),
                description=spec.description,
                description_zh=spec.description_zh,
                cover_key=key,
            )
            for track in spec.tracks:
                catalog.add_track(release, title=track.title, title_zh=track.title_zh, disc=track.disc)
            catalog.set_price(release=release, price=spec.price)
            catalog.publish(release)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


def test_the_front_shows_every_cover(browser: Browser, demo_front: str) -> None:
    context = browser.new_context(base_url=demo_front, locale="en-GB", viewport={"width": 1280, "height": 1110})
    page = context.new_page()
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    shown = "[...document.querySelectorAll('#main img')].filter(image => image.checkVisibility())"
    page.wait_for_function(f"{shown}.every(image => image.complete && image.naturalWidth)")
    page.evaluate("scrollTo(0, 0)")
    wanted = os.environ.get("WAVECRATE_SCREENSHOTS") == "1"
    picture = ROOT / "docs" / "screenshot.jpg" if wanted else RESULTS / "front.jpg"
    picture.parent.mkdir(exist_ok=True)
    assert len(page.screenshot(path=picture, type="jpeg", quality=85)) > 50_000
    context.close()
