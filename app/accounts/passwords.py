"""Passwords: which may be chosen, and how they are kept (argon2id)."""

from __future__ import annotations

import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask_babel import gettext as _

from app.accounts.errors import BadPassword

LEAST = 8  # NIST SP 800-63B-4, 3.1.1.2: with a length of 8 or more, no rules of composition
MOST = 200
UNUSABLE = "!"  # the hash of no password

# argon2-cffi's defaults are RFC 9106's second recommended set: 64 MiB, 3 passes, 4 lanes.
_hasher = PasswordHasher()


def hash_new(password: str, *, of: tuple[str, ...] = ()) -> str:
    """The hash to keep of a password being chosen; raise BadPassword for one too short, too long or well known.

    `of` are words of the person's own, such as name and e-mail address: a password may not be one of them.
    """
    password = unicodedata.normalize("NFKC", password)
    if not LEAST <= len(password) <= MOST:
        raise BadPassword(
            _(
                "A password has %(least)s to %(most)s characters; a few words in a row make a good one.",
                least=LEAST,
                most=MOST,
            )
        )
    folded = password.casefold()
    if folded in {word.casefold() for word in of} | {word.partition("@")[0].casefold() for word in of} | {"wavecrate"}:
        raise BadPassword(_("This password is the first that anybody would try. Choose another."))
    if is_common(folded):
        raise BadPassword(
            _("This password is on the lists of stolen ones that thieves try first. Choose another; a few words do.")
        )
    return _hasher.hash(password)


def is_common(password: str) -> bool:
    """Whether it is among the thirty thousand passwords met most often in breaches, or is one of them repeated or
    followed by a digit or two."""
    folded = password.casefold()
    bare = folded.rstrip("0123456789!.")
    half = folded[: len(folded) // 2]
    common = _commonest()
    return (
        folded in common
        or (len(folded) - len(bare) <= 2 and bare in common)
        or (half * 2 == folded and half in common)
        or len(set(folded)) <= 2
    )


def matches(password_hash: str, password: str) -> bool:
    """Whether the password is the one that was hashed; as long as a verification takes where there is no hash."""
    password = unicodedata.normalize("NFKC", password)
    if len(password) > MOST:
        password = ""
    try:
        return _hasher.verify(password_hash if password_hash != UNUSABLE else _nobodys(), password) and (
            password_hash != UNUSABLE
        )
    except (VerificationError, InvalidHashError):
        return False


def renewed(password_hash: str, password: str) -> str | None:
    """The hash to keep from now on where the old one was made with weaker settings than today's, else None."""
    if not _hasher.check_needs_rehash(password_hash):
        return None
    return _hasher.hash(unicodedata.normalize("NFKC", password))


@cache
def _nobodys() -> str:
    """A hash that costs what a real one costs and that no password a person can send has made."""
    return _hasher.hash("\0")


@cache
def _commonest() -> frozenset[str]:
    # zxcvbn ships them as data, from breaches; loaded when first asked, for few processes ever set a password.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])
