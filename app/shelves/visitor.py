"""What shelves are told of a request: that somebody looks at a page, and from which shelf they came."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import request
from sqlalchemy.exc import SQLAlchemyError

from app.cart.visitor import account_id
from app.core.db import transaction
from app.discovery.looking import looked_at
from app.shelves import exposures
from app.shelves.shelf import Shelf

log = logging.getLogger("wavecrate.shelves")

FROM = "from"
"""The argument of a release page's address that names the shelf whose card leads there."""


def seen(shelves: Sequence[Shelf]) -> None:
    """Keep that the page, or piece of one, shows these shelves; call it once for each answer.

    What nobody looks at is not kept, and a page is shown even where nothing can be kept.
    """
    if not shelves or not looked_at(request):
        return
    try:
        with transaction():
            exposures.shown(shelves, account_id())
    except SQLAlchemyError:
        log.exception("what was shown could not be kept")


def came_by_shelf(release_id: str) -> None:
    """Keep that somebody followed a card to the release's page, where the address says so and they did.

    An address with its shelf may be passed on, kept and opened again: only the way from a page of ours counts, and not
    loading the page anew.
    """
    shelf = request.args.get(FROM)
    if shelf is None or not looked_at(request) or _again() or not _from_here():
        return
    try:
        with transaction():
            exposures.followed(shelf, release_id, account_id())
    except SQLAlchemyError:
        log.exception("what was followed could not be kept")


def _again() -> bool:
    """Whether the page is loaded anew: then browsers ask for one that is no older than now."""
    return request.headers.get("Cache-Control", "") in ("max-age=0", "no-cache")


def _from_here() -> bool:
    """Whether another page of this shop led here: the Referrer-Policy has browsers say so."""
    came = urlsplit(request.headers.get("Referer", ""))
    return came.netloc == request.host and came.path != request.path
