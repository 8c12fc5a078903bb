"""Ingest reports: what was found in masters by listening to them, and which of them are one recording.

A report belongs to bytes, not to a track: the same master sent twice is listened to once. What depends on other
tracks (duplicates, a sample rate unlike its neighbours') is put together when it is asked for, so it follows whatever
is moved, replaced or taken away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy import ColumnElement, any_, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.types import Integer

from app.catalog.models import Track
from app.core import clock, ids, queue
from app.core.db import db
from app.media.models import Inspection, Master, SoundAlike
from transcoder import fingerprint, quality
from transcoder.contract import Probe
from transcoder.quality import Finding, QualityReport

TASK = "media.inspect"
# Behind everything an editor waits for.
_PRIORITY = -10
_CANDIDATES = 50
# One comparison at a time: of two duplicates that are recorded in one moment, one must see the other.
_COMPARING = 0x696E6765

State = Literal["waiting", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Twin:
    """An earlier track with the same recording; `same_bytes` where the very file is the same."""

    track: Track
    same_bytes: bool


@dataclass(frozen=True, slots=True)
class Report:
    """The ingest report of a track's master in force. `findings` are worst first, those about other tracks last."""

    state: State
    findings: tuple[Finding, ...] = ()
    twins: tuple[Twin, ...] = ()

    @property
    def shames(self) -> int:
        """How many of the findings a label would be ashamed of."""
        return sum(1 for finding in self.findings if finding.severity == "shame")

    @property
    def notes(self) -> int:
        """How many are only worth a look."""
        return len(self.findings) - self.shames + len(self.twins)


def enqueue(sha256: str) -> None:
    """Have a stored master listened to, in the caller's transaction, unless that was done."""
    if not _is_inspected(sha256):
        queue.defer(TASK, lock=f"inspect:{sha256}", priority=_PRIORITY, args={"sha256": sha256})


def wanted(sha256: str) -> Probe | None:
    """What to know of a master that is still to be listened to; None where it was, or where no track has it."""
    if _is_inspected(sha256):
        return None
    probe = db.session.scalar(select(Master.probe).where(Master.sha256 == sha256).limit(1))
    return Probe.from_dict(probe) if probe is not None else None


def record(sha256: str, report: QualityReport) -> None:
    """Keep a report and note which earlier masters are the same recording, all or nothing."""
    db.session.execute(select(func.pg_advisory_xact_lock(_COMPARING)))
    _keep(sha256, report, None)
    for other, difference in _alike(sha256, report.fingerprint):
        row = {"one": min(sha256, other), "other": max(sha256, other), "difference": difference}
        row |= {"id": ids.new_id(), "created_at": clock.now()}
        db.session.execute(insert(SoundAlike).values(row).on_conflict_do_nothing())


def give_up(sha256: str, reason: str) -> None:
    """Note that a master cannot be listened to, and why; nobody tries again until the report's version changes."""
    _keep(sha256, QualityReport(()), reason)


def enqueue_missed(limit: int = 200) -> int:
    """Put masters in force that have no report of this version on the queue, newest first; return how many.

    These came before there were reports, or their message was lost.
    """
    spoken_of = {args.get("sha256") for args in queue.waiting_args(TASK)}
    current = select(Inspection.sha256).where(Inspection.version == quality.VERSION)
    missed = db.session.scalars(
        select(Master.sha256)
        .where(Master.sha256.not_in(current))
        .group_by(Master.sha256)
        .order_by(func.max(Master.created_at).desc())
        .limit(limit + len(spoken_of))
    )
    count = 0
    for sha256 in [each for each in missed if each not in spoken_of][:limit]:
        enqueue(sha256)
        count += 1
    return count


def reports_of(track_ids: Sequence[str]) -> dict[str, Report]:
    """The reports of the tracks' masters in force, by track id; a track without a master is left out."""
    masters = _in_force(Master.track_id.in_(track_ids))
    by_sha = {
        row.sha256: row
        for row in db.session.scalars(
            select(Inspection)
            .where(Inspection.sha256.in_([master.sha256 for master in masters.values()]))
            .execution_options(populate_existing=True)
        )
    }
    usual = _usual_rates(masters.values())
    twins = _twins(list(masters.values()))
    return {
        track_id: _report(by_sha.get(master.sha256), master, usual.get(master.track.release_id), twins[track_id])
        for track_id, master in masters.items()
    }


