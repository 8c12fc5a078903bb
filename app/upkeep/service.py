"""What upkeep remembers and what it has the rooms do."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import chain

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from app.catalog import holdings as catalog
from app.core import clock
from app.core.db import db
from app.core.holdings import Holding, HoldingKind
from app.downloads import holdings as downloads
from app.media import holdings as media
from app.studio import holdings as studio
from app.upkeep.models import Unneeded
from media_store import keys

_AT_ONCE = 1000


def keys_in_use(only: Collection[str] | None = None) -> Iterator[Holding]:
    """What every room needs of the store, at this moment; `only` asks for holdings of these keys."""
    return chain(
        studio.keys_in_use(only),
        downloads.keys_in_use(only),
        media.keys_in_use(only),
        catalog.keys_in_use(only),
    )


def is_needed(key: str) -> bool:
    """Whether any row needs what lies under the key, a stream's folder or one of its members included.

    A member that a finished stream's playlists don't name is not needed; of a stream that is being made, what no
    playlist names yet may be about to be named.
    """
    unit = keys.unit(key)
    return any(each.key == key or each.kind == HoldingKind.UNFINISHED for each in keys_in_use({key, unit}))


def known_unneeded() -> dict[str, datetime]:
    """What nothing needed when a round last came past, and since when."""
    return {row.key: row.since for row in db.session.execute(select(Unneeded.key, Unneeded.since))}


def note_unneeded(found: Collection[str]) -> dict[str, datetime]:
    """Remember what nothing needs now, and forget what is needed again or gone; return since when each is known."""
    present = set(found)
    known = known_unneeded()
    now = clock.now()
    for some in _batches(present - set(known)):
        rows = [{"key": key, "since": now} for key in some]
        db.session.execute(insert(Unneeded).values(rows).on_conflict_do_nothing())
    for some in _batches(set(known) - present):
        db.session.execute(delete(Unneeded).where(Unneeded.key.in_(some)))
    return {key: known.get(key, now) for key in present}


def forget(key: str) -> None:
    """It is gone."""
    db.session.execute(delete(Unneeded).where(Unneeded.key == key))


def _batches(found: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(found)
    for first in range(0, len(ordered), _AT_ONCE):
        yield ordered[first : first + _AT_ONCE]
