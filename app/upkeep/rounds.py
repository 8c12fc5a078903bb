"""A round through the store: survey it, then mend and clear away, each step in a transaction of its own.

Nothing is removed that a job could be about to need. An object goes when it is older than the grace, when no row has
needed it for as long as a play or a download link can last, and when it is both still just before it goes. A job that
comes to need an object that lies there already writes it anew (media_store), which makes it young.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.accounts import factors, limits, sessions, tokens
from app.cart import service as carts
from app.core import clock
from app.core.db import transaction
from app.core.holdings import HoldingKind
from app.core.store import media_store, settings
from app.downloads import service as downloads
from app.media import queries as media_queries
from app.media import service as media
from app.playback import service as playback
from app.upkeep import service
from app.upkeep.survey import Fault, OnProgress, Orphan, Problem, Survey, survey

log = logging.getLogger("wavecrate.upkeep")

_ENDED_KEPT = timedelta(days=30)  # what support may be asked about
_CARTS_KEPT = timedelta(days=90)
_TRIES_KEPT = timedelta(days=1)  # longer than any limit looks back

AGAIN = "on the queue, to be made again"
WHEN_ASKED = "given up, to be packed again when somebody asks"
UNDER_WAY = "being made again already"
BY_HAND = {
    HoldingKind.MASTER: "can't be mended here: restore it from a backup, or have it uploaded again",
    HoldingKind.COVER: "can't be mended here: restore it from a backup, or choose the cover again in the studio",
    HoldingKind.RENDITION: "can't be made again while its master is missing or damaged: mend that first",
}


@dataclass(slots=True)
class Round:
    """What a round found, and what it did about it: by problem, in words; by orphan's key, whether it is gone.

    `waiting` are orphans that are left alone for now, with the moment from which they may go.
    """

    survey: Survey
    mended: dict[int, str] = field(default_factory=dict)
    removed: list[Orphan] = field(default_factory=list)
    waiting: dict[str, datetime] = field(default_factory=dict)

    @property
    def open_problems(self) -> list[Problem]:
        """What is still wrong."""
        return [each for n, each in enumerate(self.survey.problems) if not self._is_mended(n)]

    @property
    def due(self) -> list[Orphan]:
        """What may go and is still there."""
        gone = {each.key for each in self.removed}
        return [each for each in self.survey.orphans if each.key not in gone and each.key not in self.waiting]

    @property
    def clean(self) -> bool:
        """Whether all that is needed is there, whole, and nothing lies about that should have gone."""
        return not self.open_problems and not self.due

    def _is_mended(self, number: int) -> bool:
        return self.mended.get(number) in (AGAIN, WHEN_ASKED, UNDER_WAY)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values."""
        found = self.survey
        return {
            "clean": self.clean,
            "objects": found.objects,
            "bytes": found.size,
            "needed": found.needed,
            "problems": [
                {
                    "key": each.key,
                    "kind": each.holding.kind,
                    "of": each.holding.name,
                    "fault": each.fault,
                    "says": each.says,
                    "done": self.mended.get(number),
                }
                for number, each in enumerate(found.problems)
            ],
            "removed": [_orphan(each) for each in self.removed],
            "orphans": [_orphan(each) for each in self.due],
            "waiting": [
                _orphan(each) | {"until": self.waiting[each.key].isoformat()}
                for each in found.orphans
                if each.key in self.waiting
            ],
        }


def look(*, deep: bool = False, at_once: bool = False, on_progress: OnProgress | None = None) -> Round:
    """Survey the store; change nothing. `at_once`: what nothing needs is due, however young."""
    with transaction():
        needed = list(service.keys_in_use())
    made = Round(survey(media_store(), needed, deep=deep, on_progress=on_progress))
    with transaction():
        known = service.known_unneeded()
    _put_off(made, known, at_once=at_once)
    return made


