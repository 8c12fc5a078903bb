"""Reads of the catalogue for pages. The public sees published releases only; editors pass `include_drafts`.

Relationships load in a fixed number of queries however many releases a page shows (see the models' `lazy`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select, union_all

from app.catalog.models import Artist, BundledRelease, Genre, Kind, Label, Offer, OfferKind, Release, Status, Track
from app.core.db import db
from app.core.paging import Page, page_of

# What a page shows only, as a condition on columns of Release: an editor's own, or what is sold where the visitor is.
Only = ColumnElement[bool] | None

PAGE_SIZE = 24
_MAX_WORDS = 6
_MAX_QUERY = 100
# Share of a word's trigrams that must be met for it to count as a misspelling: one wrong, missing or
# doubled letter in a word of six leaves about this much.
_TYPO = 0.4
_RELEASE_PAGE = re.compile(r"(?:^|/releases/)([0-9A-Za-z]{16})/?(?:[?#].*)?$")


def newest(limit: int, kind: Kind | None = None, *, include_drafts: bool = False, only: Only = None) -> list[Release]:
    """The releases published last (drafts by when they were made), newest first; only those for which `only` holds."""
    query = _visible(select(Release), include_drafts, only)
    if kind is not None:
        query = query.where(Release.kind == kind)
    at = func.coalesce(Release.published_at, Release.created_at)
    return list(db.session.scalars(query.order_by(at.desc(), Release.id).limit(limit)))


def release(release_id: str, *, include_drafts: bool = False) -> Release | None:
    """The release, or None where there is none to be seen."""
    return db.session.scalars(_visible(select(Release), include_drafts).where(Release.id == release_id)).one_or_none()


def release_at(address: str) -> Release | None:
    """The release whose page, in the shop or the studio, is at that address; its id alone will do. Drafts too."""
    found = _RELEASE_PAGE.search(address.strip())
    return db.session.get(Release, found[1]) if found else None


def bundles(release_id: str | None = None) -> list[Offer]:
    """The bundles on offer, the newest first; only those with that release, where one is named."""
    query = select(Offer).where(Offer.kind == OfferKind.BUNDLE, Offer.active)
    if release_id is not None:
        holding = select(BundledRelease.offer_id).where(BundledRelease.release_id == release_id)
        query = query.where(Offer.id.in_(holding))
    return list(db.session.scalars(query.order_by(Offer.created_at.desc(), Offer.id)))


def release_by_import_key(import_key: str) -> Release | None:
    """What an earlier import made under that key, published or not."""
    return db.session.scalars(select(Release).where(Release.import_key == import_key)).one_or_none()


def track(track_id: str, *, include_drafts: bool = False) -> Track | None:
    """The track, or None where there is none to be seen."""
    query = select(Track).join(Track.release).where(Track.id == track_id)
    return db.session.scalars(_visible(query, include_drafts)).one_or_none()


def tracks_by_ids(ids: Sequence[str]) -> list[Track]:
    """The tracks, published or not, in the order of `ids`; unknown ids are left out."""
    found = {row.id: row for row in db.session.scalars(select(Track).where(Track.id.in_(ids)))}
    return [found[one] for one in ids if one in found]


def offer(offer_id: str) -> Offer | None:
    """The offer if it can be bought now: active, and of a published release."""
    found = db.session.get(Offer, offer_id)
    return found if found is not None and found.on_sale else None


def artist(artist_id: str, *, include_drafts: bool = False) -> Artist | None:
    """The artist, if anything of theirs is to be seen."""
    shown = _visible(select(Release.id), include_drafts).outerjoin(Track, Track.release_id == Release.id)
    shown = shown.where(or_(Release.artist_id == Artist.id, Track.artist_id == Artist.id))
    query = select(Artist).where(Artist.id == artist_id, shown.exists())
    return db.session.scalars(query).one_or_none()


def releases_of_artist(artist_id: str, *, include_drafts: bool = False, only: Only = None) -> list[Release]:
    """The artist's releases, and those with a track credited to them, newest first."""
    credited = select(Track.release_id).where(Track.artist_id == artist_id)
    query = _visible(select(Release), include_drafts, only)
    query = query.where(or_(Release.artist_id == artist_id, Release.id.in_(credited)))
    at = func.coalesce(Release.published_at, Release.created_at)
    return list(db.session.scalars(query.order_by(Release.released_on.desc().nulls_last(), at.desc(), Release.id)))


def releases_by_ids(ids: Sequence[str], *, include_drafts: bool = False) -> list[Release]:
    """The releases in the order of `ids`; what is unknown or not to be seen is left out."""
    query = _visible(select(Release), include_drafts).where(Release.id.in_(ids))
    found = {row.id: row for row in db.session.scalars(query)}
    return [found[one] for one in ids if one in found]


def artists_of(release_ids: Collection[str]) -> dict[str, str]:
    """Whose each of those releases is, by ids; published or not."""
    if not release_ids:
        return {}
    query = select(Release.id, Release.artist_id).where(Release.id.in_(release_ids))
    return {row.id: row.artist_id for row in db.session.execute(query)}


def labels() -> list[Label]:
    """Every label, by name."""
    return list(db.session.scalars(select(Label).order_by(Label.name)))


def genres(*, include_drafts: bool = False, only: Only = None) -> list[Genre]:
    """The genres that something to be seen is filed under, by name."""
    filed = _visible(select(Release.genre_id), include_drafts, only).where(Release.genre_id.is_not(None))
    return list(db.session.scalars(select(Genre).where(Genre.id.in_(filed)).order_by(Genre.name)))


def genre(slug: str) -> Genre | None:
    """The genre at that address."""
    return db.session.scalars(select(Genre).where(Genre.slug == slug)).one_or_none()


