"""Every kind of letter, and what its writer must be told.

A kind is two templates, `templates/letters/<name>.txt` (with the subject) and `.html`. In the context, text is text,
an amount is a `Money`, a time a `datetime`, a day a `date`, and an address on the web a name that ends in `link`.
`lines` is a list of `{"title": …, "amount": Money or None}`, `facts` one of pairs of words.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.errors import WavecrateError


class UnknownKind(WavecrateError):
    """There is no letter of that name."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A letter's name, the context it cannot be written without, and whether it opens a door.

    What a `secret` letter says is forgotten once it is sent: whoever reads the table must not find links that sign
    people in or claim what others bought. Of a `parting` one not even the address stays: its reader is gone.
    """

    name: str
    needs: frozenset[str]
    secret: bool = False
    parting: bool = False


def _kind(name: str, needs: str, *, secret: bool = False, parting: bool = False) -> Kind:
    return Kind(name, frozenset(needs.split()), secret, parting)


_ALL = (
    # To a person, of their account
    _kind("register", "link minutes", secret=True),
    _kind("already_registered", "name link minutes", secret=True),
    _kind("no_account", "link minutes", secret=True),
    _kind("reset_password", "name link minutes", secret=True),
    _kind("change_email", "name link minutes", secret=True),
    _kind("email_in_use", ""),
    _kind("email_changed", "name new_email at"),
    _kind("password_changed", "name at link"),
    _kind("second_factor_changed", "name what at link"),
    _kind("new_sign_in", "name device address at link"),
    _kind("closed", "name", parting=True),
    # Of an order
    _kind("order_placed", "name number lines total link"),
    _kind("payment_failed", "name number total link"),
    _kind("receipt", "name number lines total paid_at link"),
    _kind("guest_order", "number lines total link", secret=True),
    _kind("refund", "name number lines amount total full duplicate link"),
    _kind("preorder_released", "name title artist link", secret=True),  # a guest's link claims it
    # Of a gift
    _kind("gift", "giver titles message link code", secret=True),
    _kind("gift_claimed", "name recipient titles link"),
    # To whoever runs the shop
    _kind("dispute", "number amount reason due link"),
    _kind("case", "number what facts link"),
    _kind("trial", "link"),
)
KINDS = {kind.name: kind for kind in _ALL}


def kind_of(name: str) -> Kind:
    """The kind of that name; raise UnknownKind."""
    try:
        return KINDS[name]
    except KeyError:
        raise UnknownKind(f"{name!r} is no kind of letter; app/letters/kinds.py names them all.") from None
