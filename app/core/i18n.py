"""Which language a page speaks: the person's choice, else the cookie, else what the browser asks for."""

from __future__ import annotations

from flask import current_app, has_request_context, request
from flask_babel import Babel, get_locale
from flask_login import current_user

LOCALES = {"en": "English", "zh_Hans": "中文"}
COOKIE = "wavecrate_locale"

babel = Babel()


def select_locale() -> str:
    """One of LOCALES for the present request, or the default outside one."""
    default = str(current_app.config["BABEL_DEFAULT_LOCALE"])
    if not has_request_context():
        return default
    asked = request.args.get("lang") or request.cookies.get(COOKIE)
    if asked in LOCALES:
        return asked
    if current_user and current_user.is_authenticated and current_user.locale in LOCALES:
        return str(current_user.locale)
    for code in request.accept_languages.values():
        if code.lower().startswith("zh"):
            return "zh_Hans"
        if code.lower().startswith("en"):
            return "en"
    return default


def locale_code() -> str:
    """The present locale, as a key of LOCALES."""
    locale = str(get_locale() or "en")
    return "zh_Hans" if locale.startswith("zh") else "en"
