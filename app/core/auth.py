"""Who may call a route: every view declares it, and this module enforces it.

Permissions are for actions. Which role has which stands in `GRANTED`, here and nowhere else; no other code asks what
role somebody has in order to let them do something.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from flask import Flask, current_app, request
from flask_babel import gettext as _
from flask_login import current_user

from app.core.errors import Forbidden

View = TypeVar("View", bound=Callable[..., Any])


class Access(StrEnum):
    """The kinds of caller a route can be for, where no permission is needed."""

    PUBLIC = "public"
    SIGNED_IN = "signed in"
    SIGNATURE = "signature"  # the request carries its own proof: a webhook, a signed media URL


class Permission(StrEnum):
    """What only people who run the shop may do."""

    STUDIO = "studio"  # send masters, edit and publish releases: of one's own labels
    EVERY_LABEL = "every label"  # the same for all labels, and for releases without one
    ORDERS_READ = "orders.read"  # see anybody's order
    ORDERS_REFUND = "orders.refund"  # give money back; handle cases
    PRICES_WRITE = "prices.write"  # coupons, price lists, tax
    LEDGER_READ = "ledger.read"  # the books, and what the gateway says
    LETTERS_READ = "letters.read"  # what the shop wrote to people
    PEOPLE_READ = "people.read"  # find accounts and see how they stand
    PEOPLE_HELP = "people.help"  # sign somebody out, send a letter for a new password
    PEOPLE_ROLES = "people.roles"  # give roles and labels
    SHELVES_READ = "shelves.read"  # what editors put forward, and why a release is shown to how many
    SHELVES_PIN = "shelves.pin"  # put a release of one's own labels on a place of a shelf, within limits
    SHELVES_BOOST = "shelves.boost"  # move one up or down, within limits
    SHELVES_TRIALS = "shelves.trials"  # try one way of making shelves against another
    AUDIT_READ = "audit.read"  # search the log of what staff did


_SUPPORT = frozenset({Permission.ORDERS_READ, Permission.LETTERS_READ, Permission.PEOPLE_READ, Permission.PEOPLE_HELP})
_EDITOR = frozenset({Permission.STUDIO, Permission.SHELVES_READ, Permission.SHELVES_PIN, Permission.SHELVES_BOOST})
_MANAGER = (
    _SUPPORT
    | _EDITOR
    | {
        Permission.EVERY_LABEL,
        Permission.ORDERS_REFUND,
        Permission.PRICES_WRITE,
        Permission.LEDGER_READ,
        Permission.SHELVES_TRIALS,
        Permission.AUDIT_READ,
    }
)

# By the value of an account's role. A role that is not named here may do nothing.
GRANTED: dict[str, frozenset[Permission]] = {
    "customer": frozenset(),
    "editor": _EDITOR,
    "support": _SUPPORT,
    "manager": _MANAGER,
    "admin": frozenset(Permission),
}


STAFF = frozenset(role for role, granted in GRANTED.items() if granted)
"""The roles of people who run the shop."""


def allows(role: str, permission: Permission) -> bool:
    """Whether people of that role may do it."""
    return permission in GRANTED.get(role, frozenset())


def is_staff(role: str) -> bool:
    """Whether people of that role may do anything a customer may not."""
    return role in STAFF


def may(permission: Permission) -> bool:
    """Whether the request comes from somebody who may do it."""
    return bool(current_user.is_authenticated and current_user.may(permission))


def access(kind: Access | Permission) -> Callable[[View], View]:
    """Declare who may call the view: a kind of caller, or whoever has a permission."""

    def declare(view: View) -> View:
        view.access = kind  # type: ignore[attr-defined]
        return view

    return declare


def declared_access(app: Flask, endpoint: str) -> Access | Permission | None:
    """What the endpoint's view declares, or None."""
    return getattr(app.view_functions.get(endpoint), "access", None)


# Rooms that know more of the person add what else must hold, such as a second factor: each is asked of a signed-in
# caller of a view that is not for everybody, and answers None or what the caller gets instead.
also_needed: list[Callable[[Access | Permission], Any]] = []


def enforce() -> Any:
    """Before each request: let the caller in, send them to sign in, or refuse."""
    if request.endpoint is None or request.endpoint == "static":
        return None
    kind = declared_access(current_app, request.endpoint)
    if kind is None:
        raise RuntimeError(f"{request.endpoint} does not declare who may call it")
    return None if kind in (Access.PUBLIC, Access.SIGNATURE) else admit(kind)


def admit(kind: Access | Permission) -> Any:
    """None for a caller a view of that kind is for, else what they get instead; raise Forbidden.

    For views that decide by more than who calls; all others declare it.
    """
    if not current_user.is_authenticated:
        return current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
    if isinstance(kind, Permission) and not current_user.may(kind):
        raise Forbidden(_("This page is for the people who run the shop."))
    return next((answer for asked in also_needed if (answer := asked(kind)) is not None), None)
