"""What tracks sound like: kept when a track is published, asked by discovery and the studio, caught up on where it
is missing.

A row belongs to a track and the master that is in force for listeners; a new master's takes its place together with
its renditions. Whoever asks gets only what the present version of hearing would say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, and_, cast, delete, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONPATH, insert
from sqlalchemy.types import Text

from app.core import clock, ids, queue
from app.core.db import db
from app.media.models import Master, Rendition, RenditionKind, Sound, TranscodeJob
from transcoder.contract import SOUND_VERSION, Probe, RenditionReport, SoundFeatures

TASK = "media.hear"
# Behind everything that somebody waits for, the ingest reports too.
_PRIORITY = -20
_TOLD = (Sound.version == SOUND_VERSION, Sound.reason.is_(None))
_NO_PATH = cast(literal("{}"), ARRAY(Text))


def publish(job: TranscodeJob, report: RenditionReport) -> None:
    """Keep what a report says of its track's sound in place of what was said of an earlier master's."""
    if report.sound is None:  # no sound, or none that could be heard; the sweep tries once more
        db.session.execute(delete(Sound).where(Sound.track_id == job.master.track_id))
    else:
        _keep(job.master, report.sound, report.loudness)


def of_tracks(track_ids: Sequence[str]) -> dict[str, Sound]:
    """The sound of tracks by track id; a track nobody has heard yet, or could not, is left out."""
    rows = db.session.scalars(
        select(Sound).where(Sound.track_id.in_(track_ids), *_TOLD).execution_options(populate_existing=True)
    )
    return {row.track_id: row for row in rows}


@dataclass(frozen=True, slots=True)
class Heard:
    """What a track sounds like, without a row behind it; see `Sound` for the figures."""

    tempo: float | None
    tempo_confidence: float
    key: int | None
    mode: str | None
    key_confidence: float
    loudness: float | None
    loudness_range: float | None
    vector: Sequence[float]


def heard(track_ids: Sequence[str]) -> dict[str, Heard]:
    """The same as `of_tracks`, for reading very many."""
    names = [field.name for field in fields(Heard)]
    columns = [getattr(Sound, name) for name in names]
    rows = db.session.execute(select(Sound.track_id, *columns).where(Sound.track_id.in_(track_ids), *_TOLD))
    return {row["track_id"]: Heard(**{name: row[name] for name in names}) for row in rows.mappings()}


def languages() -> list[str]:
    """Every language that a master says one of its sounds has, as BCP 47, sorted."""
    told = func.jsonb_path_query(Master.probe, cast(literal("$.sounds[*].language"), JSONPATH)).op("#>>")(_NO_PATH)
    return sorted({language for language in db.session.scalars(select(cast(told, Text)).distinct()) if language})


def languages_of(track_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The languages of the sounds of the tracks' published masters, by track id; where none is told, left out."""
    rows = db.session.execute(
        select(Rendition.track_id, Master.probe["sounds"])
        .join(Master, Rendition.master_id == Master.id)
        .where(Rendition.track_id.in_(track_ids), Rendition.kind == RenditionKind.STREAM)
    )
    told = {track_id: tuple(sorted({each["language"] for each in found or ()} - {""})) for track_id, found in rows}
    return {track_id: found for track_id, found in told.items() if found}


def wanted(track_id: str) -> tuple[str, Probe] | None:
    """The SHA-256 and the probe of a published master that is still to be heard; None where there is none."""
    master = db.session.scalar(select(Master).join(*_unheard()).where(Rendition.track_id == track_id))
    return (master.sha256, Probe.from_dict(master.probe)) if master is not None else None


def record(track_id: str, sha256: str, features: SoundFeatures) -> None:
    """Keep what was heard of a master, unless another has been published meanwhile."""
    if master := _published(track_id, sha256):
        report = db.session.scalar(select(TranscodeJob.report).where(TranscodeJob.master_id == master.id))
        _keep(master, features, (report or {}).get("loudness") or {})


def give_up(track_id: str, sha256: str, reason: str) -> None:
    """Note that a master cannot be heard, and why; nobody tries again until the version of hearing changes."""
    if master := _published(track_id, sha256):
        _keep(master, SoundFeatures(), {}, reason)


def enqueue_missed(limit: int = 200) -> int:
    """Put published tracks that nobody has heard in this version on the queue, newest first; return how many.

    They were transcoded before there was such a thing, or an ear failed.
    """
    spoken_of = {args.get("track_id") for args in queue.waiting_args(TASK)}
    missed = db.session.scalars(
        select(Rendition.track_id)
        .select_from(Master)
        .join(*_unheard())
        .order_by(Rendition.created_at.desc(), Rendition.track_id)
        .limit(limit + len(spoken_of))
    )
    count = 0
    for track_id in [each for each in missed if each not in spoken_of][:limit]:
        queue.defer(TASK, lock=f"hear:{track_id}", priority=_PRIORITY, args={"track_id": track_id})
        count += 1
    return count


def _unheard() -> tuple[type[Rendition], ColumnElement[bool]]:
    """The join of masters that have a sound with the whole streams made of them that nobody has heard."""
    heard = select(Sound.id).where(
        Sound.track_id == Rendition.track_id, Sound.master_id == Rendition.master_id, Sound.version == SOUND_VERSION
    )
    return Rendition, and_(
        Rendition.master_id == Master.id,
        Rendition.kind == RenditionKind.STREAM,
        Rendition.facts["on_air"].as_boolean().is_not(True),
        Master.probe["audio"].astext.is_not(None),
        ~heard.exists(),
    )


def _published(track_id: str, sha256: str) -> Master | None:
    return db.session.scalar(
        select(Master)
        .join(Rendition, Rendition.master_id == Master.id)
        .where(Rendition.track_id == track_id, Rendition.kind == RenditionKind.STREAM, Master.sha256 == sha256)
        .limit(1)
    )


def _keep(master: Master, features: SoundFeatures, loudness: dict[str, float], reason: str | None = None) -> None:
    told = {
        "master_id": master.id,
        "version": features.version,
        "tempo": features.tempo,
        "tempo_confidence": features.tempo_confidence,
        "key": features.key,
        "mode": features.mode,
        "key_confidence": features.key_confidence,
        "loudness": loudness.get("integrated"),
        "loudness_range": loudness.get("range"),
        "vector": list(features.vector),
        "reason": reason,
        "created_at": clock.now(),
    }
    row = insert(Sound).values(id=ids.new_id(), track_id=master.track_id, **told)
    db.session.execute(row.on_conflict_do_update(index_elements=["track_id"], set_=told))
