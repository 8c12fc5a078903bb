"""What pages call a role, a country, a browser, a moment."""

from __future__ import annotations

from datetime import datetime

from flask import Flask
from flask_babel import format_datetime
from flask_babel import gettext as _

from app.core import countries

# The first that a user agent names is what it is: most say they are several others, too.
_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def init_app(app: Flask) -> None:
    """Give templates the words."""
    app.jinja_env.filters.update(role=role, country=countries.called, browser=browser, moment=moment)


def role(value: str) -> str:
    """A role in the reader's language."""
    return {
        "customer": _("Customer"),
        "editor": _("Editor"),
        "support": _("Support"),
        "manager": _("Manager"),
        "admin": _("Admin"),
    }.get(value, value)


def browser(user_agent: str | None) -> str:
    """Browser and system, as far as they are known."""
    text = user_agent or ""
    what = next((name for mark, name in _BROWSERS if mark in text), None)
    where = next((name for mark, name in _SYSTEMS if mark in text), None)
    if what and where:
        return _("%(browser)s on %(system)s", browser=what, system=where)
    return what or where or _("Unknown device")


def moment(at: datetime) -> str:
    """A time as the reader writes it, in UTC."""
    return f"{format_datetime(at, 'medium')} UTC"