def mend(made: Round) -> None:
    """Repair what can be. A track whose renditions are lost or damaged is transcoded again, its master being whole."""
    problems = made.survey.problems
    without_master = {each.holding.row for each in problems if each.holding.kind == HoldingKind.MASTER}
    broken: dict[str, list[int]] = {}
    removed: set[str] = set()  # one object may be several rows', and the first of their jobs may have written it anew
    for number, problem in enumerate(problems):
        kind, row = problem.holding.kind, problem.holding.row
        if kind == HoldingKind.RENDITION and row not in without_master:
            broken.setdefault(row, []).append(number)
        elif kind == HoldingKind.ARCHIVE:
            with transaction():
                downloads.lost(row)
                _remove_damaged([problem], removed)
            made.mended[number] = WHEN_ASKED
        else:
            made.mended[number] = BY_HAND[kind]
    for row, numbers in broken.items():
        made.mended |= dict.fromkeys(numbers, _make_again(row, [problems[number] for number in numbers], removed))


def _make_again(track_id: str, problems: Sequence[Problem], removed: set[str]) -> str:
    """Have all of a track's renditions made again, where that is not under way."""
    with transaction():
        if not media.remake(track_id):
            # A job at work on it may have written anew what was found damaged: nothing of it is touched.
            return _why_not(track_id)
        # Before the job exists for any worker: what it has written must not go.
        _remove_damaged(problems, removed)
    return AGAIN


def clear_away(made: Round, *, at_once: bool = False) -> None:
    """Note what nothing needs, and remove of it what is due."""
    with transaction():
        known = service.note_unneeded([each.key for each in made.survey.orphans])
    _put_off(made, known, at_once=at_once)
    for orphan in made.due:
        if _remove(orphan):
            made.removed.append(orphan)
            with transaction():
                service.forget(orphan.key)


def sweep(*, at_once: bool = False) -> Round:
    """Clear away what nothing needs, and plays that are long over; problems are told in the log, not mended."""
    made = look(at_once=at_once)
    clear_away(made, at_once=at_once)
    with transaction():
        plays = playback.forget_ended(clock.now() - timedelta(days=settings().play_session_keep_days))
    with transaction():
        _forget_people()
    for problem in made.survey.problems:
        log.error("%s of %s is %s: %s", problem.key, problem.holding.name, problem.fault, problem.says)
    log.info(
        "%d objects looked at, %d removed, %d waiting, %d ended plays forgotten, %d problems",
        made.survey.objects,
        len(made.removed),
        len(made.waiting),
        plays,
        len(made.survey.problems),
    )
    return made


def _forget_people() -> None:
    """What proved somebody's address, or let them in, and does so no longer; and carts that guests left standing."""
    now = clock.now()
    factors.seal_anew()
    carts.forget_guests(now - _CARTS_KEPT)
    sessions.forget(now - _ENDED_KEPT)
    tokens.forget(now - _ENDED_KEPT)
    limits.forget(now - _TRIES_KEPT)


def _put_off(made: Round, known: dict[str, datetime], *, at_once: bool) -> None:
    made.waiting.clear()
    if at_once:
        return
    now, chosen = clock.now(), settings()
    grace = timedelta(hours=chosen.store_grace_hours)
    in_use = max(grace, timedelta(seconds=max(chosen.play_session_seconds, chosen.download_url_seconds)))
    for orphan in made.survey.orphans:
        until = max(orphan.newest + grace, known.get(orphan.key, now) + in_use)
        if until > now:
            made.waiting[orphan.key] = until


def _remove(orphan: Orphan) -> bool:
    """Remove it, unless any of it has been written since; no further as soon as something needs it."""
    store = media_store()
    if _is_needed(orphan):
        return False
    there = [each for each in store.walk(orphan.key) if orphan.key.endswith("/") or each.key == orphan.key]
    if any(each.stored_at > orphan.newest for each in there):
        return False
    for each in there:
        if _is_needed(orphan):  # a film's folder takes a while
            return False
        store.delete(each.key)
    return True


def _is_needed(orphan: Orphan) -> bool:
    with transaction():
        return service.is_needed(orphan.key)


def _remove_damaged(problems: Sequence[Problem], removed: set[str]) -> None:
    """What lies there is of no use, and would be taken for whole by the job that makes it again."""
    for problem in problems:
        if problem.fault != Fault.MISSING and problem.key not in removed:
            media_store().delete(problem.key)
            removed.add(problem.key)


def _why_not(track_id: str) -> str:
    return UNDER_WAY if media_queries.job_of(track_id) else "can't be made again: the track has no master"


def _orphan(orphan: Orphan) -> dict[str, Any]:
    return asdict(orphan) | {"newest": orphan.newest.isoformat()}
