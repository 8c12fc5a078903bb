"""People."""

from __future__ import annotations

from enum import StrEnum

from flask_login import UserMixin
from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Identified, Model, Timestamped


class Role(StrEnum):
    """What a person is to the shop."""

    LISTENER = "listener"
    EDITOR = "editor"
    ADMIN = "admin"


class Account(UserMixin, Identified, Timestamped, Model):
    """A person who can sign in. E-mails are kept in lower case."""

    __tablename__ = "account"
    __table_args__ = (
        CheckConstraint("role IN ('listener', 'editor', 'admin')", name="role"),
        CheckConstraint("email = lower(email)", name="email_lower"),
    )

    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(16), default=Role.LISTENER)
    locale: Mapped[str | None] = mapped_column(String(16))
