"""Routes of discovery."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("discovery", __name__)
