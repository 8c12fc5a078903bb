"""What would complete a person's collection: the rest of albums they have tracks of, and what is missing of artists
they own most of."""

from __future__ import annotations

from sqlalchemy import exists, func, select

from app.accounts.models import Account
from app.cart import pricing
from app.catalog.models import Artist, Offer, OfferKind, Release
from app.core.db import db
from app.shelves.shelf import Candidate, Completing, Source
from app.shelves.viewer import Viewer

AT_LEAST = 2
"""Whoever owns one release of an artist's collects nothing yet."""

MOST_OF = 0.5
"""More than this share of what an artist has on sale is most of it."""

_CONSIDERED = 50

_ON_SALE = exists().where(Offer.release_id == Release.id, Offer.kind == OfferKind.BUY, Offer.active)


def candidates(viewer: Viewer) -> tuple[list[Candidate], dict[str, Completing]]:
    """Albums that were begun first, those of which most is held before others; then what is missing of artists."""
    if viewer.account_id is None or not viewer.held:
        return [], {}
    told = _albums(viewer) | _of_artists(viewer)
    scores = {one: each.held / each.of + (0 if each.artist else 1) for one, each in told.items()}
    found = [
        Candidate(one, scores[one], Source.CATALOGUE) for one in sorted(scores, key=lambda one: (-scores[one], one))
    ]
    return found[:_CONSIDERED], told


def _albums(viewer: Viewer) -> dict[str, Completing]:
    begun = [one for one in viewer.held if one not in viewer.owned]
    if not begun:
        return {}
    query = select(Release).where(Release.id.in_(begun), *viewer.may_be_shown(_ON_SALE))
    releases = list(db.session.scalars(query))
    costs = pricing.to_complete(
        [release.offer for release in releases if release.offer is not None],
        db.session.get(Account, viewer.account_id),
    )
    return {
        release.id: Completing(*viewer.held[release.id], cost=costs.get(release.offer.id))
        for release in releases
        if release.offer is not None
    }


def _of_artists(viewer: Viewer) -> dict[str, Completing]:
    if len(viewer.owned) < AT_LEAST:
        return {}
    theirs = select(Release.artist_id).where(Release.id.in_(viewer.owned))
    held = func.count().filter(Release.id.in_(viewer.owned))
    query = (
        select(Artist, held, func.count())
        .join(Release, Release.artist_id == Artist.id)
        .where(Release.artist_id.in_(theirs), *viewer.on_sale)
        .group_by(Artist.id)
        .having(held >= AT_LEAST, held > MOST_OF * func.count(), held < func.count())
    )
    collected = {artist.id: Completing(mine, all_, artist) for artist, mine, all_ in db.session.execute(query)}
    if not collected:
        return {}
    missing = select(Release.id, Release.artist_id).where(
        Release.artist_id.in_(collected), *viewer.may_be_shown(_ON_SALE, viewer.unfamiliar())
    )
    return {one: collected[artist_id] for one, artist_id in db.session.execute(missing)}
