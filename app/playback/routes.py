"""Routes of playback."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("playback", __name__)
