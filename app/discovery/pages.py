"""What a person tells the shop about their taste: on a card, on a release's page, and on the page of their own taste.

Script swaps in the piece of the page that changed; without it, the page comes anew with a sentence that says what was
done. Both undo where one is.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.accounts.redirects import own_path
from app.catalog import queries as catalog
from app.catalog.models import Release
from app.core.auth import Access, access
from app.core.db import transaction
from app.core.errors import Forbidden, NotFound, WavecrateError
from app.core.i18n import locale_code
from app.discovery import choices, tastes, words
from app.discovery.models import Mode, Verdict
from app.licenses import queries as licenses
from app.media import queries as media

blueprint = Blueprint("taste", __name__)

_SHOWN = 24


@blueprint.get("/account/taste")
@access(Access.SIGNED_IN)
def show() -> str:
    """What the shop thinks the person likes, and all they can do about it."""
    return render_template(
        "discovery/taste.html",
        taste=tastes.of(current_user.id),
        profile=tastes.profile(current_user.id, _SHOWN),
        dismissed=tastes.said(current_user.id, Verdict.DISMISSED),
        elsewhere=tastes.said(current_user.id, Verdict.ELSEWHERE),
        left_out=tastes.left_out(current_user.id),
        because=words.because,
    )


@blueprint.post("/account/taste/mode")
@access(Access.SIGNED_IN)
def set_mode() -> Any:
    """Learn and recommend, pause, or switch it off: field `mode`."""
    wanted = request.form.get("mode", "")
    if wanted not in set(Mode):
        raise WavecrateError(_("Choose whether recommendations are on, paused or off."))
    with transaction():
        choices.set_mode(current_user.id, Mode(wanted))
    flash(words.mode_set(Mode(wanted)), "success")
    return _back()


@blueprint.post("/account/taste/listening")
@access(Access.SIGNED_IN)
def set_listening() -> Any:
    """Whether what the person plays and views may count: field `allow`, yes or no."""
    allowed = request.form.get("allow") == "yes"
    with transaction():
        choices.set_listening(current_user.id, allowed)
    flash(words.listening_set(allowed), "success")
    return _back()


@blueprint.post("/account/taste/forget")
@access(Access.SIGNED_IN)
def forget() -> Any:
    """Forget everything the shop learned; `sure` says that it is meant."""
    if request.form.get("sure") != "yes":
        flash(_("Nothing was forgotten. Tick that you are sure."), "error")
        return _back()
    with transaction():
        choices.forget(current_user.id)
    flash(_("Forgotten. The shop knows nothing of your taste any more."), "success")
    return _back()


@blueprint.post("/releases/<release_id>/opinion")
@access(Access.SIGNED_IN)
def say(release_id: str) -> Any:
    """Field `say`: dismissed, elsewhere, undo, leave-out, put-back; or `stars`, 1 to 5, 0 to take them back.

    Field `piece` names the piece of the page that script wants back: card or release.
    """
    release = _release(release_id)
    title = release.title_in(locale_code())
    with transaction():
        told = _stars(release, title) if "stars" in request.form else _verdict(release, title)
    piece = request.form.get("piece") if "HX-Request" in request.headers else None
    if piece == "card":
        return _card(release, told)
    if piece == "release":
        return render_template(
            "discovery/_opinion.html",
            release=release,
            opinion=tastes.opinion(current_user.id, release.id),
            mine=_owns_some(release),
            told=told,
        )
    flash(told, "success")
    return _back()


def _verdict(release: Release, title: str) -> str:
    said = request.form.get("say", "")
    account_id = current_user.id
    if said in set(Verdict):
        choices.say(account_id, release.id, Verdict(said))
        return words.said(Verdict(said), title)
    if said == "undo":
        choices.say(account_id, release.id, None)
        return _("“%(title)s” may be shown to you again.", title=title)
    if said in ("leave-out", "put-back"):
        choices.leave_out(account_id, release.id, out=said == "leave-out")
        return words.left_out(said == "leave-out", title)
    raise WavecrateError(_("The shop did not understand what to do with this release. Load the page again."))


def _stars(release: Release, title: str) -> str:
    given = request.form["stars"]
    if given not in ("0", *map(str, choices.STARS)):
        raise WavecrateError(_("Give one to five stars."))
    if not _owns_some(release):
        raise Forbidden(_("Stars are given by people who own it. Buy “%(title)s” first.", title=title))
    choices.rate(current_user.id, release.id, int(given) or None)
    return words.rated(int(given), title)


def _card(release: Release, told: str) -> str:
    held = tastes.opinion(current_user.id, release.id)
    still = media.posters_of([release.tracks[0].id]) if request.form.get("film") and release.tracks else {}
    return render_template(
        "discovery/_card.html",
        release=release,
        hidden=held is not None and held.verdict is not None,
        poster=next((one.key for one in still.values()), None),
        film=request.form.get("film"),
        told=told,
    )


def _release(release_id: str) -> Release:
    found = catalog.release(release_id, include_drafts=True)
    if found is None or not (found.is_published or _owns_some(found) or tastes.opinion(current_user.id, release_id)):
        raise NotFound(_("There is no such release."))
    return found


def _owns_some(release: Release) -> bool:
    mine = licenses.owned_track_ids(current_user.id)
    return any(track.id in mine for track in release.tracks)


def _back() -> Any:
    return redirect(own_path(request.form.get("next")) or url_for("discovery.taste.show"), 303)
