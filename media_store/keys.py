"""Object keys: the only place that makes one.

Everything is addressed by its content (SHA-256, hex), so writing the same thing twice writes it once,
and no key is ever built from a file name or another string that came from outside.
"""

from __future__ import annotations

import re

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SUFFIX = re.compile(r"[a-z0-9]{2,5}")
_MEMBER = re.compile(r"(?:[a-z0-9][a-z0-9_-]{0,40}/){0,2}[a-z0-9][a-z0-9_-]{0,40}\.[a-z0-9]{2,5}")

UPLOADS = "uploads/"  # what a browser sends lies under it until it is a master


def _hash(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"not a SHA-256 in hex: {sha256!r}")
    return sha256


def _suffix(suffix: str) -> str:
    if not _SUFFIX.fullmatch(suffix):
        raise ValueError(f"not a plain file suffix: {suffix!r}")
    return suffix


def master(sha256: str) -> str:
    """Where a master lies. Never under a prefix that a streaming URL can name."""
    return f"masters/{_hash(sha256)}"


def cover(sha256: str, suffix: str = "jpg") -> str:
    """Where a cover, poster or thumbnail strip lies."""
    return f"images/{_hash(sha256)}.{_suffix(suffix)}"


def download(sha256: str, suffix: str) -> str:
    """Where a DRM-free file lies."""
    return f"downloads/{_hash(sha256)}.{_suffix(suffix)}"


def archive(sha256: str) -> str:
    """Where the ZIP of a whole release lies."""
    return f"archives/{_hash(sha256)}.zip"


def preview(sha256: str, suffix: str) -> str:
    """Where a 30-second preview lies."""
    return f"previews/{_hash(sha256)}.{_suffix(suffix)}"


def stream_prefix(manifest_sha256: str) -> str:
    """The folder of one packaged stream; everything under it is encrypted or a playlist."""
    return f"streams/{_hash(manifest_sha256)}/"


def stream_member(prefix: str, name: str) -> str:
    """A file within a stream's folder, such as `aac-128/00001.m4s`."""
    if not re.fullmatch(r"streams/[0-9a-f]{64}/", prefix):
        raise ValueError(f"not a stream prefix: {prefix!r}")
    if not _MEMBER.fullmatch(name):
        raise ValueError(f"not a stream member: {name!r}")
    return prefix + name


def upload(upload_id: str) -> str:
    """Where a browser's upload waits until it is probed and becomes a master."""
    if not re.fullmatch(r"[A-Za-z0-9]{16}", upload_id):
        raise ValueError(f"not an upload id: {upload_id!r}")
    return f"{UPLOADS}{upload_id}"


def digest(key: str) -> str | None:
    """The SHA-256 of what must lie under the key, where the key says so; a stream's members and uploads don't."""
    said = re.fullmatch(r"(?:masters|images|downloads|archives|previews)/([0-9a-f]{64})(?:\.[a-z0-9]{2,5})?", key)
    return said[1] if said else None


def unit(key: str) -> str:
    """What is kept or removed as one: a stream's folder for its members, else the key itself."""
    member = re.match(r"streams/[^/]+/", key)
    return member[0] if member else key
