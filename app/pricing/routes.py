"""Pages for staff: coupons."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("pricing", __name__, url_prefix="/admin/coupons")
