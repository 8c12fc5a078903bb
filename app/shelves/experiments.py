"""Trials: who gets which way, by hash; begun and ended by staff. Nothing here commits.

A shelf takes part in one trial at a time, so what a person is shown on it has one cause. Only people with a unit
(`units.unit_of`) take part; everybody else gets the usual ways.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from flask_babel import gettext as _
from sqlalchemy import func, select

from app.core import clock
from app.core.db import db
from app.core.errors import Conflict, WavecrateError
from app.shelves.models import Trial
from app.shelves.shelf import Kept, ShelfName
from app.shelves.units import unit_of
from app.shelves.ways import QUESTIONS, Question, Way

BUCKETS = 10_000
MOST_DAYS = 60
"""A trial ends by then: pseudonyms are kept for longer (`exposures.KEEP_DAYS`)."""

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LOCK = 0x74726961  # "tria": beginnings of trials come one after the other


class BadTrial(WavecrateError):
    """A trial like that can't be made; the message says what to change."""


class Metric(StrEnum):
    """What a trial is decided by; the other one is reported beside it."""

    CLICKS = "clicks"
    PURCHASES = "purchases"


class TrialState(StrEnum):
    """How far a trial has come."""

    DRAFT = "draft"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Variant:
    """A way, and in per cent how many units get it."""

    way: str
    share: int


@dataclass(frozen=True, slots=True)
class TrialWish:
    """A trial as staff want it; the first variant is what the others are held against."""

    name: str
    hypothesis: str
    question: Question
    variants: Sequence[Variant]
    metric: Metric
    days: int


@dataclass(frozen=True, slots=True)
class Dealt:
    """By which ways one page's shelves are made for one person."""

    unit: str | None = None
    ways: Mapping[Question, Way] = field(default_factory=dict)
    trials: Mapping[ShelfName, tuple[str, str]] = field(default_factory=dict)

    def way(self, question: Question) -> Way:
        """The answer that this person gets: the usual one where nothing is tried on them."""
        return self.ways.get(question) or QUESTIONS[question].usual

    def kept(self, shelf: ShelfName) -> Kept:
        """How it is kept that the shelf is shown to this person: of which trial, and by which way in it."""
        return Kept(self.unit, *self.trials.get(shelf, (None, None)))


def bucket(salt: str, unit: str) -> int:
    """The bucket of 0 to BUCKETS - 1 that the unit falls into, the same each time; even, and by salt independent."""
    drawn = hashlib.sha256(f"{salt}:{unit}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") % BUCKETS


def variant_of(trial: Trial, unit: str) -> str:
    """The way that the trial deals to the unit, always the same."""
    fallen = bucket(trial.salt, unit)
    upto = 0
    for each in variants(trial):
        upto += each.share * BUCKETS // 100
        if fallen < upto:
            return each.way
    raise AssertionError("shares add up to 100")


def deal(account_id: str | None) -> Dealt:
    """What the person gets on this page; asked once per page."""
    unit = unit_of(account_id)
    trials = running() if unit else []
    ways: dict[Question, Way] = {}
    taking_part: dict[ShelfName, tuple[str, str]] = {}
    for trial in trials:
        choice = QUESTIONS.get(Question(trial.question)) if trial.question in set(Question) else None
        name = variant_of(trial, unit or "")
        if choice is None or name not in {way.name for way in choice.ways}:
            continue  # begun by a version of the shop that knew more ways
        ways[Question(trial.question)] = choice.way(name)
        taking_part |= dict.fromkeys(choice.shelves, (trial.id, name))
    return Dealt(unit, ways, taking_part)


def variants(trial: Trial) -> list[Variant]:
    """The trial's variants, the one that the others are held against first."""
    return [Variant(each["way"], each["share"]) for each in trial.variants]


def state(trial: Trial) -> TrialState:
    """How far it has come."""
    if trial.started_at is None:
        return TrialState.DRAFT
    return TrialState.ENDED if ended_at(trial) is not None else TrialState.RUNNING