def browse(
    genre: str | None = None,
    kind: Kind | None = None,
    page: int = 1,
    *,
    include_drafts: bool = False,
    only: Only = None,
) -> Page[Release]:
    """A page of releases, newest first, of a genre (its slug), a kind, and what `only` tells, where given."""
    query = _visible(select(Release), include_drafts, only)
    if genre is not None:
        query = query.where(Release.genre_id.in_(select(Genre.id).where(Genre.slug == genre)))
    if kind is not None:
        query = query.where(Release.kind == kind)
    at = func.coalesce(Release.published_at, Release.created_at)
    return page_of(query, at.desc(), Release.id.asc(), number=page, size=PAGE_SIZE)


def search(text: str, limit: int, *, include_drafts: bool = False, only: Only = None) -> list[Release]:
    """Releases in which every word of `text` occurs (title, artist, tracks, label, genre; both languages), best first.

    Case and accents don't matter. A word may be any part of another, so two Chinese characters find a title.
    Only when nothing matches so are Latin words taken for misspelt.
    """
    whole = fold(text)
    words = whole.split()[:_MAX_WORDS]
    if not words:
        return []
    fields = _fields(include_drafts, only)
    return _search(whole, words, limit, fields, typos=False) or (
        _search(whole, words, limit, fields, typos=True) if any(map(_may_be_misspelt, words)) else []
    )


def fold(text: str) -> str:
    """Text as it is searched for: compatibility-composed (full-width letters are letters), one space between words."""
    return " ".join(unicodedata.normalize("NFKC", text)[:_MAX_QUERY].replace("\0", "").split()).lower()


def _search(whole: str, words: list[str], limit: int, searched: Select[Any], *, typos: bool) -> list[Release]:
    fields = searched.subquery("field")
    folded = (
        select(fields.c.release_id, fields.c.weight, func.lower(func.unaccent(fields.c.text)).label("text"))
        .where(fields.c.text.is_not(None))
        .cte("folded")
    )

    def matches(word: str) -> ColumnElement[bool]:
        exact = folded.c.text.contains(func.lower(func.unaccent(_escaped(word))), escape="\\")
        return or_(exact, _likeness(word, folded.c.text) >= _TYPO) if typos and _may_be_misspelt(word) else exact

    def quality(word: str) -> ColumnElement[float]:
        """How well one field answers one word: as a word of its own, at the start of one, or inside."""
        plain = func.lower(func.unaccent(word))
        pattern = func.lower(func.unaccent(_escaped(word)))
        padded = literal(" ") + folded.c.text + literal(" ")
        return case(
            (folded.c.text == plain, 4.0),
            (padded.contains(literal(" ") + pattern + literal(" "), escape="\\"), 3.0),
            (padded.contains(literal(" ") + pattern, escape="\\"), 2.0),
            (folded.c.text.contains(pattern, escape="\\"), 1.5),
            else_=_likeness(word, folded.c.text) if _may_be_misspelt(word) else 0.0,
        )

    score: ColumnElement[float] = func.max(folded.c.weight * quality(whole)) * 2
    for word in words:
        score = score + func.max(case((matches(word), folded.c.weight * quality(word)), else_=0.0))
    ranked = (
        select(folded.c.release_id, score.label("score"))
        .group_by(folded.c.release_id)
        .having(and_(*(func.bool_or(matches(word)) for word in words)))
        .subquery("ranked")
    )
    query = (
        select(Release)
        .join(ranked, ranked.c.release_id == Release.id)
        .order_by(ranked.c.score.desc(), Release.published_at.desc().nulls_last(), Release.id)
        .limit(limit)
    )
    return list(db.session.scalars(query))


def _fields(include_drafts: bool, only: Only) -> Select[Any]:
    """Everything that can be searched, a row each: release_id, text, and how much a match there weighs."""

    def rows(text: Any, weight: float, joined: Select[Any]) -> Select[Any]:
        return _visible(joined.add_columns(text.label("text"), literal(weight).label("weight")), include_drafts, only)

    base = select(Release.id.label("release_id"))
    by_artist = base.join(Artist, Artist.id == Release.artist_id)
    by_label = base.join(Label, Label.id == Release.label_id)
    by_genre = base.join(Genre, Genre.id == Release.genre_id)
    by_track = base.join(Track, Track.release_id == Release.id)
    by_track_artist = by_track.join(Artist, Artist.id == Track.artist_id)
    parts = [
        rows(Release.title, 8.0, base),
        rows(Release.title_zh, 8.0, base),
        rows(Artist.name, 6.0, by_artist),
        rows(Artist.name_zh, 6.0, by_artist),
        rows(Track.title, 4.0, by_track),
        rows(Track.title_zh, 4.0, by_track),
        rows(Artist.name, 3.0, by_track_artist),
        rows(Artist.name_zh, 3.0, by_track_artist),
        rows(Label.name, 2.0, by_label),
        rows(Label.name_zh, 2.0, by_label),
        rows(Genre.name, 2.0, by_genre),
        rows(Genre.name_zh, 2.0, by_genre),
    ]
    return select(union_all(*parts).subquery())


def _likeness(word: str, text: ColumnElement[Any]) -> ColumnElement[float]:
    return func.word_similarity(func.lower(func.unaccent(word)), text)


def _may_be_misspelt(word: str) -> bool:
    """Trigrams say nothing of short words, and the database makes none of Chinese."""
    letters = [c for c in unicodedata.normalize("NFKD", word) if c.isascii() and c.isalnum()]
    return len(letters) >= 4


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _visible(query: Select[Any], include_drafts: bool, only: Only = None) -> Select[Any]:
    if only is not None:
        query = query.where(only)
    return query if include_drafts else query.where(Release.status == Status.PUBLISHED)
