"""An upload's rows, from its first byte to its end. The bytes go from the browser to the store, in parts.

Nothing here commits, and nothing here calls the store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from flask_babel import gettext as _
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from app.catalog import service as catalog
from app.catalog.models import Track
from app.core import clock, queue
from app.core.db import db
from app.core.errors import Conflict, WavecrateError
from app.studio.models import Upload, UploadPart
from media_store.multipart import StoredPart, part_size_for
from transcoder.accepted import CALLED, SUFFIXES
from transcoder.errors import NotMedia

MAX_UPLOAD = 50 * 1024**3
RECEIVE = "studio.receive"
# How long one part may take to send: a signature that ends before is made anew.
PART_URL_SECONDS = 6 * 3600


def begin(
    account_id: str,
    filename: str,
    size: int,
    *,
    identity: str | None = None,
    replaces: Track | None = None,
    least_part: int,
) -> Upload:
    """Note that a person is about to send a file; raise WavecrateError for one that is not worth sending."""
    name = cleaned(filename)
    if name is None:
        raise WavecrateError(_("The file needs a name."))
    if Path(name).suffix.lower() not in SUFFIXES:
        raise WavecrateError(_("The shop takes %(taken)s.", taken=CALLED))
    if size <= 0:
        raise WavecrateError(_("The file is empty."))
    if size > MAX_UPLOAD:
        raise WavecrateError(_("The file is larger than 50 GB. Use `wavecrate import` on the server for it."))
    upload = Upload(
        account_id=account_id,
        filename=name,
        size=size,
        identity=identity,
        replaces_id=replaces.id if replaces else None,
        part_size=part_size_for(size, least_part),
    )
    db.session.add(upload)
    db.session.flush()
    return upload


def cleaned(filename: str) -> str | None:
    """A file's name without folders and control characters; None where nothing is left."""
    return catalog.clean(filename.replace("\\", "/").rsplit("/", 1)[-1], 255)


def opened(upload: Upload, multipart_id: str) -> None:
    """The store is ready for the upload's parts."""
    upload.multipart_id = multipart_id
    db.session.flush()


def part_sizes(upload: Upload) -> dict[int, int]:
    """How many bytes each part has, by number from 1: all the same but for the last."""
    size = upload.part_size or upload.size
    count = -(-upload.size // size)
    return {number: min(size, upload.size - (number - 1) * size) for number in range(1, count + 1)}


def announce_part(upload: Upload, number: int, sha256: bytes) -> int:
    """Note what a part's bytes come to before it is sent; return how many bytes it has."""
    if upload.arrived_at is not None or upload.multipart_id is None:
        raise Conflict(_("This upload has come to an end. Choose the file again."))
    size = part_sizes(upload).get(number)
    if size is None or len(sha256) != 32:
        raise WavecrateError(_("The file has no such part. Load this page again and choose the file."))
    told = insert(UploadPart).values(upload_id=upload.id, number=number, sha256=sha256)
    db.session.execute(
        told.on_conflict_do_update(index_elements=["upload_id", "number"], set_={"sha256": told.excluded.sha256})
    )
    upload.active_at = clock.now()
    db.session.flush()
    return size


def good_parts(
    sizes: Mapping[int, int], stored: Mapping[int, StoredPart], sha256: Mapping[int, bytes]
) -> dict[int, StoredPart]:
    """Of the parts in the store, those that have the size they must have and whose checksum is known."""
    return {
        number: stored[number]
        for number, size in sizes.items()
        if number in stored and number in sha256 and stored[number].size == size
    }


def arrived(upload: Upload, stored_size: int) -> None:
    """The store has the whole file: have it looked at. Saying so twice changes nothing."""
    if stored_size != upload.size:
        raise Conflict(_("The file did not arrive whole. Send it again."))
    if upload.arrived_at is None:
        upload.arrived_at = clock.now()
        db.session.flush()
        queue.defer(RECEIVE, lock=f"upload:{upload.id}", args={"upload_id": upload.id})


def finish(upload: Upload, track: Track) -> None:
    """The upload has become a track's master."""
    upload.track_id = track.id
    _drop_parts(upload)


def refuse(upload: Upload, error: NotMedia) -> None:
    """The upload is nothing the shop takes."""
    upload.refused = {"message": error.message, "facts": error.facts}
    _drop_parts(upload)


def forget(upload: Upload) -> None:
    """Drop an upload that came to nothing."""
    db.session.delete(upload)
    db.session.flush()


def damaged_part(path: Path, part_size: int, sha256: Mapping[int, bytes]) -> int | None:
    """The first part of a file that is not what the browser sent, by number; None where all are."""
    with path.open("rb") as file:
        for number in sorted(sha256):
            file.seek((number - 1) * part_size)
            if hashlib.sha256(file.read(part_size)).digest() != sha256[number]:
                return number
    return None


def _drop_parts(upload: Upload) -> None:
    db.session.execute(delete(UploadPart).where(UploadPart.upload_id == upload.id))
    db.session.flush()
