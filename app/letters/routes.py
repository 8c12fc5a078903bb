"""The outbox: what the shop wrote, to look at. On one machine it stands in for everybody's mailbox."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import format_datetime
from flask_babel import gettext as _

from app.core.auth import Access, Permission, access, admit
from app.core.db import transaction
from app.core.errors import NotFound
from app.core.store import settings
from app.letters import invoice, message, queries, service
from app.letters.kinds import KINDS
from app.letters.models import Letter, LetterState

blueprint = Blueprint("letters", __name__, url_prefix="/outbox")

_PAGE = 50
# A letter is shown as its reader's mail program would: no script, nothing fetched, links in the whole window.
_BODY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self';"
    " sandbox allow-top-navigation-by-user-activation"
)


@blueprint.before_request
def _admit() -> Any:
    """On one's own machine, whoever sits at it: a visitor of the demo must find their letters. Else staff."""
    return None if _is_own_machine() else admit(Permission.LETTERS_READ)


@blueprint.after_request
def _keep_private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("")
@access(Access.PUBLIC)
def outbox() -> str:
    """Every letter, newest first."""
    before = queries.letter(request.args.get("before", ""))
    found = queries.latest(before=before, limit=_PAGE + 1)
    return render_template(
        "outbox/index.html",
        letters=found[:_PAGE],
        more=found[_PAGE - 1] if len(found) > _PAGE else None,
        waiting=before is None and any(letter.state == LetterState.QUEUED for letter in found),
        own_machine=_is_own_machine(),
        folder=settings().mail_route.folder is not None,
        LetterState=LetterState,
    )


@blueprint.get("/<letter_id>")
@access(Access.PUBLIC)
def show(letter_id: str) -> str:
    """One letter: what it says and what became of it."""
    letter = _letter(letter_id)
    readable = letter.html is not None and _may_read(letter)
    return render_template(
        "outbox/show.html",
        letter=letter,
        readable=readable,
        attachments=[invoice.filename(invoice.from_facts(facts)) for facts in letter.attachments],
        LetterState=LetterState,
    )


@blueprint.get("/<letter_id>/body")
@access(Access.PUBLIC)
def body(letter_id: str) -> Response:
    """The letter's HTML by itself, for the frame it is shown in."""
    letter = _readable(letter_id)
    page = (letter.html or "").replace("<head>", '<head>\n<base target="_top">', 1)
    return Response(page, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _BODY_POLICY})


@blueprint.get("/<letter_id>/attachments/<int:number>")
@access(Access.PUBLIC)
def attachment(letter_id: str, number: int) -> Response:
    """What is attached to it."""
    letter = _letter(letter_id)
    if not 0 <= number < len(letter.attachments):
        raise NotFound(_("There is no such letter."))
    data = invoice.from_facts(letter.attachments[number])
    return _file(invoice.render(data), "application/pdf", invoice.filename(data))


@blueprint.get("/<letter_id>/message")
@access(Access.PUBLIC)
def source(letter_id: str) -> Response:
    """The message as it is handed to the mail server."""
    letter = _readable(letter_id)
    made = message.compose(letter, settings().mail_from)
    return _file(made.as_bytes(), "message/rfc822", f"{letter.id}.eml")


@blueprint.post("/<letter_id>/again")
@access(Access.PUBLIC)
def again(letter_id: str) -> Any:
    """Try a letter that failed once more."""
    with transaction():
        letter = _letter(letter_id)
        if letter.state != LetterState.FAILED or not letter.context:
            flash(_("Only a letter that failed can be sent again."), "error")
        else:
            service.send_again(letter)
            flash(_("It is on its way again."), "success")
    return redirect(url_for("letters.show", letter_id=letter_id), 303)


@blueprint.app_template_filter("minute")
def _minute(moment: Any) -> str:
    """A time to the minute, in UTC."""
    return f"{format_datetime(moment, 'short', rebase=False)} UTC"


def _letter(letter_id: str) -> Letter:
    letter = queries.letter(letter_id)
    if letter is None:
        raise NotFound(_("There is no such letter."))
    return letter


def _readable(letter_id: str) -> Letter:
    letter = _letter(letter_id)
    if letter.html is None or not _may_read(letter):
        raise NotFound(_("What this letter said is not kept."))
    return letter


def _may_read(letter: Letter) -> bool:
    """Links that open somebody's account are for nobody else's eyes, an administrator's included."""
    return _is_own_machine() or not KINDS[letter.kind].secret


def _is_own_machine() -> bool:
    """Whether this is a shop in development, asked by the machine it runs on, under a name of its own.

    The name matters: a page anywhere may have its name point here, and would read as its own what we answer.
    """
    shop = settings()
    if shop.environment != "development":
        return False
    if any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")):
        return False
    host = urlsplit(f"//{request.host}").hostname or ""
    return _is_loopback(request.remote_addr or "") and (
        host == "localhost" or _is_loopback(host) or host == urlsplit(shop.base_url).hostname
    )


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _file(content: bytes, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Security-Policy": "sandbox"}
    return Response(content, content_type=media_type, headers=headers)
