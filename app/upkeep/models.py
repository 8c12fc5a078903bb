"""What the store has and nobody needs, until it is gone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.db import Model


class Unneeded(Model):
    """An object (or a stream's folder) that no row needed when a round first came past it.

    It is removed a while later, and not at once: a play that was begun before a master was replaced, or a download
    link that was given out, still leads there.
    """

    __tablename__ = "unneeded"

    key: Mapped[str] = mapped_column(String(160), primary_key=True)
    since: Mapped[datetime] = mapped_column(default=lambda: clock.now())
