"""Subtitles that editors send for a film: kept as rows, and put into its stream without encoding anything again."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from flask_babel import gettext as _
from sqlalchemy import CursorResult, exists, select, update

from app.catalog.models import Kind, Track
from app.core import queue
from app.core.db import db
from app.core.errors import Conflict, WavecrateError
from app.media import queries
from app.media.models import Rendition, StreamKey, Subtitle
from media_store.interface import MediaStore
from transcoder import captions, contract, languages
from transcoder import subtitles as renditions

TASK = "media.subtitles"
MOST = 32


def add(track: Track, data: bytes, *, filename: str, language: str, name: str, hearing: bool) -> Subtitle:
    """Keep a file of subtitles for a film and have it put into the stream.

    `hearing` says they are captions for those who don't hear. Raises WavecrateError where the file is none, the
    language is no language, or Conflict where these very words are there already.
    """
    if track.release.kind != Kind.FILM:
        raise WavecrateError(_("Only films have subtitles."))
    tag = languages.language(language)
    if language and not tag:
        raise WavecrateError(
            _("“%(tag)s” is no language that is known. Write it like en, zh-Hans or fr.", tag=language)
        )
    try:
        script = captions.read(data)
    except captions.BadSubtitles as error:
        raise WavecrateError(f"{filename} {_(error.message) % error.facts}") from None
    text = captions.write(script.cues)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    there = db.session.scalars(select(Subtitle.sha256).where(Subtitle.track_id == track.id)).all()
    if sha256 in there:
        raise Conflict(_("These subtitles are there already. Remove them first to change what they are called."))
    if len(there) >= MOST:
        raise Conflict(_("A film has at most %(most)s files of subtitles. Remove one first.", most=MOST))
    made = Subtitle(
        track_id=track.id,
        sha256=sha256,
        language=tag,
        name=" ".join(name.split())[:80],
        captions=hearing,
        filename=filename[-255:],
        encoding=script.encoding,
        cues=len(script.cues),
        webvtt=text,
    )
    db.session.add(made)
    db.session.flush()
    _defer(track.id)
    return made


def remove(subtitle: Subtitle) -> None:
    """Take subtitles away, from the stream too."""
    db.session.delete(subtitle)
    db.session.flush()
    _defer(subtitle.track_id)


def published(track_id: str) -> None:
    """A new stream has come: where an editor sent subtitles, they are put into it."""
    if db.session.scalar(select(exists().where(Subtitle.track_id == track_id))):
        _defer(track_id)


def of_track(track_id: str) -> list[Subtitle]:
    """What editors sent for a film, oldest first; the words themselves are read when asked for."""
    return list(
        db.session.scalars(
            select(Subtitle).where(Subtitle.track_id == track_id).order_by(Subtitle.created_at, Subtitle.id)
        )
    )


def one(subtitle_id: str) -> Subtitle | None:
    """A row by its id."""
    return db.session.get(Subtitle, subtitle_id)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stream as it is, and the subtitles it is to have."""

    rendition_id: str
    prefix: str
    size: int
    facts: dict[str, Any]
    probe: contract.Probe
    stream_key: bytes
    sidecars: tuple[renditions.Sidecar, ...]


def wanted(track_id: str) -> Wanted | None:
    """What the stream of a film is to have beside its own; None where there is no finished stream."""
    stream, master = queries.stream_of(track_id), queries.master_of(track_id)
    if stream is None or master is None or stream.facts.get("on_air"):
        return None
    sidecars = tuple(
        renditions.Sidecar(each.sha256, each.webvtt, each.language, each.name, each.captions)
        for each in of_track(track_id)
    )
    probe = contract.Probe.from_dict(master.probe)
    key = db.session.scalars(select(StreamKey.key).where(StreamKey.track_id == track_id)).one()
    return Wanted(stream.id, stream.key, stream.size, stream.facts, probe, key, sidecars)


def put_in(asked: Wanted, store: MediaStore, workdir: Path) -> renditions.Attached:
    """Store the subtitles beside the stream and name them in its playlist; nothing else of it changes."""
    workdir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=workdir, prefix="subtitles-") as folder:
        return renditions.attach(
            asked.sidecars,
            store=store,
            prefix=asked.prefix,
            probe=asked.probe,
            stream_key=asked.stream_key,
            texts=asked.facts.get("texts", []),
            work=Path(folder),
        )


def note(asked: Wanted, attached: renditions.Attached) -> bool:
    """Say on the stream's row what it has now; False where another stream has come meanwhile."""
    size = asked.size - asked.facts.get("subtitles_size", 0) + attached.size
    facts = asked.facts | {"texts": list(attached.texts), "subtitles_size": attached.size}
    statement = (
        update(Rendition)
        .where(Rendition.id == asked.rendition_id, Rendition.key == asked.prefix)
        .values(facts=facts, size=size)
    )
    result: CursorResult[Any] = cast("CursorResult[Any]", db.session.execute(statement))
    return result.rowcount == 1


def attached_now(track_id: str, rows: Sequence[Subtitle]) -> bool:
    """Whether the stream has exactly the subtitles of these rows."""
    stream = queries.stream_of(track_id)
    told = {each["sha256"] for each in (stream.facts.get("texts", []) if stream else []) if each.get("sha256")}
    return told == {row.sha256 for row in rows}


def _defer(track_id: str) -> None:
    queue.defer(TASK, lock=f"subtitles:{track_id}", args={"track_id": track_id})
