"""Masters and what is made of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    REAL,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalog.models import Track
from app.core.db import Identified, Model, Timestamped


class JobState(StrEnum):
    """Where a transcode job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class RenditionKind(StrEnum):
    """What a rendition is for."""

    STREAM = "stream"  # key is the folder of an encrypted HLS stream
    PREVIEW = "preview"
    DOWNLOAD = "download"
    POSTER = "poster"
    THUMBNAILS = "thumbnails"


class Master(Identified, Timestamped, Model):
    """The file a label sent, as it was sent. The newest one of a track is the one in force."""

    __tablename__ = "master"
    __table_args__ = (Index("uq_master_track_id_sha256", "track_id", "sha256", unique=True),)

    track_id: Mapped[str] = mapped_column(ForeignKey("track.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int] = mapped_column(BigInteger)
    filename: Mapped[str] = mapped_column(String(255))
    probe: Mapped[dict[str, Any]] = mapped_column(JSONB, doc="transcoder.contract.Probe as a dict")

    track: Mapped[Track] = relationship(lazy="joined")


class StreamKey(Identified, Timestamped, Model):
    """The AES-128 key of one track's stream."""

    __tablename__ = "stream_key"
    __table_args__ = (CheckConstraint("octet_length(key) = 16", name="key_length"),)

    track_id: Mapped[str] = mapped_column(ForeignKey("track.id"), unique=True)
    key: Mapped[bytes] = mapped_column(LargeBinary)


class TranscodeJob(Identified, Timestamped, Model):
    """One master on its way to renditions. This row, not the queue, is the truth about it."""

    __tablename__ = "transcode_job"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'done', 'failed')", name="state"),
        CheckConstraint("progress BETWEEN 0 AND 1", name="progress"),
        CheckConstraint("(state = 'failed') = (reason IS NOT NULL)", name="reason"),
    )

    master_id: Mapped[str] = mapped_column(ForeignKey("master.id"), unique=True)
    state: Mapped[str] = mapped_column(String(8), default=JobState.QUEUED, index=True)
    attempt: Mapped[int] = mapped_column(default=0, doc="the number of the last one; none is given twice")
    uncounted: Mapped[int] = mapped_column(default=0, server_default="0", doc="attempts that were nobody's failure")
    progress: Mapped[float] = mapped_column(default=0.0)
    stage: Mapped[str] = mapped_column(String(40), default="queued")
    reason: Mapped[str | None] = mapped_column(Text, doc="why it failed, in English and in detail")
    failure: Mapped[str | None] = mapped_column(String(12), doc="the `kind` of the last failure, while it waits too")
    started_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    report: Mapped[dict[str, Any] | None] = mapped_column(JSONB, doc="loudness, peaks and timings of the run")
    stream_prefix: Mapped[str | None] = mapped_column(String(120), doc="the folder its stream is made in")

    master: Mapped[Master] = relationship(lazy="joined")


class ChunkState(StrEnum):
    """Where a chunk of a film stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


class FilmChunk(Identified, Timestamped, Model):
    """Some of a film's pictures, for whichever worker takes it. There only while the film's job is unfinished."""

    __tablename__ = "film_chunk"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'running', 'done')", name="state"),
        CheckConstraint("(state = 'done') = (report IS NOT NULL)", name="report"),
        Index("uq_film_chunk_job_id_number", "job_id", "number", unique=True),
    )

    job_id: Mapped[str] = mapped_column(ForeignKey("transcode_job.id", ondelete="CASCADE"))
    number: Mapped[int]
    chunk: Mapped[dict[str, Any]] = mapped_column(JSONB, doc="transcoder.contract.Chunk as a dict")
    state: Mapped[str] = mapped_column(String(8), default=ChunkState.WAITING)
    taken_by: Mapped[str | None] = mapped_column(String(40), doc="who works on it")
    tries: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str | None] = mapped_column(Text, doc="why the last try came to nothing, where its worker said so")
    heartbeat_at: Mapped[datetime | None]
    report: Mapped[dict[str, Any] | None] = mapped_column(JSONB, doc="transcoder.contract.ChunkReport as a dict")


class Rendition(Identified, Timestamped, Model):
    """Something made from a master and published: at most one of a kind and name per track."""

    __tablename__ = "rendition"
    __table_args__ = (
        CheckConstraint("kind IN ('stream', 'preview', 'download', 'poster', 'thumbnails')", name="kind"),
        Index("uq_rendition_track_id_kind_name", "track_id", "kind", "name", unique=True),
    )

    track_id: Mapped[str] = mapped_column(ForeignKey("track.id"), index=True)
    master_id: Mapped[str] = mapped_column(ForeignKey("master.id"), index=True)
    kind: Mapped[str] = mapped_column(String(12))
    name: Mapped[str] = mapped_column(String(24), doc="a download's format, else the kind again")
    key: Mapped[str] = mapped_column(String(120), index=True, doc="object key, or the folder of a stream")
    content_type: Mapped[str] = mapped_column(String(80))
    suffix: Mapped[str] = mapped_column(String(5), default="")
    size: Mapped[int] = mapped_column(BigInteger)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict, doc="codec, bit depth, CRC-32, ladder …")


class Inspection(Identified, Timestamped, Model):
    """What was found by listening to a master's bytes, whichever tracks they belong to."""

    __tablename__ = "inspection"
    __table_args__ = (Index("ix_inspection_words", "words", postgresql_using="gin"),)

    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    version: Mapped[int] = mapped_column(doc="transcoder.quality.VERSION when it was made")
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, doc="transcoder.quality.Finding as dicts")
    fingerprint: Mapped[list[int]] = mapped_column(ARRAY(Integer), doc="Chromaprint's words, in order")
    words: Mapped[list[int]] = mapped_column(ARRAY(Integer), doc="what the fingerprint is found by")
    reason: Mapped[str | None] = mapped_column(Text, doc="why it could not be listened to")


