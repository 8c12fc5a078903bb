"""Objects that a browser sends in parts, each part with the SHA-256 that the store is to find."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from media_store.errors import PartDamaged

MAX_PARTS = 10_000
# Of every part but the last one (S3's limit).
MIN_PART = 5 * 1024**2


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part that the store has: its size in bytes and its entity tag."""

    number: int
    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class BegunUpload:
    """An upload that was begun and neither completed nor aborted."""

    key: str
    upload_id: str
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class SignedPut:
    """Where to PUT one part, and the headers that are part of the signature."""

    url: str
    headers: dict[str, str]


def part_size_for(size: int, least: int) -> int:
    """How many bytes each part of a file has: `least`, or as many whole MiB as keep it within 10,000 parts."""
    mebibyte = 1024**2
    share = -(-size // MAX_PARTS)
    return max(least, MIN_PART, -(-share // mebibyte) * mebibyte)


class Multipart:
    """Uploads in parts on one bucket. Every method raises StoreError; ObjectMissing where the upload is gone."""

    def __init__(self, client: Any, public: Any, call: Callable[..., Any], *, bucket: str, prefix: str) -> None:
        self._client, self._public, self._call = client, public, call
        self._bucket, self._prefix = bucket, prefix

    def begin(self, key: str, content_type: str = "application/octet-stream") -> str:
        """Open an upload whose parts carry SHA-256 checksums; return its id."""
        answer = self._call(
            key,
            self._client.create_multipart_upload,
            **self._at(key),
            ContentType=content_type,
            ChecksumAlgorithm="SHA256",
        )
        return str(answer["UploadId"])

    def sign(self, key: str, upload_id: str, number: int, *, size: int, sha256: bytes, seconds: int) -> SignedPut:
        """Let anybody PUT one part for so long: exactly `size` bytes with that SHA-256, or the store refuses it."""
        checksum = b64encode(sha256).decode()
        url = self._public.generate_presigned_url(
            "upload_part",
            Params={
                **self._at(key),
                "UploadId": upload_id,
                "PartNumber": number,
                "ContentLength": size,
                "ChecksumSHA256": checksum,
            },
            ExpiresIn=seconds,
        )
        # The length is signed as well; a browser sets that header itself and lets no script do it.
        return SignedPut(str(url), {"x-amz-checksum-sha256": checksum})

    def parts(self, key: str, upload_id: str) -> dict[int, StoredPart]:
        """The parts the store has, by number; of one that was sent twice, the last."""
        pages = self._client.get_paginator("list_parts").paginate(**self._at(key), UploadId=upload_id)
        found: dict[int, tuple[datetime, StoredPart]] = {}
        walk = iter(pages)
        while page := self._call(key, next, walk, None):
            for item in page.get("Parts", []):
                number, at = int(item["PartNumber"]), item["LastModified"]
                if number not in found or found[number][0] <= at:
                    found[number] = (at, StoredPart(number, int(item["Size"]), item["ETag"].strip('"')))
        return {number: part for number, (_at, part) in sorted(found.items())}

    def complete(self, key: str, upload_id: str, parts: Mapping[int, StoredPart], sha256: Mapping[int, bytes]) -> None:
        """Make the object of its parts. Doing so twice is no error where the store still knows of the first time.

        Where the store says what checksum the whole came to, it is compared: PartDamaged if it differs.
        """
        numbers = sorted(parts)
        listed = [
            {
                "PartNumber": number,
                "ETag": f'"{parts[number].etag}"',
                "ChecksumSHA256": b64encode(sha256[number]).decode(),
            }
            for number in numbers
        ]
        answer = self._call(
            key,
            self._client.complete_multipart_upload,
            **self._at(key),
            UploadId=upload_id,
            MultipartUpload={"Parts": listed},
        )
        told = answer.get("ChecksumSHA256")
        whole = hashlib.sha256(b"".join(sha256[number] for number in numbers)).digest()
        if told and told.partition("-")[0] != b64encode(whole).decode():
            raise PartDamaged(f"The object {key} is not what its parts were.")

    def abort(self, key: str, upload_id: str) -> None:
        """Forget an upload and its parts; one that is gone is no error."""
        self._call(key, self._client.abort_multipart_upload, **self._at(key), UploadId=upload_id)

    def begun(self, prefix: str) -> Iterator[BegunUpload]:
        """The uploads under a prefix that are neither completed nor aborted."""
        pages = self._client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix
        )
        walk = iter(pages)
        while page := self._call(prefix, next, walk, None):
            for item in page.get("Uploads", []):
                yield BegunUpload(item["Key"][len(self._prefix) :], item["UploadId"], item["Initiated"])

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}
