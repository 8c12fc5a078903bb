"""Codes that are read out and copied by hand: of gifts, and of coupons that are good for one order."""

from __future__ import annotations

import secrets

# 32 signs and no I, O, 0 or 1. 16 of them are 80 bits of chance: nobody guesses one.
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_LENGTH, _GROUP = 16, 4
_BETWEEN = "-‐‑–—_"


def new() -> str:
    """A code by chance, in its normal form."""
    return "".join(secrets.choice(_ALPHABET) for _number in range(_LENGTH))


def normal(text: str) -> str:
    """A code as it is kept, of what somebody typed: capitals, no blanks or hyphens."""
    return "".join(c for c in text.upper() if not c.isspace() and c not in _BETWEEN)


def could_be_made(code: str) -> bool:
    """Whether `new` could have made it."""
    return len(code) == _LENGTH and set(code) <= set(_ALPHABET)


def spelled(code: str | None) -> str:
    """A code as it is printed and sent out: in fours, if it is as long as those made by chance."""
    code = code or ""
    return "-".join(code[at : at + _GROUP] for at in range(0, _LENGTH, _GROUP)) if len(code) == _LENGTH else code
