"""Secrets of people that the shop must be able to read again, sealed: a copy of the database alone opens none of them.

Fernet (AES-128-CBC with HMAC-SHA256) of the library `cryptography`, under a key derived from SECRET_KEY. What was
sealed under SECRET_KEY_PREVIOUS still opens, and the nightly round seals it anew.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from app.core.store import settings

_PURPOSE = b"wavecrate second factor"


class Unreadable(Exception):
    """It was sealed under a key that the shop does not have any more."""


def seal(text: str) -> str:
    """The text, so that only this shop reads it."""
    return _keys().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """What was sealed; raises Unreadable."""
    try:
        return _keys().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Unreadable from error


def is_fresh(sealed: str) -> bool:
    """Whether it is sealed under the key of today."""
    try:
        Fernet(_key(settings().secret_key.get_secret_value())).decrypt(sealed.encode())
    except InvalidToken:
        return False
    return True


def _keys() -> MultiFernet:
    chosen = settings()
    secrets = [chosen.secret_key, *([chosen.secret_key_previous] if chosen.secret_key_previous else [])]
    return MultiFernet([Fernet(_key(one.get_secret_value())) for one in secrets])


def _key(secret: str) -> bytes:
    return urlsafe_b64encode(hmac.digest(secret.encode(), _PURPOSE, sha256))
