"""What may come onto a shelf, from the catalogue and from what people do; every read asks the viewer's one rule."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, func, or_, select

from app.catalog.models import Kind, Release, Track
from app.core import clock
from app.core.db import db
from app.discovery import queries as discovery
from app.discovery.ranking import Ranking, Scored
from app.shelves.shelf import Candidate, Source
from app.shelves.viewer import Viewer

POOL = 100
"""How many of the best are looked at for a shelf: what comes after suits too little to make up for it by differing."""

NEW_DAYS = 30
"""For so long a release is new."""

SUITS = 0.2
"""What has less than this share of the best score doesn't suit, and is not shown for being different either."""

_WIDE = 400  # less popular ones are to be found among these


def liked(viewer: Viewer, ranking: Ranking) -> list[Candidate]:
    """What suits the person best."""
    return _of(ranking.liked(POOL, *viewer.may_be_shown(viewer.unfamiliar())))


def new(viewer: Viewer, ranking: Ranking) -> list[Candidate]:
    """Of what was published in the last NEW_DAYS, what suits the person best."""
    lately = Release.published_at > clock.now() - timedelta(days=NEW_DAYS)
    return _of(ranking.liked(POOL, *viewer.may_be_shown(viewer.unfamiliar(), lately)))


def off_beaten(viewer: Viewer, ranking: Ranking) -> list[Candidate]:
    """What points where the person's taste points, of the less popular half of what is on sale."""
    found = ranking.alike(_WIDE, *viewer.may_be_shown(viewer.unfamiliar()))
    beaten = _popular_half(viewer) if found else set()
    return _of([one for one in found if one[0] not in beaten][:POOL])


def popular(viewer: Viewer, *, filled: bool = False) -> list[Candidate]:
    """What people do most of late; `filled` up with what is newest, where nothing above or below shows that."""
    heat = {one: heat for one, heat in discovery.heat_of_releases().items() if heat > 0}
    shown = select(Release.id).where(Release.id.in_(heat), *viewer.may_be_shown())
    hot = sorted(db.session.scalars(shown), key=lambda one: (-heat[one], one))[:POOL]
    found = [Candidate(one, heat[one], Source.POPULAR) for one in hot]
    if filled:
        there = set(hot)
        found += [one for one in newest(viewer) if one.release_id not in there]
    return found


def newest(viewer: Viewer, kind: Kind | None = None) -> list[Candidate]:
    """What was published last, the newest first, without what they have a part of: that is to be completed, not new."""
    of_kind = [] if kind is None else [Release.kind == kind]
    return _by_age(viewer, viewer.unfamiliar(), *of_kind)


def by_artist(viewer: Viewer, artist_id: str) -> list[Candidate]:
    """What is by the artist, or has a track that is, the newest first."""
    credited = select(Track.release_id).where(Track.artist_id == artist_id)
    return _by_age(viewer, or_(Release.artist_id == artist_id, Release.id.in_(credited)))


def leading(viewer: Viewer) -> Release | None:
    """What a front page leads with: the newest that they don't own, music before films."""
    order = (Release.id.in_(viewer.owned), Release.kind != Kind.AUDIO, Release.published_at.desc(), Release.id)
    return db.session.scalars(select(Release).where(*viewer.may_be_heard()).order_by(*order).limit(1)).first()


def _by_age(viewer: Viewer, *conditions: ColumnElement[bool]) -> list[Candidate]:
    query = (
        select(Release.id)
        .where(*viewer.may_be_shown(*conditions))
        .order_by(Release.published_at.desc(), Release.id)
        .limit(POOL)
    )
    return [Candidate(one, -place, Source.CATALOGUE) for place, one in enumerate(db.session.scalars(query))]


def _popular_half(viewer: Viewer) -> set[str]:
    """The half of what is on sale that most is done with; at most what discovery remembers as popular."""
    heat = {one: heat for one, heat in discovery.heat_of_releases().items() if heat > 0}
    count = db.session.scalar(select(func.count()).select_from(Release).where(*viewer.on_sale)) or 0
    return set(sorted(heat, key=lambda one: (-heat[one], one))[: count // 2])


def _of(scored: Scored) -> list[Candidate]:
    return [Candidate(one, score, Source.MODEL) for one, score in scored if score >= SUITS * scored[0][1]]
