"""What the browser's uploader asks: begin, sign a part, list, complete, drop. Uppy speaks S3, so S3's XML answers it.

An upload is only for who began it. The browser never names an object or the store's id of a transfer.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as BadBase64
from typing import Any
from xml.etree import ElementTree

from flask import Blueprint, Response, jsonify, redirect, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.catalog import rights
from app.catalog.models import Track
from app.core.auth import Permission, access
from app.core.db import db, transaction
from app.core.errors import Conflict, NotFound, WavecrateError
from app.core.i18n import locale_code
from app.core.store import media_store, settings
from app.studio import desk, queries, uploads
from app.studio.models import Upload
from media_store import keys
from media_store.errors import ObjectMissing, PartDamaged
from media_store.multipart import StoredPart, part_size_for

blueprint = Blueprint("uploads", __name__, url_prefix="/uploads")

_HEAD = re.compile(r"[0-9a-f]{64}")


@blueprint.post("")
@access(Permission.STUDIO)
def begin() -> Any:
    """Announce a file; the answer says in what parts to send it, and which the store has from an earlier time."""
    asked = request.get_json(silent=True)
    if not isinstance(asked, dict) or not isinstance(asked.get("filename"), str) or type(asked.get("size")) is not int:
        raise WavecrateError(_("Say which file, and how large it is."))
    track, afresh = _track(asked.get("track")), bool(asked.get("afresh"))
    rights.some_label(desk.editor())
    replaces_id = track.id if track else None
    identity = _identity(asked)
    least = settings().upload_part_mib * 1024**2
    # A page that names no track may go on with a new master of one, if this is that file. Name and size do not say so.
    found = queries.same_upload(
        current_user.id,
        uploads.cleaned(asked["filename"]) or "",
        asked["size"],
        identity,
        replaces_id,
        or_any=not afresh,
    )
    if found is not None:
        replaces_id, part_size = found.replaces_id, found.part_size
        kept = _kept(found)
        if kept is not None and not afresh and part_size == part_size_for(asked["size"], least):
            return _begun(found, kept), 200
        _drop(found)
    with transaction():
        made = uploads.begin(
            current_user.id,
            asked["filename"],
            asked["size"],
            identity=identity,
            replaces=_track(replaces_id),
            least_part=least,
        )
        made_id = made.id
    multipart_id = media_store().multipart.begin(keys.upload(made_id))
    with transaction():
        made = mine(made_id)
        uploads.opened(made, multipart_id)
    return _begun(made, {}), 201


@blueprint.post("/<upload_id>/parts/<int:number>")
@access(Permission.STUDIO)
def sign(upload_id: str, number: int) -> Any:
    """Where to PUT a part whose SHA-256 (`sha256`, base64) is told here, and with which headers."""
    asked: Any = request.get_json(silent=True)
    try:
        sha256 = b64decode(asked["sha256"], validate=True)
    except (TypeError, KeyError, ValueError, BadBase64):
        raise WavecrateError(_("The part's checksum is missing. Load this page again and choose the file.")) from None
    with transaction():
        upload = mine(upload_id)
        size = uploads.announce_part(upload, number, sha256)
    signed = media_store().multipart.sign(
        keys.upload(upload.id),
        upload.multipart_id or "",
        number,
        size=size,
        sha256=sha256,
        seconds=uploads.PART_URL_SECONDS,
    )
    return jsonify(url=signed.url, headers=signed.headers)


@blueprint.get("/<upload_id>/parts")
@access(Permission.STUDIO)
def parts(upload_id: str) -> Any:
    """The parts that need not be sent again, as S3's ListParts tells it."""
    kept = _kept(mine(upload_id))
    if kept is None:
        raise NotFound(_("This upload has come to an end. Choose the file again."))
    root = ElementTree.Element("ListPartsResult")
    for part, _sha256 in kept.values():
        item = ElementTree.SubElement(root, "Part")
        for name, value in (("PartNumber", part.number), ("ETag", part.etag), ("Size", part.size)):
            ElementTree.SubElement(item, name).text = str(value)
    return _xml(root)


