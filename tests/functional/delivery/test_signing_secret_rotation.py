"""The signing secret is changed while people listen, at the edge and in the shop: no play breaks off, none outstays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from pydantic import SecretStr
from support.nginx import edge, send

from app.core import clock
from app.settings import Settings
from media_store import signing
from media_store.errors import BadSignature
from tests.functional.delivery.conftest import Delivery

NEW = SecretStr("a-new-signing-secret-0123")
MEMBERS = ("multivariant.m3u8", "aac-64/index.m3u8", "aac-64/00002.m4s", "key/0.key")


@contextmanager
def _restarted(front: str, delivery: Delivery, app: Flask, settings: Settings, run: Path) -> Iterator[int]:
    """The shop with other secrets, and for "edge" an nginx with the same; the port to ask."""
    app.extensions["settings"] = settings
    if front == "app":
        yield delivery.app_port
        return
    with edge(settings, run, app=f"127.0.0.1:{delivery.app_port}") as running:
        yield running.port


def _statuses(port: int, folder: str, cookie: str) -> set[int]:
    return {send(port, "GET", folder + name, {"Cookie": cookie}).status for name in MEMBERS}


def _opens(secret: SecretStr, folder: str) -> bool:
    token, path = folder.removeprefix("/media/").split("/", 1)
    try:
        signing.verify([secret.get_secret_value()], token, path + MEMBERS[0], now=int(clock.now().timestamp()))
    except BadSignature:
        return False
    return True


@pytest.mark.parametrize("front", ["edge", "app"])
def test_what_the_old_secret_signed_opens_until_it_is_taken_away(
    delivery: Delivery, app: Flask, tmp_path: Path, front: str
) -> None:
    old, first = delivery.settings.signing_secret, delivery.play()
    assert _statuses(delivery.edge.port if front == "edge" else delivery.app_port, first, delivery.cookie) == {200}

    both = delivery.settings.model_copy(update={"signing_secret": NEW, "signing_secret_previous": old})
    with _restarted(front, delivery, app, both, tmp_path / "both") as port:
        assert _statuses(port, first, delivery.cookie) == {200}, "a play that was begun goes on"
        second = delivery.play()
        assert _opens(NEW, second)
        assert not _opens(old, second), "what is signed now is signed with the new one"
        assert _statuses(port, second, delivery.cookie) == {200}

    after = both.model_copy(update={"signing_secret_previous": None})
    with _restarted(front, delivery, app, after, tmp_path / "after") as port:
        assert _statuses(port, first, delivery.cookie) == {403}
        assert _statuses(port, second, delivery.cookie) == {200}
