"""Routes of media."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("media", __name__)
