"""Routes of storefront."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("storefront", __name__)
