"""Who may call a route: every view declares it, and this module enforces it."""

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
    """The kinds of caller a route can be for."""

    PUBLIC = "public"
    SIGNED_IN = "signed in"
    EDITOR = "editor"
    ADMIN = "admin"
    SIGNATURE = "signature"  # the request carries its own proof: a webhook, a signed media URL


_ROLES = {Access.EDITOR: {"editor", "admin"}, Access.ADMIN: {"admin"}}


def access(kind: Access) -> Callable[[View], View]:
    """Declare who may call the view."""

    def declare(view: View) -> View:
        view.access = kind  # type: ignore[attr-defined]
        return view

    return declare


def declared_access(app: Flask, endpoint: str) -> Access | None:
    """What the endpoint's view declares, or None."""
    return getattr(app.view_functions.get(endpoint), "access", None)


def enforce() -> Any:
    """Before each request: let the caller in, send them to sign in, or refuse."""
    if request.endpoint is None or request.endpoint == "static":
        return None
    kind = declared_access(current_app, request.endpoint)
    if kind is None:
        raise RuntimeError(f"{request.endpoint} does not declare who may call it")
    if kind in (Access.PUBLIC, Access.SIGNATURE):
        return None
    if not current_user.is_authenticated:
        return current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
    if kind in _ROLES and current_user.role not in _ROLES[kind]:
        raise Forbidden(_("This page is for the people who run the shop."))
    return None