def _report(row: Inspection | None, master: Master, usual: int | None, twins: tuple[Twin, ...]) -> Report:
    if row is None:
        return Report("waiting")
    if row.reason is not None:
        return Report("failed", twins=twins)
    findings = [Finding(**each) for each in row.findings]
    rate = _rate(master)
    if usual is not None and rate is not None and rate != usual:
        findings.append(Finding("mixed_sample_rates", "note", {"rate": rate, "usual": usual}))
    return Report("done", tuple(findings), twins)


def _is_inspected(sha256: str) -> bool:
    made = select(Inspection.id).where(Inspection.sha256 == sha256, Inspection.version == quality.VERSION)
    return db.session.scalar(made) is not None


def _keep(sha256: str, report: QualityReport, reason: str | None) -> None:
    told = {
        "version": report.version,
        "findings": [asdict(finding) for finding in report.findings],
        "fingerprint": list(report.fingerprint),
        "words": fingerprint.index_words(report.fingerprint),
        "reason": reason,
        "created_at": clock.now(),
    }
    row = insert(Inspection).values(id=ids.new_id(), sha256=sha256, **told)
    db.session.execute(row.on_conflict_do_update(index_elements=["sha256"], set_=told))


def _alike(sha256: str, words: tuple[int, ...]) -> list[tuple[str, float]]:
    """The other masters of the same recording, and how far their fingerprints differ."""
    asked = fingerprint.search_words(words)
    if not asked:
        return []
    sought = literal(asked, ARRAY(Integer))
    own = func.unnest(Inspection.words).table_valued("word").render_derived()
    shared = select(func.count()).select_from(own).where(own.c.word == any_(sought)).scalar_subquery()
    rows = db.session.execute(
        select(Inspection.sha256, Inspection.fingerprint)
        .where(Inspection.words.overlap(sought), Inspection.sha256 != sha256)
        .order_by(shared.desc(), Inspection.sha256)
        .limit(_CANDIDATES)
    )
    found = [(other, fingerprint.alike(words, theirs)) for other, theirs in rows]
    return [(other, likeness.difference) for other, likeness in found if likeness is not None]


def _in_force(which: ColumnElement[bool]) -> dict[str, Master]:
    """The newest master of each track that `which` chooses masters of, by track id."""
    rows = db.session.scalars(select(Master).where(which).order_by(Master.created_at, Master.id.desc()))
    return {master.track_id: master for master in rows}


def _rate(master: Master) -> int | None:
    audio = master.probe.get("audio")
    return audio["sample_rate"] if audio and master.probe.get("kind") == "audio" else None


def _usual_rates(masters: Iterable[Master]) -> dict[str, int]:
    """The sample rate that most tracks of each release have, the higher of two that are as frequent, by release id."""
    releases = {master.track.release_id for master in masters}
    tracks = select(Track.id).where(Track.release_id.in_(releases))
    counted: dict[str, Counter[int]] = {}
    for master in _in_force(Master.track_id.in_(tracks)).values():
        if (rate := _rate(master)) is not None:
            counted.setdefault(master.track.release_id, Counter())[rate] += 1
    return {release: max(rates, key=lambda rate: (rates[rate], rate)) for release, rates in counted.items()}


def _twins(masters: list[Master]) -> dict[str, tuple[Twin, ...]]:
    """The earlier tracks with the same recording, oldest first, by track id."""
    own = [master.sha256 for master in masters]
    alike: dict[str, set[str]] = {sha256: {sha256} for sha256 in own}
    pairs = select(SoundAlike.one, SoundAlike.other).where(or_(SoundAlike.one.in_(own), SoundAlike.other.in_(own)))
    for one, other in db.session.execute(pairs):
        alike.setdefault(one, set()).add(other)
        alike.setdefault(other, set()).add(one)
    every = {sha256 for each in alike.values() for sha256 in each}
    holders = select(Master.track_id).where(Master.sha256.in_(every))
    there = sorted(_in_force(Master.track_id.in_(holders)).values(), key=_age)
    return {
        mine.track_id: tuple(
            Twin(theirs.track, theirs.sha256 == mine.sha256)
            for theirs in there
            if theirs.sha256 in alike[mine.sha256] and theirs.track_id != mine.track_id and _age(theirs) < _age(mine)
        )
        for mine in masters
    }


def _age(master: Master) -> tuple[object, str]:
    return master.created_at, master.id
