"""Answer a request with an object of the media store: whole, in part, or not at all (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator

from flask import Response
from flask_babel import gettext as _
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from app.core.errors import NotFound
from media_store.errors import ObjectMissing
from media_store.interface import MediaStore, ObjectBody, ObjectInfo

# What lies under a content-addressed key never changes.
IMMUTABLE = "public, max-age=31536000, immutable"

# What stands in a store under a name that stays while the content grows: a playlist of a film on air.
REVALIDATED = "private, no-cache"


_RANGE = re.compile(r"bytes=\s*(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))\s*")


def serve_object(
    store: MediaStore,
    key: str,
    *,
    cache_control: str,
    content_type: str | None = None,
    request_range: str | None = None,
    if_none_match: str | None = None,
    if_range: str | None = None,
    head: bool = False,
) -> Response:
    """The object as a response: 200, 206 for the request's Range, 304 for a known ETag, or 416.

    Takes the request's headers `Range`, `If-None-Match` and `If-Range` as they came; a Range that is malformed
    or asks for several parts is ignored, as the RFC lets a server do. `head` answers without the body. The body
    is streamed, a chunk of the store at a time. Raises NotFound where the store has no such object.
    """
    try:
        if if_none_match is None and not head:
            return _read(store, key, _wanted(request_range), if_range, cache_control, content_type)
        info = store.head(key)
    except ObjectMissing:
        raise NotFound(_("There is nothing at this address. It may have moved, or the link is incomplete.")) from None
    if if_none_match is not None and _matches(if_none_match, info.etag):
        return _describe(Response(status=304), info, cache_control, None)
    if not head:
        return _read(store, key, _wanted(request_range), if_range, cache_control, content_type)
    response = _describe(Response(status=200), info, cache_control, content_type)
    response.headers["Content-Length"] = str(info.size)
    return response


def serve_text(
    store: MediaStore,
    key: str,
    *,
    cache_control: str,
    content_type: str,
    accept_encoding: str | None = None,
    if_none_match: str | None = None,
    head: bool = False,
) -> Response:
    """A small object of text, whole, packed by gzip for who unpacks it: 200, or 304 for a known ETag.

    Takes the request's headers as they came. A packed answer's ETag is weak, since its bytes are not the object's.
    Raises NotFound where the store has no such object.
    """
    try:
        body = store.open(key)
    except ObjectMissing:
        raise NotFound(_("There is nothing at this address. It may have moved, or the link is incomplete.")) from None
    text = b"".join(body.chunks)
    packed = parse_accept_header(accept_encoding, Accept).quality("gzip") > 0
    if if_none_match is not None and _matches(if_none_match, body.info.etag):
        response = _describe(Response(status=304), body.info, cache_control, None)
    else:
        # mtime: the same bytes each time
        response = Response(gzip.compress(text, 6, mtime=0) if packed else text, status=200)
        _describe(response, body.info, cache_control, content_type)
    if packed:
        response.headers["ETag"] = f"W/{body.info.etag}"
        if response.status_code == 200:
            response.headers["Content-Encoding"] = "gzip"
    del response.headers["Accept-Ranges"]
    response.headers["Vary"] = "Accept-Encoding"
    if head:
        response.set_data(b"")
    return response


def _read(
    store: MediaStore,
    key: str,
    wanted: tuple[int | None, int | None] | None,
    if_range: str | None,
    cache_control: str,
    content_type: str | None,
) -> Response:
    if wanted is None:
        return _whole(store.open(key), cache_control, content_type)
    try:
        body = store.open(key, wanted)
    except ValueError:
        info = store.head(key)
        response = _describe(Response(status=416), info, cache_control, content_type)
        response.headers["Content-Range"] = f"bytes */{info.size}"
        return response
    if if_range is not None and if_range.strip() != body.info.etag:
        return _whole(store.open(key), cache_control, content_type)
    response = _describe(Response(_chunks(body), status=206), body.info, cache_control, content_type)
    response.headers["Content-Range"] = f"bytes {body.start}-{body.end}/{body.info.size}"
    response.headers["Content-Length"] = str(body.end - body.start + 1)
    return response


def _whole(body: ObjectBody, cache_control: str, content_type: str | None) -> Response:
    response = _describe(Response(_chunks(body), status=200), body.info, cache_control, content_type)
    response.headers["Content-Length"] = str(body.info.size)
    return response


def _describe(response: Response, info: ObjectInfo, cache_control: str, content_type: str | None) -> Response:
    response.headers["Content-Type"] = content_type or info.content_type
    response.headers["ETag"] = info.etag
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Cache-Control"] = cache_control
    return response


def _chunks(body: ObjectBody) -> Iterator[bytes]:
    yield from body.chunks


def _wanted(header: str | None) -> tuple[int | None, int | None] | None:
    parts = _RANGE.fullmatch(header) if header else None
    if not parts:
        return None
    if parts[3] is not None:
        return None, int(parts[3])
    first, last = int(parts[1]), int(parts[2]) if parts[2] else None
    return None if last is not None and last < first else (first, last)


def _matches(if_none_match: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag in tags
