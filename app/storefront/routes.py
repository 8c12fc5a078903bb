"""Routes of storefront."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, render_template, request, url_for
from flask_babel import ngettext
from flask_login import current_user

from app.core.auth import Access, access

blueprint = Blueprint("storefront", __name__)


@blueprint.app_context_processor
def _shell() -> dict[str, Any]:
    """What the header of every page needs, read when a template asks for it."""
    return {"shell": Shell(), "ngettext": ngettext}


class Shell:
    """The header's state: where its links lead, and how full the cart is."""

    @staticmethod
    def _url(endpoint: str) -> str | None:
        return url_for(endpoint) if endpoint in current_app.view_functions else None

    @property
    def cart_count(self) -> int:
        return 0

    @property
    def cart_url(self) -> str:
        return self._url("cart.show") or "/cart"

    @property
    def orders_url(self) -> str | None:
        return self._url("orders.history")

    @property
    def sign_in_url(self) -> str:
        return self._url("accounts.sign_in") or "/sign-in"

    @property
    def sign_out_url(self) -> str | None:
        return self._url("accounts.sign_out")

    @property
    def language_url(self) -> str | None:
        return self._url("accounts.set_language")

    @property
    def studio_url(self) -> str | None:
        may = current_user.is_authenticated and current_user.role in ("editor", "admin")
        return self._url("studio.index") if may else None


@blueprint.get("/")
@access(Access.PUBLIC)
def home() -> str:
    return render_template("storefront/home.html")


@blueprint.get("/search")
@access(Access.PUBLIC)
def search() -> str:
    return render_template("storefront/search.html", text=request.args.get("q", "").strip())


@blueprint.get("/browse")
@access(Access.PUBLIC)
def browse() -> str:
    return render_template("storefront/browse.html")


@blueprint.get("/releases/<release_id>")
@access(Access.PUBLIC)
def release(release_id: str) -> str:
    return render_template("storefront/release.html")


@blueprint.get("/artists/<artist_id>")
@access(Access.PUBLIC)
def artist(artist_id: str) -> str:
    return render_template("storefront/artist.html")


@blueprint.get("/library")
@access(Access.SIGNED_IN)
def library() -> str:
    return render_template("storefront/library.html")