def ended_at(trial: Trial) -> datetime | None:
    """When it ended, if it has."""
    if trial.stopped_at is not None:
        return trial.stopped_at
    return trial.until_at if trial.until_at is not None and trial.until_at <= clock.now() else None


def running() -> list[Trial]:
    """The trials that are under way, the oldest first."""
    query = select(Trial).where(Trial.started_at.is_not(None), Trial.stopped_at.is_(None), Trial.until_at > clock.now())
    return list(db.session.scalars(query.order_by(Trial.started_at, Trial.id)))


def all_trials() -> list[Trial]:
    """Every trial, the newest first."""
    return list(db.session.scalars(select(Trial).order_by(Trial.created_at.desc(), Trial.id)))


def of_id(trial_id: str) -> Trial | None:
    """The trial."""
    return db.session.get(Trial, trial_id)


def named(name: str) -> Trial | None:
    """The trial of that name."""
    return db.session.scalars(select(Trial).where(Trial.name == name)).one_or_none()


def create(wish: TrialWish) -> Trial:
    """Write a trial down, without beginning it; raise BadTrial where it contradicts itself."""
    if not _NAME.fullmatch(wish.name) or len(wish.name) > 60:
        raise BadTrial(_("A name has up to 60 small letters, digits and single hyphens, like more-diverse-2026."))
    if named(wish.name) is not None:
        raise BadTrial(_("There is a trial of that name already. Choose another name."))
    if not wish.hypothesis.strip():
        raise BadTrial(_("Say what you expect before you look: “… makes people follow more cards, because …”."))
    if not 1 <= wish.days <= MOST_DAYS:
        raise BadTrial(_("A trial runs for 1 to %(most)s days.", most=MOST_DAYS))
    known = {way.name for way in QUESTIONS[wish.question].ways}
    ways = [each.way for each in wish.variants]
    if len(ways) < 2 or len(set(ways)) < len(ways) or not set(ways) <= known:
        raise BadTrial(_("Choose two different ways to compare."))
    if any(each.share < 1 for each in wish.variants) or sum(each.share for each in wish.variants) != 100:
        raise BadTrial(_("Each way has a share of at least 1 per cent, and together they have 100."))
    made = Trial(
        name=wish.name,
        hypothesis=wish.hypothesis.strip(),
        question=wish.question,
        variants=[{"way": each.way, "share": each.share} for each in wish.variants],
        metric=wish.metric,
        salt=secrets.token_hex(8),
        days=wish.days,
    )
    db.session.add(made)
    db.session.flush()
    return made


def start(trial: Trial) -> None:
    """Begin it; raise Conflict where it has begun before, or a shelf of its takes part in another."""
    db.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    db.session.refresh(trial)
    if trial.started_at is not None:
        raise Conflict(_("This trial has begun before. Make another one: what was seen would spoil this one."))
    shelves = QUESTIONS[Question(trial.question)].shelves
    for other in running():
        if other.question in set(Question) and QUESTIONS[Question(other.question)].shelves & shelves:
            raise Conflict(
                _("“%(name)s” runs on the same shelves. End it first, or wait until it is over.", name=other.name)
            )
    trial.started_at = clock.now()
    trial.until_at = trial.started_at + timedelta(days=trial.days)
    db.session.flush()


def stop(trial: Trial) -> None:
    """End it now; raise Conflict where it is not under way."""
    if state(trial) != TrialState.RUNNING:
        raise Conflict(_("This trial is not under way."))
    trial.stopped_at = clock.now()
    db.session.flush()


def discard(trial: Trial) -> None:
    """Throw a trial away that was never begun; raise Conflict for any other: what was found out stays."""
    if trial.started_at is not None:
        raise Conflict(_("This trial has begun: what it found out stays."))
    db.session.delete(trial)
    db.session.flush()
