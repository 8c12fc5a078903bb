"""Uploads in parts against a real S3 server: what it takes, what it refuses, what the bucket is told."""

from __future__ import annotations

import hashlib
from email.message import Message
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from app.settings import Settings
from media_store import bucket, keys
from media_store.errors import ObjectMissing, StoreError
from media_store.multipart import MIN_PART, SignedPut, StoredPart, part_size_for
from media_store.s3 import S3Store

KEY = keys.upload("abcdefgh12345678")
MIB = 1024**2


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def put(signed: SignedPut, data: bytes, **headers: str) -> tuple[int, Message]:
    request = Request(signed.url, data=data, method="PUT", headers=signed.headers | headers)  # noqa: S310
    try:
        with urlopen(request, timeout=30) as answer:  # noqa: S310  # the test's own store
            return answer.status, answer.headers
    except HTTPError as error:
        return error.code, error.headers


def sign(store: S3Store, upload_id: str, number: int, data: bytes) -> SignedPut:
    return store.multipart.sign(KEY, upload_id, number, size=len(data), sha256=digest(data), seconds=60)


def test_parts_become_one_object(store: S3Store) -> None:
    parts = {1: b"a" * MIN_PART, 2: b"b" * MIN_PART, 3: b"the rest"}
    upload_id = store.multipart.begin(KEY)
    for number in (3, 1, 2):  # in any order
        status, headers = put(sign(store, upload_id, number, parts[number]), parts[number], Origin="http://a.example")
        assert status == 200
        assert headers["ETag"]
    found = store.multipart.parts(KEY, upload_id)
    assert [(part.number, part.size) for part in found.values()] == [(1, MIN_PART), (2, MIN_PART), (3, 8)]
    assert [begun.key for begun in store.multipart.begun("uploads/")] == [KEY]
    digests = {number: digest(data) for number, data in parts.items()}
    for _again in range(2):
        store.multipart.complete(KEY, upload_id, found, digests)
    assert store.get_bytes(KEY) == b"".join(parts.values())
    assert list(store.multipart.begun("uploads/")) == []


def test_only_the_bytes_that_were_announced_are_taken(store: S3Store) -> None:
    upload_id = store.multipart.begin(KEY)
    data = b"x" * 1000
    signed = sign(store, upload_id, 1, data)
    assert put(signed, data[:-1] + b"y")[0] == 400  # one wrong byte
    assert put(signed, data + b"x")[0] == 403  # longer than signed
    assert put(SignedPut(signed.url, {}), data)[0] == 403  # no checksum
    assert put(SignedPut(signed.url.replace("partNumber=1", "partNumber=2"), signed.headers), data)[0] == 403
    assert store.multipart.parts(KEY, upload_id) == {}
    assert put(signed, data)[0] == 200
    assert put(signed, data)[0] == 200  # a repetition is no harm
    assert list(store.multipart.parts(KEY, upload_id)) == [1]


def test_a_listing_has_no_end_at_a_thousand(store: S3Store) -> None:
    upload_id = store.multipart.begin(KEY)
    for number in range(1, 1004):
        assert put(sign(store, upload_id, number, b"x"), b"x")[0] == 200
    assert list(store.multipart.parts(KEY, upload_id)) == list(range(1, 1004))
    store.multipart.abort(KEY, upload_id)


def test_a_part_that_is_not_there_makes_no_object(store: S3Store) -> None:
    upload_id = store.multipart.begin(KEY)
    with pytest.raises(StoreError):
        store.multipart.complete(KEY, upload_id, {1: StoredPart(1, 3, "0" * 32)}, {1: digest(b"abc")})
    assert not store.exists(KEY)


def test_an_aborted_upload_is_gone(store: S3Store) -> None:
    upload_id = store.multipart.begin(KEY)
    put(sign(store, upload_id, 1, b"abc"), b"abc")
    for _again in range(2):
        store.multipart.abort(KEY, upload_id)
    with pytest.raises(ObjectMissing):
        store.multipart.parts(KEY, upload_id)
    assert list(store.multipart.begun("uploads/")) == []


@pytest.mark.parametrize(
    ("size", "least", "part"),
    [
        (1, 16 * MIB, 16 * MIB),
        (50 * 1024**3, 16 * MIB, 16 * MIB),
        (50 * 1024**3, 1, 6 * MIB),
        (60_000 * MIB, MIN_PART, 6 * MIB),
        (1024**4, 16 * MIB, 105 * MIB),
    ],
)
def test_the_size_of_a_part(size: int, least: int, part: int) -> None:
    assert part_size_for(size, least) == part
    assert -(-size // part) <= 10_000


def test_the_bucket_is_told_once_and_keeps_what_others_said(settings: Settings, store: S3Store) -> None:
    client = store._client
    name = "rules-of-others"
    client.create_bucket(Bucket=name)
    other = {"ID": "theirs", "AllowedOrigins": ["https://other.example"], "AllowedMethods": ["GET"]}
    client.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [other]})
    for base_url in ("https://shop.example", "http://127.0.0.1:8000", "https://shop.example"):
        assert bucket.allow_uploads(client, name, base_url)
    theirs, ours = client.get_bucket_cors(Bucket=name)["CORSRules"]
    assert theirs["AllowedOrigins"] == ["https://other.example"]
    assert ours["AllowedOrigins"] == ["http://127.0.0.1:8000", "http://localhost:8000", "https://shop.example"]
    assert "ETag" in ours["ExposeHeaders"]

    for days in (3, 3, 5):
        assert bucket.expire_uploads(client, name, "uploads/", days)
    (rule,) = client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 5}
    client.delete_bucket(Bucket=name)
    assert not bucket.allow_uploads(client, name, "https://shop.example")  # and no more than a word in the log
