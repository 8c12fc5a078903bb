"""What the rest of the house may ask of the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from media_store.multipart import Multipart


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """Size in bytes, content type and entity tag of a stored object, and its SHA-256 in hex where that is known."""

    size: int
    content_type: str
    etag: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a listing shows it: `size` in bytes, `stored_at` when it was last written (UTC, aware)."""

    key: str
    size: int
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class ObjectBody:
    """A stored object being read: `chunks` yields its bytes (of `start`..`end`, both included)."""

    info: ObjectInfo
    start: int
    end: int
    chunks: Iterator[bytes]


class MediaStore(Protocol):
    """Objects by key. Every method raises StoreError, or ObjectMissing where the key has none."""

    @property
    def multipart(self) -> Multipart:
        """Objects that a browser sends in parts."""

    def put_file(self, key: str, path: Path, content_type: str) -> None:
        """Store a file; an object lately stored under this content-addressed key is left alone."""

    def put_bytes(self, key: str, data: bytes, content_type: str) -> None:
        """Store bytes; an object lately stored under this content-addressed key is left alone."""

    def put_stream(self, key: str, source: BinaryIO, content_type: str) -> None:
        """Store what `source` yields, in parts, replacing what was there."""

    def get_file(self, key: str, path: Path) -> None:
        """Fetch an object into a file."""

    def get_bytes(self, key: str) -> bytes:
        """Fetch a small object whole."""

    def open(self, key: str, byte_range: tuple[int | None, int | None] | None = None) -> ObjectBody:
        """Read an object, or `(first, last)` of it: `(None, n)` is the last n bytes, `(n, None)` from n on.

        Raises ValueError when the range lies outside the object.
        """

    def head(self, key: str) -> ObjectInfo:
        """What is known of an object without reading it."""

    def exists(self, key: str) -> bool:
        """Whether an object lies under the key."""

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""

    def list(self, prefix: str) -> Iterator[str]:
        """The keys under a prefix, in order."""

    def walk(self, prefix: str) -> Iterator[StoredObject]:
        """The objects under a prefix, in the order of their keys."""

    def download_url(self, key: str, *, filename: str, content_type: str, seconds: int) -> str:
        """A URL that anyone may GET for so long, Range included, saved under `filename` (RFC 6266)."""
