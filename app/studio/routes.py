"""Routes of studio."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("studio", __name__)
