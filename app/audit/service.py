"""Adding to the log. Each entry's hash covers the one before, so that none can be changed or taken out unseen."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, text

from app.audit.models import AuditEntry
from app.core import clock
from app.core.db import db

GENESIS = bytes(32)  # what the first entry names as the hash before it

_LOCK = 0x61756469  # "audi": the advisory lock that makes entries come one after the other
_ACTION = re.compile(r"[a-z]+(?:_[a-z]+)*(?:\.[a-z]+(?:_[a-z]+)*)+")
_SUBJECT_MAX = 80


def record(actor_id: str | None, action: str, subject: str, facts: Mapping[str, Any] | None = None) -> None:
    """Note in the open transaction that somebody did something; a rollback takes it back, and leaves no gap.

    `action` is dotted lower case (`order.refund`), `subject` a kind and an id (`order:bcdf…`); `facts` are JSON
    without floats, and name people by id only, for what stands here is never erased. Entries of other transactions
    wait until this one ends: call it last. Raises ValueError for what cannot be kept.
    """
    if not _ACTION.fullmatch(action) or len(action) > 60:
        raise ValueError(f"no action: {action!r}")
    if not subject or len(subject) > _SUBJECT_MAX or "\0" in subject:
        raise ValueError(f"no subject: {subject!r}")
    kept = _storable(dict(facts or {}))
    db.session.flush()
    db.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    # A statement of its own after the lock: it sees what was committed while this one waited.
    head = db.session.execute(
        select(AuditEntry.seq, AuditEntry.hash).order_by(AuditEntry.seq.desc()).limit(1)
    ).one_or_none()
    seq, prev_hash = (head.seq + 1, head.hash) if head else (1, GENESIS)
    at = clock.now()
    db.session.add(
        AuditEntry(
            seq=seq,
            at=at,
            actor_id=actor_id,
            action=action,
            subject=subject,
            facts=kept,
            prev_hash=prev_hash,
            hash=digest(seq, at, actor_id, action, subject, kept, prev_hash),
        )
    )
    db.session.flush()


def digest(
    seq: int,
    at: datetime,
    actor_id: str | None,
    action: str,
    subject: str,
    facts: Mapping[str, Any],
    prev_hash: bytes,
) -> bytes:
    """The SHA-256 of an entry: of its columns as one line of JSON with sorted keys, and of the hash before it."""
    line = json.dumps(
        [seq, at.isoformat(timespec="microseconds"), actor_id, action, subject, facts, prev_hash.hex()],
        sort_keys=True,
        ensure_ascii=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(line.encode("ascii")).digest()


def _storable(value: Any) -> Any:
    """The value as JSONB gives it back; ValueError for what would come back as something else."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("a NUL cannot be stored")
        return str(value)
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) and "\0" not in name for name in value):
            raise ValueError("the names of facts are text")
        return {name: _storable(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(each) for each in value]
    raise ValueError(f"{type(value).__name__} is nothing the log keeps: {value!r}")
