"""Signed, expiring path prefixes: one signature opens one stream's folder and nothing else.

A media URL is `/media/<expires>.<session>.<signature>/<prefix><file>`. The signature is HMAC-SHA256, in
URL-safe base64 without padding, over `<expires>\\n<session>\\n<prefix>`, so the edge can check it from the
path alone, with no call to the shop.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

from media_store.errors import BadSignature

# nginx/nginx.conf.template holds the same expressions; a test holds them to these.
_TOKEN = re.compile(r"(?P<expires>[1-9][0-9]{0,11})\.(?P<session>[A-Za-z0-9]{16})\.(?P<signature>[A-Za-z0-9_-]{43})")
_PREFIX = re.compile(r"(?:streams/[0-9a-f]{64}/)")
_FILE = re.compile(
    r"(?:[a-z0-9][a-z0-9_-]{0,40}/){0,2}[a-z0-9][a-z0-9_-]{0,40}\.(?:m3u8|m4s|mp4|vtt)"
    r"|key/(?P<key_number>0|[1-9][0-9]{0,5})\.key"
)


@dataclass(frozen=True, slots=True)
class SignedPath:
    """A media path whose signature holds."""

    session: str
    prefix: str
    file: str

    @property
    def key(self) -> str:
        """The object the path names."""
        return self.prefix + self.file

    @property
    def key_number(self) -> int | None:
        """Which of the stream's content keys the path asks for; None where it names an object."""
        number = _FILE.fullmatch(self.file)
        return int(number["key_number"]) if number and number["key_number"] else None


def _mac(secret: str, expires: int, session: str, prefix: str) -> str:
    message = f"{expires}\n{session}\n{prefix}".encode()
    digest = hmac.new(secret.encode(), message, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def sign(secret: str, *, prefix: str, session: str, expires: int) -> str:
    """The path of a prefix, open to the play session until `expires` (Unix seconds)."""
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"not a stream prefix: {prefix!r}")
    return f"/media/{expires}.{session}.{_mac(secret, expires, session, prefix)}/{prefix}"


def verify(secrets: Sequence[str], token: str, path: str, *, now: int) -> SignedPath:
    """Check a media path against the secrets in force; raise BadSignature unless every part holds.

    `path` is what follows the token. It must be exactly a stream prefix and one of its files, so dots,
    doubled slashes, encoded separators and masters match nothing.
    """
    parts = _TOKEN.fullmatch(token)
    split = re.fullmatch(r"(streams/[0-9a-f]{64}/)(.+)", path)
    if not parts or not split or not _FILE.fullmatch(split[2]):
        raise BadSignature("not a media path")
    expires = int(parts["expires"])
    good = False
    for secret in secrets:
        expected = _mac(secret, expires, parts["session"], split[1])
        good |= hmac.compare_digest(expected, parts["signature"])
    if not good:
        raise BadSignature("the signature does not match")
    if now >= expires:
        raise BadSignature("the link has expired")
    return SignedPath(parts["session"], split[1], split[2])
