"""What a buyer paid for before, as far as it matters to a price. Orders know; they stand above and bring it here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.accounts.models import Account
from app.pricing.contract import Holding


@dataclass(frozen=True, slots=True)
class Past:
    """Tracks bought by themselves; whether anything was paid for ever; and the orders that ordering anew closes."""

    holdings: tuple[Holding, ...] = ()
    has_ordered: bool = False
    given_up: frozenset[str] = frozenset()


# Of an account (None: a guest) with that e-mail; `placing`: for an order about to be made, when every order that isn't
# paid yet was closed already or stays. Before that, on a page, the ones to be closed don't count.
Provider = Callable[[Account | None, str | None, bool], Past]
providers: list[Provider] = []


def past(account: Account | None, email: str | None, *, placing: bool) -> Past:
    """What everybody who knows says, together."""
    told = [provider(account, email, placing) for provider in providers]
    return Past(
        holdings=tuple(holding for each in told for holding in each.holdings),
        has_ordered=any(each.has_ordered for each in told),
        given_up=frozenset().union(*(each.given_up for each in told)),
    )
