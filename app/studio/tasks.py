"""What the studio leaves to the worker: looking over what a browser sent, and clearing away what never came."""

from __future__ import annotations

import logging
import tempfile
from datetime import timedelta
from pathlib import Path

from procrastinate import JobContext
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.accounts.models import Account
from app.catalog import queries as catalog
from app.catalog import rights
from app.catalog.models import Track
from app.core import clock, queue, workplace
from app.core.db import db, transaction
from app.core.store import media_store, settings
from app.media import service as media
from app.studio import importer, queries, service, uploads
from app.studio.grouping import Candidate, group
from app.studio.models import Upload
from media_store import keys
from media_store.errors import ObjectMissing, StoreError
from transcoder.errors import N_, DiskFull, NotMedia, NotStarted

log = logging.getLogger("wavecrate.studio")

# What says nothing about the file that was sent: the store, the database, this machine's disk.
_OUTAGES = (StoreError, OperationalError, InterfaceError, PoolTimeout, OSError, DiskFull, NotStarted)
_MOST_TRIES = 5

# The last track of a release to become ready publishes it, where that was asked for.
media.on_published.append(service.track_ready)


@queue.task(name=uploads.RECEIVE, queue=queue.DEFAULT, retry=queue.PATIENCE, pass_context=True)
def receive(context: JobContext, upload_id: str) -> None:
    """Look an upload over and make it a master of a draft, or note why not.

    It is refused for what is wrong with it, never because the store, the database or the disk is out of order: it
    lies there, and waits as long as they take.
    """
    with queue.queue_context():
        try:
            receive_upload(upload_id)
        except _OUTAGES:
            raise
        except Exception:
            if context.job.attempts < _MOST_TRIES:
                raise
            log.exception("upload %s", upload_id)
            _refuse(upload_id, NotMedia(N_("could not be looked at: something broke on our side. Send it again")))


def receive_upload(upload_id: str) -> None:
    """Do what `receive` does, once."""
    store = media_store()
    upload = db.session.get(Upload, upload_id)
    if upload is None or upload.track_id is not None or upload.refused is not None:
        return
    key, filename, replaces_id, sender = keys.upload(upload.id), upload.filename, upload.replaces_id, upload.account_id
    part_size = upload.part_size or upload.size
    announced = queries.announced_parts(upload_id)
    db.session.rollback()
    with tempfile.TemporaryDirectory(prefix="upload-", dir=workplace.folder()) as folder:
        # The suffix alone is kept of the name the browser gave: readers of tags go by it.
        copy = Path(folder) / f"upload{Path(filename).suffix.lower()}"
        try:
            store.get_file(key, copy)
            damaged = uploads.damaged_part(copy, part_size, announced)
            if damaged is not None:
                raise NotMedia(N_("was damaged: part %(number)s is not what was sent. Send it again"), number=damaged)
            candidate = importer.examine(copy, name=filename)
            importer.store_master(store, candidate)
            if replaces_id is not None:
                _replace(upload_id, replaces_id, candidate, sender)
            else:
                _take_in(upload_id, candidate, sender)
        except ObjectMissing:
            _refuse(upload_id, NotMedia(N_("did not arrive. Send it again")))
            return
        except rights.NotYourLabel:
            _refuse(upload_id, NotMedia(N_("was not taken: you have no label yet. Ask for yours, and send it again")))
        except NotMedia as error:
            _refuse(upload_id, error)
    store.delete(key)


def _take_in(upload_id: str, candidate: Candidate, sender: str) -> None:
    (one,) = group([candidate])
    importer.take_in(
        one,
        importer.find_cover(media_store(), one),
        # Files of one album join; a loose file never becomes part of what is there under the same name.
        keep_apart=not one.is_album,
        by=sender,
        also=lambda taken: _finish(upload_id, (taken.added + taken.already)[0][1]),
    )


def _replace(upload_id: str, track_id: str, candidate: Candidate, sender: str) -> None:
    with transaction():
        track = catalog.track(track_id, include_drafts=True)
        # The sender's label may have been taken from them while the file was on its way.
        if track is None or not rights.may_edit(db.session.get(Account, sender), track.release):
            raise NotMedia(N_("was meant for a track that is gone"))
        service.replace_master(track, candidate)
        _finish(upload_id, track)


def _finish(upload_id: str, track: Track) -> None:
    upload = db.session.get(Upload, upload_id)
    assert upload is not None
    uploads.finish(upload, track)


def _refuse(upload_id: str, error: NotMedia) -> None:
    with transaction():
        upload = db.session.get(Upload, upload_id)
        if upload is not None:
            uploads.refuse(upload, error)


@queue.periodic(cron="17 3 * * *")
@queue.task(name="studio.clear_uploads", queue=queue.DEFAULT, queueing_lock="studio.clear_uploads")
def clear_uploads(timestamp: int = 0) -> None:
    """Every night: drop transfers in which nothing has moved for UPLOAD_KEEP_DAYS, their rows and their bytes."""
    with queue.queue_context():
        store = media_store()
        before = clock.now() - timedelta(days=settings().upload_keep_days)
        for upload_id in [upload.id for upload in queries.abandoned_uploads(before)]:
            with transaction():
                upload = db.session.get(Upload, upload_id)
                if upload is not None:
                    uploads.forget(upload)
        # What no row speaks of any more, be it of the rows just dropped or of a begin or an end that was cut short.
        wanted = {keys.upload(upload_id) for upload_id in queries.uploads_to_come()}
        db.session.rollback()
        for begun in store.multipart.begun(keys.UPLOADS):
            if begun.key not in wanted and begun.begun_at < before:
                store.multipart.abort(begun.key, begun.upload_id)
        for found in store.walk(keys.UPLOADS):
            if found.key not in wanted and found.stored_at < before:
                store.delete(found.key)
