"""Rates that a tax service told, kept for their day in the process that asked.

Quotes are made inside transactions and nobody may be asked there: whoever is about to make one asks before
(`cart.taxing`), keeps here what was said, and the quote finds it. What isn't here is not guessed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from threading import Lock

from flask import current_app
from flask_babel import gettext as _

from app.core import clock
from app.pricing.contract import Place, TaxRate, TaxUnknown

MOST = 10_000
"""So many places are kept, those that were asked for last."""

_ASK_AGAIN = timedelta(seconds=30)


class Untold(StrEnum):
    """Why there are no rates."""

    NO_ANSWER = "no_answer"  # to be asked again, but not by everybody who looks at a page meanwhile
    UNCLEAR_PLACE = "unclear_place"  # the service needs to know more of the address


@dataclass(frozen=True, slots=True)
class _Kept:
    on: date
    answer: Mapping[str, TaxRate | None] | Untold
    until: datetime | None = None


@dataclass
class ToldRates:
    """A TaxTable of what was told; a category's rate is None where the service said that no tax is due."""

    _kept: OrderedDict[Place, _Kept] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def wants(self, place: Place, on: date) -> bool:
        """Whether the service is to be asked for that day's rates of a place."""
        kept = self._of(place, on)
        return kept is None or (kept.until is not None and kept.until <= clock.now())

    def keep(self, place: Place, on: date, answer: Mapping[str, TaxRate | None] | Untold) -> None:
        """Keep what the service said, or that it didn't: rates by category."""
        until = clock.now() + _ASK_AGAIN if answer is Untold.NO_ANSWER else None
        with self._lock:
            self._kept[place] = _Kept(on, answer, until)
            self._kept.move_to_end(place)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)

    def rate_for(self, place: Place, on: date, category: str) -> TaxRate | None:
        """The rate as it was told that day; raise TaxUnknown, saying what helps, where it wasn't."""
        kept = self._of(place, on)
        answer = kept.answer if kept is not None else Untold.NO_ANSWER
        if answer is Untold.UNCLEAR_PLACE:
            raise TaxUnknown(
                _(
                    "Where you are, tax depends on your postal code. Sign in, write your address into your account,"
                    " and pay then; your cart is kept."
                )
            )
        if isinstance(answer, Untold) or category not in answer:
            raise TaxUnknown(
                _(
                    "The tax can’t be worked out just now, and nothing can be ordered until it can. Try again in a moment."
                )
            )
        return answer[category]

    def _of(self, place: Place, on: date) -> _Kept | None:
        with self._lock:
            kept = self._kept.get(place)
        return kept if kept is not None and kept.on == on else None


def told_rates() -> ToldRates:
    """What this process of the present app was told."""
    found: ToldRates = current_app.extensions.setdefault("told_rates", ToldRates())
    return found
