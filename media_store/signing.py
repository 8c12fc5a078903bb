"""Signed, expiring path prefixes: one signature opens one stream's folder and nothing else.

A media URL is `/media/<last>.<session>.<signature>/<prefix><file>`. `last` is the last second (Unix) in which it opens.
The signature is the name of the secret that made it (8 hexadecimal digits: nginx chooses one of two keys by it) and, in
URL-safe base64 without padding, a MAC that `secure_link` can check from the path alone, with no call to the shop:

    MD5(key " " last " " session " " prefix " " key)

Key and name are SHA-256 of a label and the secret, in hexadecimal: 256 bits whatever characters the secret holds, none
of which nginx's configuration would expand. The key fills MD5's first block and stands at the end too, so that nothing
can be appended; collisions of MD5 are no use, for the shop alone chooses what is signed (docs/adr/0010-edge.md).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

from media_store.errors import BadSignature

# nginx/nginx.conf.template holds the same expressions; a test holds them to these. 22 characters carry 132 bits, MD5
# has 128: a last character with a bit too many would be a second spelling, which base64 decoders let pass.
_TOKEN = re.compile(
    r"(?P<last>[1-9][0-9]{0,11})\.(?P<session>[A-Za-z0-9]{16})"
    r"\.(?P<name>[0-9a-f]{8})(?P<mac>[A-Za-z0-9_-]{21}[AQgw])"
)
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


def _derived(what: str, secret: str) -> str:
    """The key or the name of a secret. nginx/start derives the same with sha256sum; a test holds it to this."""
    return hashlib.sha256(f"wavecrate media {what}\n{secret}".encode()).hexdigest()


def _signature(secret: str, last: int, session: str, prefix: str) -> str:
    key, name = _derived("key", secret), _derived("name", secret)[:8]
    digest = hashlib.md5(f"{key} {last} {session} {prefix} {key}".encode()).digest()  # noqa: S324  # see above
    return name + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def sign(secret: str, *, prefix: str, session: str, expires: int) -> str:
    """The path of a prefix, open to the play session until `expires` (Unix seconds), when it is closed."""
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"not a stream prefix: {prefix!r}")
    last = expires - 1  # secure_link opens in the second that a path names
    return f"/media/{last}.{session}.{_signature(secret, last, session, prefix)}/{prefix}"


def verify(secrets: Sequence[str], token: str, path: str, *, now: int) -> SignedPath:
    """Check a media path against the secrets in force; raise BadSignature unless every part holds.

    `path` is what follows the token. It must be exactly a stream prefix and one of its files, so dots,
    doubled slashes, encoded separators and masters match nothing.
    """
    parts = _TOKEN.fullmatch(token)
    split = re.fullmatch(r"(streams/[0-9a-f]{64}/)(.+)", path)
    if not parts or not split or not _FILE.fullmatch(split[2]):
        raise BadSignature("not a media path")
    last, given = int(parts["last"]), parts["name"] + parts["mac"]
    good = False
    for secret in secrets:
        good |= hmac.compare_digest(_signature(secret, last, parts["session"], split[1]), given)
    if not good:
        raise BadSignature("the signature does not match")
    if now > last:
        raise BadSignature("the link has expired")
    return SignedPath(parts["session"], split[1], split[2])
