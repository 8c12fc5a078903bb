"""create_app(): the one list of features and adapters."""

from __future__ import annotations

from importlib import import_module

from flask import Flask
from flask_babel import gettext
from flask_wtf.csrf import CSRFProtect

from app.core import auth, i18n
from app.core.db import db
from app.core.store import open_store
from app.settings import ROOT, Settings, load_settings

# Each feature's routes module offers `blueprint`; the order is the rooms', top to bottom.
FEATURES = (
    "storefront",
    "studio",
    "shelves",
    "orders",
    "downloads",
    "playback",
    "cart",
    "wishlist",
    "discovery",
    "media",
    "pricing",
    "ledger",
    "accounts",
    "letters",
    "audit",
)

# Rooms that hold something of a person, beside accounts itself: each tells and forgets it (app.accounts.leaving).
PERSONAL = ("shelves", "orders", "playback", "cart", "wishlist", "discovery", "licenses", "pricing")

csrf = CSRFProtect()


def create_app(settings: Settings | None = None) -> Flask:
    """The shop as a WSGI application. No I/O happens here: connections open when first used."""
    settings = settings or load_settings()
    app = Flask("app", root_path=str(ROOT / "app"))
    before = settings.secret_key_previous
    secure = settings.base_url.startswith("https://")
    app.config.update(
        SECRET_KEY=settings.secret_key.get_secret_value(),
        SECRET_KEY_FALLBACKS=[before.get_secret_value()] if before else [],
        SQLALCHEMY_DATABASE_URI=settings.sqlalchemy_url,
        SQLALCHEMY_ENGINE_OPTIONS={"pool_pre_ping": True, "pool_size": 10, "max_overflow": 10},
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_NAME="__Host-wavecrate" if secure else "wavecrate",
        # Who is signed in is a row (app.accounts.login): what Flask-Login would keep in cookies of its own stays off.
        SESSION_PROTECTION=None,
        REMEMBER_COOKIE_NAME="wavecrate-none",
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=secure,
        MAX_CONTENT_LENGTH=2 * 1024**2,
        BABEL_DEFAULT_LOCALE=settings.default_locale,
        BABEL_TRANSLATION_DIRECTORIES="translations",
    )
    app.extensions["settings"] = settings
    app.extensions["media_store"] = open_store(settings)

    db.init_app(app)
    csrf.init_app(app)
    i18n.babel.init_app(app, locale_selector=i18n.select_locale)
    # accounts sets up Flask-Login, so it comes before the check that needs current_user
    import_module("app.accounts.login").init_app(app)
    app.before_request(auth.enforce)
    import_module("app.web").init_app(app)

    for feature in FEATURES:
        app.register_blueprint(import_module(f"app.{feature}.routes").blueprint)
    import_module("app.accounts.by_letter")
    for room in PERSONAL:
        import_module(f"app.{room}.personal")
    app.jinja_env.globals["_"] = gettext
    return app
