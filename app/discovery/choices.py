"""What a person decides about their own recommendations; each decision is felt on the next page they open.

What was learned of them earlier, a trained vector, is deleted at once; until the next training their shelf is folded
in from what still counts.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from app.core import clock
from app.core.db import db
from app.discovery import events, tastes
from app.discovery.models import AccountVector, Event, EventKind, Mode, Opinion, Taste, Verdict

STARS = range(1, 6)

# Rooms above that keep what needs consent add what deletes it, by account id: it is called in the open transaction when
# the person withdraws their consent, switches recommendations off, or has all forgotten.
on_withdrawn: list[Callable[[str], None]] = []

_EVENT = {Verdict.DISMISSED: EventKind.DISMISS, Verdict.ELSEWHERE: EventKind.ELSEWHERE}


def say(account_id: str, release_id: str, verdict: Verdict | None) -> None:
    """Hide the release from all of the person's shelves, as not for them or as owned elsewhere; None undoes it.

    Hiding works while learning is paused or off, too: then it is only not learned from.
    """
    events.in_turn(account_id, release_id)
    held = tastes.opinion(account_id, release_id)
    before = Verdict(held.verdict) if held and held.verdict else None
    if before == verdict:
        return
    _set(account_id, release_id, verdict=verdict)
    if before is not None:
        events.take_back(account_id, release_id, _EVENT[before])
    if verdict is not None:
        events.note(account_id, release_id, _EVENT[verdict])
    _unlearn(account_id)


def rate(account_id: str, release_id: str, stars: int | None) -> None:
    """Give the release 1 to 5 stars; None takes them back. Whether the person owns it is the caller's to ask."""
    if stars is not None and stars not in STARS:
        raise ValueError(f"{stars} stars")
    _set(account_id, release_id, stars=stars)
    if stars is None:
        events.take_back(account_id, release_id, EventKind.RATING)
    else:
        events.note(account_id, release_id, EventKind.RATING, value=(stars - 3) / 2)
    _unlearn(account_id)


def leave_out(account_id: str, release_id: str, out: bool = True) -> None:
    """Take the release out of what the shop thinks the person likes, until it is put back (`out` False)."""
    _set(account_id, release_id, left_out=out)
    _unlearn(account_id)


def set_mode(account_id: str, mode: Mode) -> None:
    """Learn and recommend, only recommend, or neither. What happened while it was paused or off stays unlearned."""
    _unlearn(account_id, mode=Mode(mode))
    if mode == Mode.OFF:
        _withdrawn(account_id)


def set_listening(account_id: str, allowed: bool) -> None:
    """Let what the person plays and views count, or not: then what of it was kept before counts no more, either."""
    _unlearn(account_id, listening=allowed)
    if not allowed:
        _withdrawn(account_id)


def forget(account_id: str) -> None:
    """Forget everything the person did, and what was learned from it, for good; how they want it done stays.

    Dismissed releases and ratings are forgotten too. No training that is under way brings any of it back.
    """
    _unlearn(account_id)
    _withdrawn(account_id)
    db.session.execute(delete(Event).where(Event.account_id == account_id))
    db.session.execute(delete(Opinion).where(Opinion.account_id == account_id))
    db.session.expire_all()


def leave(account_id: str) -> None:
    """Forget everything and the person's settings too: they have gone."""
    forget(account_id)
    db.session.execute(delete(Taste).where(Taste.account_id == account_id))


def _withdrawn(account_id: str) -> None:
    for delete_kept in on_withdrawn:
        delete_kept(account_id)


def _unlearn(account_id: str, **settings: object) -> None:
    """Drop what was learned, after noting since when: a training that began before waits for one of the two, and
    leaves the person out (`service.train`)."""
    row = {"account_id": account_id, "mode": Mode.ON, "changed_at": clock.now()} | settings
    statement = insert(Taste).values(row)
    changed = {"changed_at": row["changed_at"]} | settings
    db.session.execute(statement.on_conflict_do_update(index_elements=["account_id"], set_=changed))
    db.session.execute(delete(AccountVector).where(AccountVector.account_id == account_id))
    held = db.session.get(Taste, account_id)
    if held is not None:
        db.session.refresh(held)


def _set(account_id: str, release_id: str, **said: object) -> None:
    events.in_turn(account_id, release_id)
    held = tastes.opinion(account_id, release_id)
    if held is None:
        held = Opinion(account_id=account_id, release_id=release_id, left_out=False)
    for name, value in said.items():
        setattr(held, name, value)
    if held.verdict is None and held.stars is None and not held.left_out:
        if held in db.session:
            db.session.delete(held)
    else:
        db.session.add(held)
    db.session.flush()
