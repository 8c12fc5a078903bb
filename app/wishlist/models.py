"""Wishes."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalog.models import Release
from app.core.db import Model, Timestamped


class Wish(Timestamped, Model):
    """A release on a person's wishlist."""

    __tablename__ = "wish"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id", ondelete="CASCADE"), primary_key=True, index=True)

    release: Mapped[Release] = relationship(lazy="joined")