class Sound(Identified, Timestamped, Model):
    """What a track sounds like in the master its renditions are made of."""

    __tablename__ = "sound"
    __table_args__ = (
        CheckConstraint("tempo > 0", name="tempo"),
        CheckConstraint("key BETWEEN 0 AND 11", name="key"),
        CheckConstraint("(key IS NULL) = (mode IS NULL) AND mode IN ('major', 'minor')", name="mode"),
        CheckConstraint("tempo_confidence BETWEEN 0 AND 1 AND key_confidence BETWEEN 0 AND 1", name="confidence"),
    )

    track_id: Mapped[str] = mapped_column(ForeignKey("track.id"), unique=True)
    master_id: Mapped[str] = mapped_column(ForeignKey("master.id"), index=True)
    version: Mapped[int] = mapped_column(doc="transcoder.contract.SOUND_VERSION when it was heard")
    tempo: Mapped[float | None] = mapped_column(doc="beats per minute, None where nothing keeps time")
    tempo_confidence: Mapped[float] = mapped_column(doc="0 to 1")
    key: Mapped[int | None] = mapped_column(SmallInteger, doc="semitones from C, None where there are no tones")
    mode: Mapped[str | None] = mapped_column(String(5))
    key_confidence: Mapped[float] = mapped_column(doc="0 to 1")
    loudness: Mapped[float | None] = mapped_column(doc="integrated, LUFS")
    loudness_range: Mapped[float | None] = mapped_column(doc="LU")
    vector: Mapped[list[float]] = mapped_column(ARRAY(REAL), doc="by transcoder.contract.SOUND_NAMES, empty: silence")
    reason: Mapped[str | None] = mapped_column(Text, doc="why it could not be heard")


class SoundAlike(Identified, Timestamped, Model):
    """Two masters, by their SHA-256, that are encodes of one recording; `one` is the lesser."""

    __tablename__ = "sound_alike"
    __table_args__ = (
        CheckConstraint("one < other", name="order"),
        Index("uq_sound_alike_one_other", "one", "other", unique=True),
    )

    one: Mapped[str] = mapped_column(String(64))
    other: Mapped[str] = mapped_column(String(64), index=True)
    difference: Mapped[float] = mapped_column(doc="share of the fingerprints' bits that differ")


class Subtitle(Identified, Timestamped, Model):
    """Subtitles that an editor sent for a film, as WebVTT that is safe to show."""

    __tablename__ = "subtitle"
    __table_args__ = (Index("uq_subtitle_track_id_sha256", "track_id", "sha256", unique=True),)

    track_id: Mapped[str] = mapped_column(ForeignKey("track.id"))
    sha256: Mapped[str] = mapped_column(String(64), doc="of the WebVTT, in hex")
    language: Mapped[str] = mapped_column(String(35), doc="BCP 47, empty where untold")
    name: Mapped[str] = mapped_column(String(80), doc="what the player's menu says, empty: the language's name")
    captions: Mapped[bool] = mapped_column(doc="for those who don't hear: sounds are told too")
    filename: Mapped[str] = mapped_column(String(255))
    encoding: Mapped[str] = mapped_column(String(12), doc="what the file was read as")
    cues: Mapped[int]
    webvtt: Mapped[str] = mapped_column(Text, deferred=True)
