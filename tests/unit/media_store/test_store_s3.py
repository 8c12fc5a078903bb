"""The store against a real S3 server."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote
from urllib.request import Request, urlopen

import pytest

from app.settings import Settings
from media_store import keys, s3
from media_store.errors import ObjectMissing, StoreError
from media_store.s3 import S3Store, content_disposition

BODY = bytes(range(256)) * 8
SHA = hashlib.sha256(BODY).hexdigest()
KEY = keys.download(SHA, "flac")


def _get(url: str, **headers: str) -> tuple[int, Message, bytes]:
    try:
        with urlopen(Request(url, headers={k.replace("_", "-"): v for k, v in headers.items()})) as answer:  # noqa: S310
            return answer.status, answer.headers, answer.read()
    except HTTPError as error:
        return error.code, error.headers, error.read()


def test_bytes_come_back_as_they_went_in(store: S3Store, tmp_path: Path) -> None:
    store.put_bytes(KEY, BODY, "audio/flac")
    info = store.head(KEY)
    assert (info.size, info.content_type) == (len(BODY), "audio/flac")
    assert store.get_bytes(KEY) == BODY
    store.get_file(KEY, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == BODY


def test_a_file_and_a_stream_are_stored_alike(store: S3Store, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(BODY)
    store.put_file(KEY, tmp_path / "a", "audio/flac")
    store.put_stream(keys.upload("abcdefgh12345678"), io.BytesIO(BODY), "application/octet-stream")
    assert store.get_bytes(KEY) == store.get_bytes(keys.upload("abcdefgh12345678")) == BODY


def test_an_empty_object(store: S3Store, tmp_path: Path) -> None:
    store.put_bytes(KEY, b"", "audio/flac")
    assert store.get_bytes(KEY) == b""
    (tmp_path / "empty").touch()
    store.put_file(keys.master(SHA), tmp_path / "empty", "audio/flac")
    assert store.head(keys.master(SHA)).size == 0


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ((0, 0), 0, 0),
        ((10, 19), 10, 19),
        ((2000, None), 2000, 2047),
        ((None, 5), 2043, 2047),
        ((None, 99_999), 0, 2047),
        ((2040, 99_999), 2040, 2047),
        ((0, None), 0, 2047),
    ],
)
def test_a_part_is_read_alone(store: S3Store, wanted: tuple[int | None, int | None], start: int, end: int) -> None:
    store.put_bytes(KEY, BODY, "audio/flac")
    body = store.open(KEY, wanted)
    assert (body.start, body.end, body.info.size) == (start, end, len(BODY))
    assert b"".join(body.chunks) == BODY[start : end + 1]


@pytest.mark.parametrize("wanted", [(2048, None), (5000, 6000), (None, 0)])
def test_a_part_outside_the_object_is_a_value_error(store: S3Store, wanted: tuple[int | None, int | None]) -> None:
    store.put_bytes(KEY, BODY, "audio/flac")
    with pytest.raises(ValueError, match="range"):
        store.open(KEY, wanted)


def test_what_is_already_there_is_not_sent_again(store: S3Store, tmp_path: Path) -> None:
    store.put_bytes(KEY, BODY, "audio/flac")
    # The same key with other bytes of that length cannot happen to content-addressed keys; here it shows the skip.
    store.put_bytes(KEY, b"\0" * len(BODY), "audio/flac")
    (tmp_path / "other").write_bytes(b"\1" * len(BODY))
    store.put_file(KEY, tmp_path / "other", "audio/flac")
    assert store.get_bytes(KEY) == BODY


def test_what_was_cut_short_is_replaced(store: S3Store, tmp_path: Path) -> None:
    store.put_bytes(KEY, BODY[:100], "audio/flac")
    store.put_bytes(KEY, BODY, "audio/flac")
    assert store.get_bytes(KEY) == BODY


def test_what_is_missing_says_so(store: S3Store, tmp_path: Path) -> None:
    for ask in (store.head, store.get_bytes, store.open):
        with pytest.raises(ObjectMissing, match="no object"):
            ask(KEY)
    with pytest.raises(ObjectMissing):
        store.open(KEY, (0, 9))
    with pytest.raises(ObjectMissing):
        store.get_file(KEY, tmp_path / "x")
    assert not (tmp_path / "x").exists()
    assert not store.exists(KEY)
    store.delete(KEY)


def test_delete_and_list(store: S3Store) -> None:
    prefix = keys.stream_prefix(SHA)
    names = [keys.stream_member(prefix, name) for name in ("aac/00001.m4s", "aac/00002.m4s", "multivariant.m3u8")]
    for name in reversed(names):
        store.put_bytes(name, b"x", "video/iso.segment")
    store.put_bytes(KEY, b"y", "audio/flac")
    assert list(store.list(prefix)) == names
    assert list(store.list("")) == sorted([*names, KEY])
    store.delete(names[0])
    assert not store.exists(names[0])
    assert list(store.list(prefix)) == names[1:]


def test_a_key_with_another_prefix_is_another_object(store: S3Store) -> None:
    store.put_bytes(KEY, BODY, "audio/flac")
    store.prefix = "elsewhere/"
    assert not store.exists(KEY)


def test_a_presigned_download_has_its_name_and_resumes(store: S3Store) -> None:
    store.put_bytes(KEY, BODY, "application/octet-stream")
    name = "01 海潮乐团 – 潮汐.flac"
    url = store.download_url(KEY, filename=name, content_type="audio/flac", seconds=60)

    status, headers, body = _get(url)
    assert (status, body, headers["Content-Type"]) == (200, BODY, "audio/flac")
    disposition = headers["Content-Disposition"]
    assert unquote(disposition.split("filename*=UTF-8''")[1]) == name
    assert disposition.isascii()
    assert headers["Accept-Ranges"] == "bytes"

    status, headers, body = _get(url, Range="bytes=1000-")
    assert (status, body) == (206, BODY[1000:])
    assert headers["Content-Range"] == f"bytes 1000-{len(BODY) - 1}/{len(BODY)}"
    assert _get(url, Range="bytes=9999-")[0] == 416


def test_a_presigned_download_opens_its_own_object_only(store: S3Store) -> None:
    other = keys.master(SHA)
    store.put_bytes(KEY, BODY, "audio/flac")
    store.put_bytes(other, BODY, "audio/flac")
    url = store.download_url(KEY, filename="a.flac", content_type="audio/flac", seconds=60)
    assert _get(url.replace(KEY, other))[0] == 403
    assert _get(url.replace("a.flac", "b.flac"))[0] == 403
    assert _get(url.split("?")[0])[0] == 403


@pytest.mark.parametrize(("region", "told"), [("us-east-1", False), ("auto", False), ("eu-central-1", True)])
def test_a_bucket_is_made_in_the_region_that_is_set(settings: Settings, region: str, told: bool) -> None:
    anew = S3Store(
        endpoint_url=settings.s3_endpoint_url,
        bucket=f"in-{region}",
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
        region=region,
    )
    sent: list[bytes] = []
    anew._client.meta.events.register("before-send.s3.CreateBucket", lambda request, **_: sent.append(request.body))
    for _twice in range(2):
        anew.ensure_bucket()
    assert [f"<LocationConstraint>{region}<".encode() in (body or b"") for body in sent] == [told]
    anew.put_bytes(KEY, BODY, "audio/flac")
    assert anew.get_bytes(KEY) == BODY


def test_a_store_that_cannot_be_reached_is_a_store_error() -> None:
    away = S3Store(endpoint_url="http://127.0.0.1:9", bucket="b", access_key="a", secret_key="s")
    for ask in (away.head, away.get_bytes, lambda key: list(away.list(key)), lambda _key: away.ensure_bucket()):
        with pytest.raises(StoreError, match="cannot be reached"):
            ask(KEY)


def test_wrong_keys_to_the_store_are_a_store_error(settings: Settings, tmp_path: Path) -> None:
    stranger = S3Store(
        endpoint_url=settings.s3_endpoint_url, bucket=settings.s3_bucket, access_key="no", secret_key="body"
    )
    with pytest.raises(StoreError, match="refused"):
        stranger.get_bytes(KEY)
    with pytest.raises(StoreError, match="refused"):
        list(stranger.list(""))
    with pytest.raises(StoreError, match="refused"):
        stranger.put_stream(KEY, io.BytesIO(BODY), "audio/flac")
    (tmp_path / "a").write_bytes(BODY)
    with pytest.raises(StoreError, match="refused"):
        stranger.put_file(KEY, tmp_path / "a", "audio/flac")


@pytest.mark.parametrize(
    ("filename", "plain", "extended"),
    [
        ("song.flac", "song.flac", "song.flac"),
        ("01 Mira Sol – Tides.flac", "01 Mira Sol - Tides.flac", "01 Mira Sol – Tides.flac"),
        ("潮汐.flac", "download.flac", "潮汐.flac"),
        ("Café.mp3", "Cafe.mp3", "Café.mp3"),
        ("01 Ada – Tide’s End….flac", "01 Ada - Tide's End....flac", "01 Ada – Tide’s End….flac"),
        ('a"b.flac', "ab.flac", "ab.flac"),
        ("../../etc/passwd", "etcpasswd", "etcpasswd"),
        ("..\\..\\boot.ini", "boot.ini", "boot.ini"),
        ("a\r\nSet-Cookie: x=1.flac", "aSet-Cookie: x=1.flac", "aSet-Cookie: x=1.flac"),
        ("a\x00b\x7f.flac", "ab.flac", "ab.flac"),
        ("\u202egnp.exe", "gnp.exe", "gnp.exe"),
        ("", "download", "download"),
        ("...", "download", "download"),
        (".flac", "flac", "flac"),
        ("100%.flac", "100%.flac", "100%.flac"),
        ("𝄞.opus", "download.opus", "𝄞.opus"),
        ("海.潮", "download", "海.潮"),
    ],
)
def test_the_header_carries_any_name_and_nothing_else(filename: str, plain: str, extended: str) -> None:
    header = content_disposition(filename)
    assert header.isascii()
    assert header.isprintable()
    quoted, encoded = header.removeprefix('attachment; filename="').split("\"; filename*=UTF-8''")
    assert quoted == plain
    assert unquote(encoded) == extended


def test_an_expired_presigned_download_is_refused(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.auth

    store.put_bytes(KEY, BODY, "audio/flac")
    yesterday = datetime(2020, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: yesterday, raising=False)
    url = store.download_url(KEY, filename="a.flac", content_type="audio/flac", seconds=60)
    assert "20200101" in url
    assert _get(url)[0] == 403


def test_a_walk_tells_size_and_age(store: S3Store) -> None:
    store.put_bytes(KEY, BODY, "audio/flac")
    store.put_bytes(keys.master(SHA), b"x", "audio/flac")
    found = list(store.walk(""))
    assert [(each.key, each.size) for each in found] == [(KEY, len(BODY)), (keys.master(SHA), 1)]
    assert all(abs((datetime.now(UTC) - each.stored_at).total_seconds()) < 60 for each in found)


def test_what_lies_there_for_long_is_written_again(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put_bytes(KEY, b"first", "audio/flac")
    store.put_bytes(KEY, b"other", "audio/flac")
    assert store.get_bytes(KEY) == b"first", "a repeated write is skipped"
    monkeypatch.setattr(s3, "_LATELY", timedelta(0))
    store.put_bytes(KEY, b"other", "audio/flac")
    assert store.get_bytes(KEY) == b"other", "the sweep goes by age: what is needed again must be young again"


def test_a_check_says_when_the_store_is_gone(settings: Settings, store: S3Store) -> None:
    store.check()
    told: list[str] = []
    gone = S3Store(endpoint_url="http://127.0.0.1:9", bucket="b", access_key="k", secret_key="s", on_error=told.append)
    with pytest.raises(StoreError, match="cannot be reached"):
        gone.check()
    refused = S3Store(
        endpoint_url=settings.s3_endpoint_url, bucket="b", access_key="k", secret_key="s", on_error=told.append
    )
    with pytest.raises(StoreError):
        refused.get_bytes(KEY)
    assert told == ["refused"]


def test_what_the_key_does_not_say_the_object_carries(store: S3Store, tmp_path: Path) -> None:
    folder = keys.stream_prefix(SHA)
    (tmp_path / "segment").write_bytes(BODY)
    store.put_bytes(keys.stream_member(folder, "multivariant.m3u8"), b"#EXTM3U\n", "text/plain")
    store.put_file(keys.stream_member(folder, "a/00001.m4s"), tmp_path / "segment", "video/iso.segment")
    assert store.head(f"{folder}multivariant.m3u8").sha256 == hashlib.sha256(b"#EXTM3U\n").hexdigest()
    store.put_stream(keys.stream_member(folder, "a/index.m3u8"), io.BytesIO(BODY), "text/plain")
    assert store.head(f"{folder}a/00001.m4s").sha256 == store.head(f"{folder}a/index.m3u8").sha256 == SHA
    assert store.get_bytes(f"{folder}a/index.m3u8") == BODY
    store.put_bytes(KEY, b"damaged", "audio/flac")
    assert store.head(KEY).sha256 == SHA, "what ought to lie there"