@blueprint.post("/<upload_id>/complete")
@access(Permission.STUDIO)
def complete(upload_id: str) -> Any:
    """Every part is sent: make the object, compare it, and have it looked at. Asked twice, it answers twice."""
    upload = mine(upload_id)
    if upload.arrived_at is None:
        size = _assemble(upload)
        with transaction():
            uploads.arrived(mine(upload_id), size)
    root = ElementTree.Element("CompleteMultipartUploadResult")
    for name, value in (("Location", url_for("studio.upload_status", upload_id=upload_id)), ("Key", upload_id)):
        ElementTree.SubElement(root, name).text = value
    return _xml(root)


@blueprint.delete("/<upload_id>")
@access(Permission.STUDIO)
def drop(upload_id: str) -> Any:
    """Take back what was begun."""
    _drop(mine(upload_id))
    return "", 204


@blueprint.post("/<upload_id>/drop")
@access(Permission.STUDIO)
def drop_from_page(upload_id: str) -> Any:
    """Take back what was begun, by a button."""
    _drop(mine(upload_id))
    return redirect(url_for("studio.upload"), 303)


def mine(upload_id: str) -> Upload:
    """The upload, if the person who asks began it; else NotFound."""
    found = queries.upload(upload_id, current_user.id)
    if found is None:
        raise NotFound(_("There is no such upload."))
    return found


def _begun(upload: Upload, kept: dict[int, tuple[StoredPart, bytes]]) -> Response:
    track = _track(upload.replaces_id)
    return jsonify(
        id=upload.id,
        track=track.id if track else None,
        purpose=_("A new master of “%(title)s”", title=track.title_in(locale_code())) if track else None,
        part_size=upload.part_size,
        kept={number: sha256.hex() for number, (_part, sha256) in kept.items()},
        url=url_for("studio.upload_status", upload_id=upload.id),
    )


def _kept(upload: Upload) -> dict[int, tuple[StoredPart, bytes]] | None:
    """The good parts in the store with the checksums they were sent under; None where the transfer is over."""
    if upload.multipart_id is None or upload.arrived_at is not None:
        return None
    upload_id, multipart_id, sizes = upload.id, upload.multipart_id, uploads.part_sizes(upload)
    announced = queries.announced_parts(upload_id)
    # No transaction stays open while the store answers: from here on, reading a row would begin another.
    db.session.rollback()
    try:
        stored = media_store().multipart.parts(keys.upload(upload_id), multipart_id)
    except ObjectMissing:
        return None
    return {number: (part, announced[number]) for number, part in uploads.good_parts(sizes, stored, announced).items()}


def _assemble(upload: Upload) -> int:
    """Put the parts together in the store; return the object's size."""
    store, key = media_store(), keys.upload(upload.id)
    multipart_id, sizes = upload.multipart_id or "", uploads.part_sizes(upload)
    kept = _kept(upload)
    db.session.rollback()  # as in there
    if kept is not None:
        missing = sorted(set(sizes) - set(kept))
        if missing:
            raise Conflict(_("Part %(number)s has not arrived. Send it again.", number=missing[0]))
        try:
            store.multipart.complete(
                key,
                multipart_id,
                {number: part for number, (part, _sha256) in kept.items()},
                {number: sha256 for number, (_part, sha256) in kept.items()},
            )
        except PartDamaged:
            _drop(upload)
            raise Conflict(_("The file did not arrive as it was sent. Send it again.")) from None
    try:
        return store.head(key).size  # also where an earlier call got this far and no farther
    except ObjectMissing:
        raise Conflict(_("The file did not arrive whole. Send it again.")) from None


def _drop(upload: Upload) -> None:
    if upload.arrived_at is not None:
        raise Conflict(_("The file has arrived already."))
    upload_id, multipart_id = upload.id, upload.multipart_id
    db.session.rollback()  # no transaction stays open while the store answers
    if multipart_id is not None:
        media_store().multipart.abort(keys.upload(upload_id), multipart_id)
    media_store().delete(keys.upload(upload_id))
    with transaction():
        uploads.forget(mine(upload_id))


def _track(track_id: Any) -> Track | None:
    if track_id is None:
        return None
    if not isinstance(track_id, str):
        raise NotFound(_("There is no such track."))
    return desk.track(track_id)


def _identity(asked: dict[str, Any]) -> str:
    modified, head = asked.get("modified"), asked.get("head")
    if type(modified) is not int or not isinstance(head, str) or not _HEAD.fullmatch(head):
        raise WavecrateError(_("Say which file, and how large it is."))
    return f"{modified}:{head}"[:100]


def _xml(root: ElementTree.Element) -> Response:
    return Response(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True), mimetype="application/xml")
