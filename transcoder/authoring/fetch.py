"""Fetching what a stranger serves: bounded in size, time and number, and with what the server said beside the bytes."""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

MAX_PLAYLIST = 8 * 1024**2
MAX_INIT = 1024**2
MAX_SEGMENT = 96 * 1024**2
MAX_REDIRECTS = 5
_CONNECT_SECONDS, _READ_SECONDS = 10, 30


class FetchFailed(Exception):
    """What was asked for didn't come; the message says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came. `encoding` is the Content-Encoding as sent, `body` is decoded; `redirects` counts the detours."""

    url: str
    status: int
    content_type: str
    encoding: str
    redirects: int
    body: bytes


class Fetcher:
    """Gets things over HTTP. `seconds` and `total` (bytes) bound the whole run, not one request."""

    def __init__(self, session: requests.Session | None = None, *, seconds: float = 900, total: int = 16 * 1024**3):
        self._session = session or requests.Session()
        self._deadline = time.monotonic() + seconds
        self._left = total

    def playlist(self, url: str) -> Answer:
        """A playlist, asked for with gzip."""
        return self._get(url, MAX_PLAYLIST, {"Accept-Encoding": "gzip"})

    def media(self, url: str, byterange: tuple[int, int] | None = None, *, most: int = MAX_SEGMENT) -> Answer:
        """A segment or an init section, or `(first byte, length)` of one."""
        headers = {"Accept-Encoding": "identity"}
        if byterange is not None:
            first, length = byterange
            if length > most:
                raise FetchFailed(f"a byte range of {length} bytes is more than is read")
            headers["Range"] = f"bytes={first}-{first + length - 1}"
        answer = self._get(url, most, headers)
        if byterange is None:
            return answer
        if answer.status != 206:
            raise FetchFailed(f"{url}: asked for a byte range, the server answered {answer.status}")
        if len(answer.body) != byterange[1]:
            raise FetchFailed(f"{url}: asked for {byterange[1]} bytes, {len(answer.body)} came")
        return answer

    def key(self, url: str) -> bytes:
        """A key of 16 bytes."""
        body = self._get(url, 1024, {"Accept-Encoding": "identity"}).body
        if len(body) != 16:
            raise FetchFailed(f"{url}: a key has 16 bytes, {len(body)} came")
        return body

    def _get(self, url: str, most: int, headers: dict[str, str]) -> Answer:
        for redirects in range(MAX_REDIRECTS + 1):
            if urlsplit(url).scheme not in ("http", "https"):
                raise FetchFailed(f"{url}: only http and https are fetched")
            try:
                response = self._session.get(
                    url,
                    headers=headers,
                    stream=True,
                    allow_redirects=False,
                    timeout=(_CONNECT_SECONDS, _READ_SECONDS),
                )
                with response:
                    if response.is_redirect:
                        url = urljoin(url, response.headers["Location"])
                        continue
                    if response.status_code not in (200, 206):
                        raise FetchFailed(f"{url}: the server answered {response.status_code}")
                    encoding = response.headers.get("Content-Encoding", "").strip().lower()
                    return Answer(
                        url=url,
                        status=response.status_code,
                        content_type=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
                        encoding=encoding,
                        redirects=redirects,
                        body=self._read(url, response, most, encoding),
                    )
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError, zlib.error) as error:
                raise FetchFailed(f"{url}: {error}") from error
        raise FetchFailed(f"{url}: redirected more than {MAX_REDIRECTS} times")

    def _read(self, url: str, response: requests.Response, most: int, encoding: str) -> bytes:
        """The body, decoded here and not by requests, so that a small gzip cannot become a large memory."""
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise FetchFailed(f"{url}: sent with Content-Encoding {encoding}, which nobody asked for")
        unpack = zlib.decompressobj(zlib.MAX_WBITS | 16) if "gzip" in encoding else None
        body = bytearray()
        for chunk in response.raw.stream(64 * 1024, decode_content=False):
            self._left -= len(chunk)
            if self._left < 0:
                raise FetchFailed("the stream holds more than is read in one run")
            if time.monotonic() > self._deadline:
                raise FetchFailed("the stream takes longer than is allowed for one run")
            while chunk:
                if unpack is None:
                    body += chunk
                    chunk = b""
                else:
                    body += unpack.decompress(chunk, most + 1 - len(body))
                    chunk = unpack.unconsumed_tail
                if len(body) > most:
                    raise FetchFailed(f"{url}: more than {most} bytes")
        if unpack is not None and not unpack.eof:
            raise FetchFailed(f"{url}: the gzip stream breaks off")
        return bytes(body)
