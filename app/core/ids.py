"""Unguessable ids."""

from __future__ import annotations

import secrets

# No vowels, no 0/1: an id never spells a word, nor is it misread over the telephone.
_ALPHABET = "23456789bcdfghjkmnpqrstvwxyzBCDFGHJKMNPQRSTVWXYZ"


def new_id() -> str:
    """A fresh id of 16 characters, 89 bits of chance; safe in a URL and a file name."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(16))
