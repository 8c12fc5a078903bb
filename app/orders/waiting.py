"""Claims, read: by link, by code, by order. Nothing here changes one.

A link opens as long as its claim's code stays: it can be sent again, and a new code ends it.
"""

from __future__ import annotations

import hashlib
import re

from flask_babel import gettext as _
from itsdangerous import Signer
from sqlalchemy import select

from app.core import codes
from app.core.db import db
from app.core.errors import NotFound
from app.core.store import settings
from app.orders.models import Claim, ClaimKind, OrderLine

_TOKEN = re.compile(r"([0-9A-Za-z]{16})\.[0-9A-Za-z_-]{43}")


def link(claim: Claim) -> str:
    """The address that claims it, for whoever is handed it."""
    return _address(_token(claim))


def path(claim: Claim) -> str:
    """Where that address is, on the shop's own pages."""
    return f"/claims/{_token(claim)}"


def letter_link(claim: Claim) -> str:
    """The same for the letter to a guest: whoever follows this one has read what was sent to the guest's address."""
    return _address(_token(claim, _by_letter(claim)))


def find(token: str) -> Claim:
    """What a link is for; raise NotFound for one that isn't ours, or that a newer one followed."""
    form = _TOKEN.fullmatch(token)
    found = db.session.get(Claim, form[1]) if form else None
    if found is None or not any(_signer(found, salt).validate(token) for salt in ("link", _by_letter(found))):
        raise unknown()
    return found


def proves_address(claim: Claim, token: str) -> bool:
    """Whether the link stood nowhere but in the letter to the guest who bought it, and so proves their address.

    Never a gift's: that letter is made to be passed on.
    """
    return claim.kind == ClaimKind.GUEST and _signer(claim, _by_letter(claim)).validate(token)


def find_code(code: str) -> Claim:
    """What a code is for, however it was typed; raise NotFound."""
    text = codes.normal(code)
    wanted = select(Claim).where(Claim.code == text)
    found = db.session.scalars(wanted).unique().one_or_none() if codes.could_be_made(text) else None
    if found is None:
        raise NotFound(
            _("There is no gift with this code. It has 16 letters and digits, and never I, O, 0 or 1: check it again.")
        )
    return found


def of_order(order_id: str) -> list[Claim]:
    """Everything of the order that waits, or waited, for its owner."""
    return list(db.session.scalars(select(Claim).where(Claim.order_id == order_id).order_by(Claim.id)).unique())


def lines_of(claim: Claim) -> list[OrderLine]:
    """What it is for: the gift's line, or all lines of a guest's order that are no gifts."""
    if claim.line is not None:
        return [claim.line]
    return [line for line in claim.order.lines if not line.is_gift]


def _address(token: str) -> str:
    return f"{settings().base_url}/claims/{token}"


def _token(claim: Claim, salt: str = "link") -> str:
    return _signer(claim, salt).sign(claim.id).decode()


def _by_letter(claim: Claim) -> str:
    return f"letter {claim.to_email}"


def _signer(claim: Claim, salt: str) -> Signer:
    """The code is part of the salt: with another code, links made before are no longer ours."""
    shop = settings()
    both = (shop.secret_key_previous, shop.secret_key)
    keys = [secret.get_secret_value() for secret in both if secret is not None]
    return Signer(keys, salt=f"claim {claim.code} {salt}", key_derivation="hmac", digest_method=hashlib.sha256)


def unknown() -> NotFound:
    """What to tell who comes with a link that opens nothing."""
    return NotFound(
        _("This link opens nothing: it is not complete, or a newer one was sent. Look at the newest letter once more.")
    )
