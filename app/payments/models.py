"""What the gateway told us."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Model, Timestamped


class PaymentEvent(Timestamped, Model):
    """A verified webhook event, kept whole. Its id is the gateway's, so a repeat is known as one."""

    __tablename__ = "payment_event"

    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    type: Mapped[str] = mapped_column(String(100), index=True)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)


class SweepMark(Model):
    """Up to when the gateway's own list of events was read through."""

    __tablename__ = "payment_sweep"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    read_to: Mapped[datetime]
