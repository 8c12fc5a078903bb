"""What can go wrong between us and the store."""

from __future__ import annotations


class StoreError(Exception):
    """The store refused or could not be reached; the message says which and what to check."""


class ObjectMissing(StoreError):
    """There is no object under that key."""


class PartDamaged(StoreError):
    """What the store put together is not what was sent."""


class BadSignature(Exception):
    """A signed path is forged, expired, or used outside its prefix."""
