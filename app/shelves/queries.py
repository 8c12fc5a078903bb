"""The shelves of each page, top to bottom. None is empty, and no release stands on two of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from app.catalog.models import Artist, Kind, Release
from app.discovery import ranking as rankings
from app.shelves import candidates, completing, neighbours, viewer
from app.shelves.making import IN_ORDER, LEAST, Page
from app.shelves.shelf import Candidate, Shelf, ShelfName
from app.shelves.ways import Question
from app.shelves.why import Why


@dataclass(frozen=True, slots=True)
class Front:
    """The front page: the release it leads with, and its shelves. `more_without` is what `more` is to leave out, None
    where there is no more."""

    featured: Release | None
    shelves: list[Shelf]
    more_without: list[str] | None


def home(account_id: str | None, country: str | None = None) -> Front:
    """What a person sees first; for a guest, and who has recommendations off, what is popular and what is new."""
    seen, ranking = viewer.of(account_id, country), rankings.of(account_id)
    featured = candidates.leading(seen)
    page = Page(seen, ranking, [featured.id] if featured else [])
    why = None
    if seen.personal and ranking.is_personal:
        liked, new = candidates.liked(seen, ranking), candidates.new(seen, ranking)
        why = Why(seen, ranking, _ids(liked, new))
        liked, new = why.unknown(liked), why.unknown(new)
        if page.dealt.way(Question.FIRST).value != "popular":
            page.add(ShelfName.FOR_YOU, liked)
        _because(page, liked, why)
        page.add(ShelfName.NEW, new, least=LEAST)
    if page.count(ShelfName.FOR_YOU) < LEAST:  # too little to go by
        page.add(ShelfName.POPULAR, candidates.popular(seen), trade=IN_ORDER)
    if not page.count(ShelfName.NEW):
        page.add(ShelfName.NEW_MUSIC, candidates.newest(seen, Kind.AUDIO), trade=IN_ORDER, most=None)
    page.add(ShelfName.FILMS, candidates.newest(seen, Kind.FILM), trade=IN_ORDER, most=None)
    return Front(featured, page.shelves(why), sorted(page.taken) if seen.personal and (why or seen.held) else None)


def more(account_id: str | None, country: str | None = None, without: Collection[str] = ()) -> list[Shelf]:
    """What comes below, once somebody goes there; nothing for who is shown no personal shelf."""
    page = _page(account_id, country, without)
    seen, ranking = page.viewer, page.ranking
    if not seen.personal:
        return []
    found, told = completing.candidates(seen)
    page.add(ShelfName.COMPLETE, found, trade=IN_ORDER, completing=told)
    why = None
    if ranking.is_personal:
        liked, off = candidates.liked(seen, ranking), candidates.off_beaten(seen, ranking)
        why = Why(seen, ranking, _ids(liked, off))
        liked, off = why.unknown(liked), why.unknown(off)
        page.add(ShelfName.OFF_BEATEN, off, least=LEAST)
        _because(page, liked, why)
    return page.shelves(why)


def for_you(account_id: str | None, country: str | None = None) -> list[Shelf]:
    """That one shelf by itself; what is popular, and then new, where it is not to be had."""
    page = _page(account_id, country)
    seen, ranking = page.viewer, page.ranking
    if seen.personal and ranking.is_personal:
        liked = candidates.liked(seen, ranking)
        why = Why(seen, ranking, _ids(liked))
        if page.add(ShelfName.FOR_YOU, why.unknown(liked)):
            return page.shelves(why)
    return popular(account_id, country)


def popular(account_id: str | None, country: str | None = None) -> list[Shelf]:
    """What is popular, and then what is new, by itself: for a search that found nothing."""
    page = _page(account_id, country)
    page.add(ShelfName.POPULAR, candidates.popular(page.viewer, filled=True), trade=IN_ORDER)
    return page.shelves()


def fans_also_bought(release_id: str, account_id: str | None, country: str | None = None) -> list[Shelf]:
    """That one shelf by itself; none where nobody knows."""
    page = _page(account_id, country, {release_id})
    page.add(ShelfName.FANS, neighbours.fans(page.viewer, page.ranking, release_id))
    return page.shelves()


def release(found: Release, account_id: str | None, country: str | None = None) -> list[Shelf]:
    """What stands under a release."""
    page = _page(account_id, country, {found.id})
    page.add(ShelfName.FANS, neighbours.fans(page.viewer, page.ranking, found.id))
    by_artist = candidates.by_artist(page.viewer, found.artist_id)
    page.add(ShelfName.MORE_BY, by_artist, trade=IN_ORDER, most=None, about=found.artist)
    _near(page, found.artist)
    return page.shelves()


def artist(
    found: Artist, account_id: str | None, country: str | None = None, without: Collection[str] = ()
) -> list[Shelf]:
    """What stands under all that an artist made."""
    page = _page(account_id, country, without)
    _near(page, found)
    return page.shelves()


def _page(account_id: str | None, country: str | None, without: Collection[str] = ()) -> Page:
    return Page(viewer.of(account_id, country), rankings.of(account_id), without)


def _near(page: Page, about: Artist) -> None:
    near = neighbours.near_artist(page.viewer, page.ranking, about.id, page.taken)
    page.add(ShelfName.NEAR, near, trade=IN_ORDER, most=1, about=about)


def _because(page: Page, liked: list[Candidate], why: Why) -> None:
    """Of the releases that no shelf starts from yet, the one that moved most of what is left."""
    for about, tie, moved in why.strongest(page.free(liked), LEAST):
        if about not in page.taken and page.add(ShelfName.BECAUSE, moved, least=LEAST, about=about, tie=tie):
            return


def _ids(*found: list[Candidate]) -> list[str]:
    return sorted({one.release_id for each in found for one in each})
