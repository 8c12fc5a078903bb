"""People, how they prove who they are, and where they are signed in."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from flask_login import UserMixin
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core import auth
from app.core.db import Identified, Model, Timestamped


class Role(StrEnum):
    """What a person is to the shop. What each may do stands in `app.core.auth.GRANTED`."""

    CUSTOMER = "customer"
    EDITOR = "editor"
    SUPPORT = "support"
    MANAGER = "manager"
    ADMIN = "admin"


class Account(UserMixin, Identified, Timestamped, Model):
    """A person who can sign in. E-mails are kept in lower case, and each was shown to be its owner's, by a letter or
    by whoever made the account from a terminal."""

    __tablename__ = "account"
    __table_args__ = (
        CheckConstraint("role IN ('customer', 'editor', 'support', 'manager', 'admin')", name="role"),
        CheckConstraint("email = lower(email)", name="email_lower"),
    )

    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(16), default=Role.CUSTOMER)
    locale: Mapped[str | None] = mapped_column(String(16))
    currency: Mapped[str | None] = mapped_column(String(3), doc="what prices are shown in, where there is a choice")
    second_factor: Mapped[bool] = mapped_column(default=False, doc="whether a password alone no longer opens it")
    closed_at: Mapped[datetime | None] = mapped_column(doc="when its person had it deleted; the books keep the row")

    def may(self, permission: str) -> bool:
        """Whether the person may do that: a value of `app.core.auth.Permission`."""
        return auth.allows(self.role, auth.Permission(permission))

    @property
    def is_staff(self) -> bool:
        """Whether the person may do anything a customer may not."""
        return auth.is_staff(self.role)


class AccountSession(Identified, Timestamped, Model):
    """A browser that is signed in. Its cookie holds a random token, of which only the SHA-256 is kept here."""

    __tablename__ = "account_session"
    __table_args__ = (CheckConstraint("octet_length(token_hash) = 32", name="token_hash"),)

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    remembered: Mapped[bool] = mapped_column(default=False, doc="outlives the browser")
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    address: Mapped[str | None] = mapped_column(String(45), doc="where it was last seen")
    user_agent: Mapped[str | None] = mapped_column(String(300))
    proved_at: Mapped[datetime | None] = mapped_column(doc="when its person last showed who they are")
    second_factor_at: Mapped[datetime | None] = mapped_column(doc="when a second factor was shown in it")
    revoked_at: Mapped[datetime | None]


class TokenPurpose(StrEnum):
    """What a link in a letter is for."""

    REGISTER = "register"
    RESET = "reset"
    CHANGE_EMAIL = "change_email"


class AccountToken(Identified, Timestamped, Model):
    """A link that went out in a letter: good once, for an hour, and only until a newer one goes out."""

    __tablename__ = "account_token"
    __table_args__ = (
        CheckConstraint("purpose IN ('register', 'reset', 'change_email')", name="purpose"),
        CheckConstraint("(purpose = 'register') = (account_id IS NULL)", name="account"),
        Index("ix_account_token_email_purpose", "email", "purpose"),
    )

    purpose: Mapped[str] = mapped_column(String(16))
    account_id: Mapped[str | None] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    email: Mapped[str] = mapped_column(String(254), doc="the address that the link proves")
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class AccountAddress(Identified, Timestamped, Model):
    """A line of a person's address book."""

    __tablename__ = "account_address"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    line1: Mapped[str] = mapped_column(String(200))
    line2: Mapped[str | None] = mapped_column(String(200))
    postal_code: Mapped[str | None] = mapped_column(String(20))
    city: Mapped[str] = mapped_column(String(120))
    region: Mapped[str | None] = mapped_column(String(120))
    country: Mapped[str] = mapped_column(String(2), doc="ISO 3166-1 alpha-2")


class RateHit(Model):
    """One try of something that is limited; `bucket` is the SHA-256 of what it counts against."""

    __tablename__ = "rate_hit"
    __table_args__ = (Index("ix_rate_hit_bucket_at", "bucket", "at"), Index("ix_rate_hit_at", "at"))

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    bucket: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime]


class Totp(Model):
    """An app that shows six digits (RFC 6238). It counts once a first code was typed."""

    __tablename__ = "account_totp"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    secret: Mapped[str] = mapped_column(String(255), doc="base32, sealed; see `factors.secret_of`")
    made_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(BigInteger, default=0, doc="the time step used last: none opens twice")


class Passkey(Identified, Timestamped, Model):
    """A key pair of which the private half stays with the person's device (WebAuthn)."""

    __tablename__ = "account_passkey"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(80))
    used_at: Mapped[datetime | None]


class RecoveryCode(Identified, Model):
    """What opens the account once where the second factor is lost. Eighty bits of chance, so a plain hash will do."""

    __tablename__ = "account_recovery_code"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    used_at: Mapped[datetime | None]


class Challenge(Model):
    """What a passkey is to sign: asked by one session, for one purpose, once, within a few minutes."""

    __tablename__ = "account_challenge"

    session_id: Mapped[str] = mapped_column(ForeignKey("account_session.id", ondelete="CASCADE"), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(8), primary_key=True)
    challenge: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime]
