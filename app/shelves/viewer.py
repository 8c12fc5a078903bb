"""Who a page is for, and the one rule of what may be shown to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, func, or_, select

from app.catalog import territory
from app.catalog.models import Release, Status, Track
from app.core.db import db
from app.discovery import tastes
from app.discovery.models import Mode
from app.licenses import queries as licenses


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person, or a guest. `personal`: whether shelves may follow their taste. `held` says of each release they own
    anything of how many of its tracks, and how many it has; `hidden` is what they asked not to be shown; `country` is
    where they are, as far as that is known."""

    account_id: str | None = None
    country: str | None = None
    personal: bool = False
    owned: frozenset[str] = frozenset()
    held: dict[str, tuple[int, int]] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()

    @property
    def on_sale(self) -> tuple[ColumnElement[bool], ...]:
        """Conditions about `Release`: what is for sale to this viewer at all, to everybody alike or where they are."""
        return (Release.status == Status.PUBLISHED, territory.sold_in(self.country))

    def may_be_shown(self, *more: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
        """Conditions about `Release` that every candidate of every shelf meets: on sale, not theirs already, and not
        what they asked not to be shown. Nothing comes onto a shelf, or into a radio, but through here.
        """
        never = self.owned | self.hidden
        return (*self.on_sale, *([Release.id.not_in(never)] if never else []), *more)

    def may_be_heard(self, *more: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
        """The same for a radio, and where a page leads with something: what they own is welcome, wherever they are."""
        sold = territory.sold_in(self.country)
        theirs = or_(sold, Release.id.in_(self.owned)) if self.owned else sold
        return (
            Release.status == Status.PUBLISHED,
            theirs,
            *([Release.id.not_in(self.hidden)] if self.hidden else []),
            *more,
        )

    def unfamiliar(self) -> ColumnElement[bool]:
        """Beside that, for what is to be discovered: nothing of which they own a part."""
        return Release.id.not_in(self.held.keys())


def of(account_id: str | None, country: str | None = None) -> Viewer:
    """The person as they are at this moment."""
    if account_id is None:
        return Viewer(country=country)
    held = _held(account_id)
    whole = {one for one, (mine, all_) in held.items() if mine == all_}
    return Viewer(
        account_id,
        country,
        personal=tastes.mode(account_id) != Mode.OFF,
        owned=frozenset(whole | licenses.owned_release_ids(account_id)),
        held=held,
        hidden=frozenset(tastes.hidden(account_id)),
    )


def showable(viewer: Viewer, release_ids: Iterable[str]) -> set[str]:
    """Which of those may be shown to them."""
    wanted = set(release_ids)
    if not wanted:
        return set()
    return set(db.session.scalars(select(Release.id).where(Release.id.in_(wanted), *viewer.may_be_shown())))


def _held(account_id: str) -> dict[str, tuple[int, int]]:
    mine = licenses.owned_track_ids(account_id)
    if not mine:
        return {}
    touched = select(Track.release_id).where(Track.id.in_(mine))
    query = (
        select(Track.release_id, func.count().filter(Track.id.in_(mine)), func.count())
        .where(Track.release_id.in_(touched))
        .group_by(Track.release_id)
    )
    return {release_id: (held, all_) for release_id, held, all_ in db.session.execute(query)}
