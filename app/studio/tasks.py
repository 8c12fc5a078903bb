"""What the studio leaves to the worker: looking over what a browser sent, and clearing away what never came."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from procrastinate import JobContext

from app.core import queue
from app.core.db import db, transaction
from app.core.store import media_store
from app.media import service as media
from app.settings import var_dir
from app.studio import importer, queries, service
from app.studio.grouping import group
from app.studio.models import Upload
from media_store import keys
from media_store.errors import ObjectMissing
from transcoder.errors import N_, NotMedia

log = logging.getLogger("wavecrate.studio")

# The last track of a release to become ready publishes it, where that was asked for.
media.on_published.append(service.track_ready)


@queue.task(name=service.RECEIVE, queue=queue.DEFAULT, retry=queue.BACKOFF, pass_context=True)
def receive(context: JobContext, upload_id: str) -> None:
    """Look an upload over and make it a master of a draft, or note why not."""
    with queue.queue_context():
        try:
            receive_upload(upload_id)
        except Exception:
            if context.job.attempts < (queue.BACKOFF.max_attempts or 0):
                raise  # the store or the database may be back the next time
            log.exception("upload %s", upload_id)
            _refuse(upload_id, NotMedia(N_("could not be looked at: something broke on our side. Send it again")))


def receive_upload(upload_id: str) -> None:
    """Do what `receive` does, once."""
    store = media_store()
    upload = db.session.get(Upload, upload_id)
    if upload is None or upload.track_id is not None or upload.refused is not None:
        return
    key, filename = keys.upload(upload.id), upload.filename
    db.session.rollback()
    work = var_dir() / "work"
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="upload-", dir=work) as folder:
        # The suffix alone is kept of the name the browser gave: readers of tags go by it.
        copy = Path(folder) / f"upload{Path(filename).suffix.lower()}"
        try:
            store.get_file(key, copy)
            candidate = importer.examine(copy, name=filename)
        except ObjectMissing:
            _refuse(upload_id, NotMedia(N_("did not arrive. Send it again")))
            return
        except NotMedia as error:
            _refuse(upload_id, error)
            store.delete(key)
            return
        (one,) = group([candidate])
        importer.store_master(store, candidate)
        importer.take_in(
            one,
            importer.find_cover(store, one),
            # Files of one album join; a loose file never becomes part of what is there under the same name.
            keep_apart=not one.is_album,
            also=lambda taken: _finish(upload_id, taken),
        )
    store.delete(key)


def _finish(upload_id: str, taken: service.TakenIn) -> None:
    upload = db.session.get(Upload, upload_id)
    assert upload is not None
    (_candidate, track) = (taken.added + taken.already)[0]
    service.finish_upload(upload, track)


def _refuse(upload_id: str, error: NotMedia) -> None:
    with transaction():
        upload = db.session.get(Upload, upload_id)
        if upload is not None:
            service.refuse_upload(upload, error)


@queue.periodic(cron="17 3 * * *")
@queue.task(name="studio.clear_uploads", queue=queue.DEFAULT, queueing_lock="studio.clear_uploads")
def clear_uploads(timestamp: int = 0) -> None:
    """Every night: drop transfers that were begun and never finished."""
    with queue.queue_context():
        abandoned = [upload.id for upload in queries.abandoned_uploads()]
        for upload_id in abandoned:
            media_store().delete(keys.upload(upload_id))
            with transaction():
                upload = db.session.get(Upload, upload_id)
                if upload is not None:
                    service.forget_upload(upload)
