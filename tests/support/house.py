"""A small shop whose rows and objects agree."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from support import rows

from app.accounts.models import Account
from app.catalog.models import Release, Track
from app.core.db import db
from app.media.models import JobState, Master, Rendition, TranscodeJob
from media_store import keys
from media_store.s3 import S3Store


@dataclass
class House:
    """A release of two tracks, each with its master, its finished job, a stream and a FLAC; and who owns it."""

    release: Release
    owner: Account
    masters: list[str]
    streams: list[Rendition]
    files: list[Rendition]

    @property
    def track(self) -> Track:
        return self.release.tracks[0]


def furnish(store: S3Store) -> House:
    """Make it, in the present context."""
    release = rows.release("Tides", tracks=2)
    owner = rows.account()
    rows.own(owner, release=release)
    cover = b"a picture of the sea"
    release.cover_key = keys.cover(hashlib.sha256(cover).hexdigest())
    store.put_bytes(release.cover_key, cover, "image/jpeg")
    made = House(release, owner, [], [], [])
    for track in release.tracks:
        body = f"master of {track.title}".encode()
        digest = hashlib.sha256(body).hexdigest()
        store.put_bytes(keys.master(digest), body, "audio/wav")
        master = Master(track_id=track.id, sha256=digest, size=len(body), filename="m.wav", probe={})
        db.session.add(master)
        db.session.flush()
        job = TranscodeJob(master_id=master.id, state=JobState.DONE, progress=1.0, stage="done", attempt=1)
        db.session.add(job)
        db.session.commit()
        made.masters.append(keys.master(digest))
        made.streams.append(rows.stream(track, store))
        made.files.append(rows.download(track, store, "flac", f"flac of {track.title}".encode()))
    return made
