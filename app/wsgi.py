"""What gunicorn loads: `gunicorn 'app.wsgi:application()'`."""

from __future__ import annotations

from flask import Flask

from app.factory import create_app


def application() -> Flask:
    """The shop, from the environment's settings."""
    return create_app()
