"""Routes of shelves."""

from __future__ import annotations

from flask import Blueprint

from app.shelves import staff_pages

blueprint = Blueprint("shelves", __name__)
blueprint.register_blueprint(staff_pages.blueprint)
