"""The store on any S3, through boto3."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import boto3
from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from media_store import bucket as bucket_rules
from media_store import keys
from media_store.errors import ObjectMissing, StoreError
from media_store.interface import ObjectBody, ObjectInfo, StoredObject
from media_store.multipart import Multipart

_CHUNK = 256 * 1024
_TYPOGRAPHY = str.maketrans({"–": "-", "—": "-", "‘": "'", "’": "'", "…": "..."})
_SHA256 = "sha256"  # among an object's metadata
_MISSING = {"404", "NoSuchKey", "NoSuchUpload", "NotFound"}
# An older object is written again even where it has the right size: nothing may need it yet, and the sweep, which
# goes by age, could be about to remove it. A job that is repeated is repeated sooner.
_LATELY = timedelta(hours=1)


class S3Store:
    """MediaStore on one bucket. `prefix` is put before every key, so that tests can share a server.

    `on_error` is told each time the store fails us: `refused`, or `unreachable`.
    """

    def __init__(
        self,
        *,
        endpoint_url: str | None,
        bucket: str,
        access_key: str,
        secret_key: str,
        region: str = "us-east-1",
        prefix: str = "",
        public_endpoint_url: str | None = None,
        on_error: Callable[[str], None] = lambda _kind: None,
    ) -> None:
        self.bucket = bucket
        self.prefix = prefix
        self._on_error = on_error

        def client(endpoint: str | None, *, attempts: int = 5, connect: float = 5, read: float = 60) -> Any:
            return boto3.client(
                "s3",
                endpoint_url=endpoint,
                aws_access_key_id=access_key,
                aws_secret_access_key=secret_key,
                region_name=region,
                config=Config(
                    signature_version="s3v4",
                    s3={"addressing_style": "path"},
                    retries={"max_attempts": attempts, "mode": "standard"},
                    connect_timeout=connect,
                    read_timeout=read,
                    max_pool_connections=32,
                ),
            )

        self._client = client(endpoint_url)
        # AWS makes a bucket where it is told to; in its first region, and at stores without regions, it must not be.
        here = region not in ("us-east-1", "auto")
        self._location = {"CreateBucketConfiguration": {"LocationConstraint": region}} if here else {}
        self._open_impatient = lambda: client(endpoint_url, attempts=1, connect=2, read=2)
        # URLs are signed for the address the browser will use: the host is part of the signature.
        self._public = client(public_endpoint_url) if public_endpoint_url else self._client
        self.multipart = Multipart(self._client, self._public, self._call, bucket=bucket, prefix=prefix)
        self._transfer = TransferConfig(multipart_threshold=16 * 1024**2, multipart_chunksize=16 * 1024**2)

    def ensure_bucket(self) -> None:
        """Make the bucket where it is missing."""
        try:
            self._client.head_bucket(Bucket=self.bucket)
        except ClientError as error:
            if _code(error) not in _MISSING | {"NoSuchBucket"}:
                raise _refused(error, self.bucket) from error
            try:
                self._client.create_bucket(Bucket=self.bucket, **self._location)
            except ClientError as again:
                if _code(again) not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                    raise _refused(again, self.bucket) from again
        except BotoCoreError as error:
            raise StoreError(f"The object store cannot be reached: {error}") from error

    def receive_uploads(self, base_url: str, *, keep_days: int) -> None:
        """Tell the bucket that pages of that address may send to it, and to drop what stays half-sent for so long.

        A store that takes no such rules is left as it is, and the log says what to set by hand.
        """
        bucket_rules.allow_uploads(self._client, self.bucket, base_url)
        bucket_rules.expire_uploads(self._client, self.bucket, f"{self.prefix}uploads/", keep_days)

    def check(self) -> None:
        """Raise StoreError unless the bucket answers within about two seconds."""
        try:
            self._impatient.head_bucket(Bucket=self.bucket)
        except ClientError as error:
            raise _refused(error, self.bucket) from error
        except BotoCoreError as error:
            raise StoreError(f"The object store cannot be reached: {error}") from error

    @cached_property
    def _impatient(self) -> Any:
        return self._open_impatient()

    def put_file(self, key: str, path: Path, content_type: str) -> None:
        """Store a file; the same object, stored within the last hour, is left alone."""
        label = _label(key, path)
        if self._has(key, path.stat().st_size, label):
            return
        self._call(
            key,
            self._client.upload_file,
            str(path),
            self.bucket,
            self.prefix + key,
            ExtraArgs={"ContentType": content_type, "Metadata": label},
            Config=self._transfer,
        )

    def put_bytes(self, key: str, data: bytes, content_type: str) -> None:
        """Store bytes; the same object, stored within the last hour, is left alone."""
        label = _label(key, data)
        if self._has(key, len(data), label):
            return
        self._call(
            key,
            self._client.put_object,
            Bucket=self.bucket,
            Key=self.prefix + key,
            Body=data,
            ContentType=content_type,
            Metadata=label,
        )

    def put_stream(self, key: str, source: BinaryIO, content_type: str) -> None:
        """Store what `source` yields, in parts, replacing what was there."""
        self._call(
            key,
            self._client.upload_fileobj,
            source,
            self.bucket,
            self.prefix + key,
            ExtraArgs={"ContentType": content_type, "Metadata": _label(key, source)},
            Config=self._transfer,
        )

    def get_file(self, key: str, path: Path) -> None:
        """Fetch an object into a file."""
        self._call(key, self._client.download_file, self.bucket, self.prefix + key, str(path), Config=self._transfer)

    def get_bytes(self, key: str) -> bytes:
        """Fetch a small object whole."""
        return b"".join(self.open(key).chunks)

    def open(self, key: str, byte_range: tuple[int | None, int | None] | None = None) -> ObjectBody:
        """Read an object or a part of it; see MediaStore.open."""
        extra = {"Range": _range_header(byte_range)} if byte_range else {}
        answer = self._call(key, self._client.get_object, Bucket=self.bucket, Key=self.prefix + key, **extra)
        length = int(answer["ContentLength"])
        start, total = 0, length
        if "ContentRange" in answer:  # "bytes 10-19/1000"
            span, size = answer["ContentRange"].removeprefix("bytes ").split("/")
            start, total = int(span.split("-")[0]), int(size)
        info = ObjectInfo(size=total, content_type=answer["ContentType"], etag=answer["ETag"])
        return ObjectBody(info, start, start + length - 1, _chunks(key, answer["Body"]))

    def head(self, key: str) -> ObjectInfo:
        """What is known of an object without reading it."""
        answer = self._call(key, self._client.head_object, Bucket=self.bucket, Key=self.prefix + key)
        known = keys.digest(key) or answer.get("Metadata", {}).get(_SHA256)
        return ObjectInfo(answer["ContentLength"], answer["ContentType"], answer["ETag"], known)

    def exists(self, key: str) -> bool:
        """Whether an object lies under the key."""
        try:
            self.head(key)
        except ObjectMissing:
            return False
        return True

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        self._call(key, self._client.delete_object, Bucket=self.bucket, Key=self.prefix + key)

    def list(self, prefix: str) -> Iterator[str]:
        """The keys under a prefix, in order."""
        return (found.key for found in self.walk(prefix))

    def walk(self, prefix: str) -> Iterator[StoredObject]:
        """The objects under a prefix, in the order of their keys."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix)
        walk = iter(pages)
        while page := self._call(prefix, next, walk, None):
            for item in page.get("Contents", []):
                yield StoredObject(item["Key"][len(self.prefix) :], item["Size"], item["LastModified"])

    def download_url(self, key: str, *, filename: str, content_type: str, seconds: int) -> str:
        """A presigned GET; see MediaStore.download_url."""
        return str(
            self._public.generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": self.bucket,
                    "Key": self.prefix + key,
                    "ResponseContentDisposition": content_disposition(filename),
                    "ResponseContentType": content_type,
                },
                ExpiresIn=seconds,
            )
        )

    def _has(self, key: str, size: int, label: dict[str, str]) -> bool:
        try:
            found = self._call(key, self._client.head_object, Bucket=self.bucket, Key=self.prefix + key)
        except ObjectMissing:
            return False
        known = found.get("Metadata", {})
        same = found["ContentLength"] == size and all(known.get(name) == value for name, value in label.items())
        return bool(same and datetime.now(UTC) - found["LastModified"] < _LATELY)

    def _call(self, key: str, method: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except ClientError as error:
            if _code(error) == "InvalidRange":
                raise ValueError(f"the range lies outside {key}") from error
            if _code(error) in _MISSING:
                raise ObjectMissing(f"The store has no object {key}.") from error
            self._on_error("refused")
            raise _refused(error, key) from error
        except S3UploadFailedError as error:  # boto3's own, around a ClientError that it keeps only as text
            self._on_error("refused")
            raise StoreError(f"The object store refused {key}: {error}") from error
        except BotoCoreError as error:
            self._on_error("unreachable")
            raise StoreError(f"The object store cannot be reached: {error}") from error


def _label(key: str, body: Path | bytes | BinaryIO) -> dict[str, str]:
    """What goes with an object whose key doesn't say its SHA-256: that, unless the source can't be read twice."""
    if keys.digest(key) is not None:
        return {}
    if isinstance(body, bytes):
        return {_SHA256: hashlib.sha256(body).hexdigest()}
    if isinstance(body, Path):
        with body.open("rb") as file:
            return {_SHA256: hashlib.file_digest(file, "sha256").hexdigest()}
    if not body.seekable():
        return {}
    began, digest = body.tell(), hashlib.sha256()
    while chunk := body.read(_CHUNK):
        digest.update(chunk)
    body.seek(began)
    return {_SHA256: digest.hexdigest()}


def _chunks(key: str, body: Any) -> Iterator[bytes]:
    """The body's bytes; a connection that breaks in the middle is a StoreError, never a short object."""
    try:
        yield from body.iter_chunks(_CHUNK)
    except BotoCoreError as error:
        raise StoreError(f"The object store broke off within {key}: {error}") from error
    finally:
        body.close()


def content_disposition(filename: str) -> str:
    """The header that saves a download under `filename`, whatever script it is in (RFC 6266, RFC 8187).

    Path separators, quotes and control characters never reach the header.
    """
    clean = "".join(c for c in filename if c not in '/\\"' and unicodedata.category(c)[0] != "C").strip()
    clean = clean.lstrip(".") or "download"
    plain = unicodedata.normalize("NFKD", clean.translate(_TYPOGRAPHY)).encode("ascii", "ignore").decode().strip()
    stem = plain.rsplit(".", 1)[0]
    if not any(c.isalnum() for c in stem):
        suffix = clean.rsplit(".", 1)[-1] if "." in clean else ""
        plain = f"download.{suffix}" if suffix.isascii() and suffix else "download"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe='')}"


def _range_header(byte_range: tuple[int | None, int | None]) -> str:
    first, last = byte_range
    if first is None:
        return f"bytes=-{last}"
    return f"bytes={first}-{'' if last is None else last}"


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _refused(error: ClientError, what: str) -> StoreError:
    return StoreError(f"The object store refused {what}: {error.response.get('Error', {}).get('Message')}")
