"""Routes of shelves: one by one as fragments, what comes below once somebody scrolls there, and radio."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify, make_response, render_template, request, url_for
from flask_login import current_user

from app.cart.visitor import account_id
from app.core.auth import Access, access
from app.core.i18n import locale_code
from app.pricing.visitor import country
from app.shelves import queries, radio, staff_pages, visitor, words
from app.shelves.shelf import Shelf

blueprint = Blueprint("shelves", __name__)
blueprint.register_blueprint(staff_pages.blueprint)
blueprint.add_app_template_filter(words.title, "shelf_title")
blueprint.add_app_template_filter(words.why, "why")

_MOST_WITHOUT = 100


@blueprint.get("/shelves/for-you")
@access(Access.PUBLIC)
def for_you() -> Any:
    """What this person may like; for a guest, and who has recommendations off, what is popular."""
    return _fragment(queries.for_you(account_id(), country()))


@blueprint.get("/shelves/fans-also-bought/<release_id>")
@access(Access.PUBLIC)
def fans_also_bought(release_id: str) -> Any:
    """What else the people who like this release like; an empty answer where nobody knows."""
    return _fragment(queries.fans_also_bought(release_id, account_id(), country()))


@blueprint.get("/shelves/more")
@access(Access.PUBLIC)
def more() -> Any:
    """What comes below the front page's shelves: a fragment for script, else a page.

    `without` names, between commas, the releases that stand above; at most 100 of them count.
    """
    without = request.args.get("without", "").split(",")[:_MOST_WITHOUT]
    shelves = queries.more(account_id(), country(), without)
    if "HX-Request" in request.headers and "HX-Boosted" not in request.headers:
        return _fragment(shelves)
    visitor.seen(shelves)
    return render_template("shelves/more.html", shelves=shelves)


@blueprint.post("/radio/<track_id>")
@access(Access.PUBLIC)
def tune(track_id: str) -> Any:
    """The next handful of the station that begins at this track.

    Takes `{played, skipped}`, lists of track ids, the latest last. Answers `{tracks, again, signed_in}`: what plays
    next, in order, each with the address of its preview where it doesn't play whole; `again` says that everything was
    played once and the round begins anew.
    """
    handful = radio.tune(track_id, radio.said(request.get_json(silent=True)), account_id(), country())
    answer = jsonify(
        tracks=[_entry(one) for one in handful.entries],
        again=handful.again,
        signed_in=current_user.is_authenticated,
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _entry(one: radio.Entry) -> dict[str, Any]:
    track, locale = one.track, locale_code()
    return {
        "id": track.id,
        "title": track.title_in(locale),
        "artist": track.credited_artist.name_in(locale),
        "release_id": track.release_id,
        "href": url_for("storefront.release", release_id=track.release_id),
        "cover": f"/{track.release.cover_key}" if track.release.cover_key else "",
        "whole": one.whole,
        "preview": None if one.preview_key is None else f"/{one.preview_key}",
    }


def _fragment(shelves: list[Shelf]) -> Any:
    visitor.seen(shelves)
    answer = make_response(render_template("shelves/fragment.html", shelves=shelves, onward="/"))
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer
