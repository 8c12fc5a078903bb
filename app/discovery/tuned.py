"""Settings that were searched for on the shop's own events; what was found stands with the model trained with it.

The scheduled training goes on with the settings of the model in use, so they hold until the next search, and an earlier
model that is put back brings its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from flask_babel import gettext as _

from app.core import clock
from app.core.errors import WavecrateError
from app.discovery.models import RecommenderModel
from app.recommender import protocol, tuning
from app.recommender.als import AlsSettings
from app.recommender.interactions import Interactions
from app.recommender.parts import Part
from app.recommender.recipe import Recipe

LEAST_PEOPLE = 60
"""People with LEAST_ITEMS releases or more; with fewer, what is found is chance."""

LEAST_ITEMS = 4
MOST_ASKED = 2_000
_SHARE = 1 / 3  # of those people: held out
_SEED = 21


class TooLittle(WavecrateError):
    """Too few people did enough to tell settings apart; the message says how many are needed."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best recipe, and NDCG@100 over so many held-out people with it and with the one in use `before`."""

    recipe: Recipe
    score: float
    before: float
    people: int

    @property
    def is_better(self) -> bool:
        """Whether it is any better than the one in use."""
        return self.score > self.before

    def settings(self) -> dict[str, Any]:
        """As the model that is trained with it keeps it."""
        facts = {"at": clock.now().isoformat(), "ndcg": self.score, "before": self.before, "people": self.people}
        return {"tuned": self.recipe.settings() | facts}


def settings_of(model: RecommenderModel | None) -> dict[str, Any]:
    """What a model was tuned with, for the one that is trained after it; empty where it never was."""
    found = model.settings.get("tuned") if model else None
    return {"tuned": found} if found else {}


def wanted(model: RecommenderModel | None, shape: tuple[int, int], most_factors: int) -> Recipe:
    """The recipe that follows the model in use, for people × items of that shape: as it was tuned, else the usual."""
    settings = settings_of(model)
    if not settings:
        return Recipe.suitable(*shape, most_factors)
    found = Recipe.of(settings["tuned"])
    return replace(found, als=replace(found.als, factors=min(found.als.factors, most_factors)))


def search(
    given: Interactions,
    now: Recipe,
    *,
    most_factors: int,
    seconds: float,
    tell: Callable[[str], None] = lambda said: None,
) -> Tuned:
    """The best recipe within so many seconds, by people who are kept out of training; `now` is what to be better than.

    The same events give the same answer, as far as the time lets the search go as far. Raises TooLittle.
    """
    ground = _split(given)
    some: list[Part] = [now, *_space(given.matrix.shape, most_factors)]
    best = tuning.search(ground, {"in use": some[:1], "found": some[1:]}, seconds, tell)
    found = best["found"]
    assert isinstance(found.part, Recipe)
    return Tuned(found.part, found.score, best["in use"].score, len(ground.validation.wanted))


def _split(given: Interactions) -> protocol.Split:
    enough = np.flatnonzero(np.diff(given.matrix.indptr) >= LEAST_ITEMS)
    if len(enough) < LEAST_PEOPLE:
        raise TooLittle(
            _(
                "%(found)d people did something with %(items)d releases or more, and %(least)d are needed to tell"
                " settings apart. The usual settings stay.",
                found=len(enough),
                items=LEAST_ITEMS,
                least=LEAST_PEOPLE,
            )
        )
    random = np.random.default_rng(_SEED)
    held = np.sort(random.choice(enough, min(round(_SHARE * len(enough)), MOST_ASKED), replace=False))
    rest = np.setdiff1d(np.arange(given.matrix.shape[0]), held)
    asked = protocol.hold_out(given.matrix[held], random)
    return protocol.Split(given.matrix[rest], asked, protocol.HeldOut(asked.given[:0], []))


def _space(shape: tuple[int, int], most_factors: int) -> Iterator[Recipe]:
    usual = Recipe.suitable(*shape, most_factors)
    yield usual
    size = usual.als.factors
    factors = sorted({max(1, size // 4), max(1, size // 2), size, min(2 * size, most_factors)})
    tight, alphas, weighing = (
        (2.0, 5.0, 10.0, 20.0, 40.0, 80.0),
        (5.0, 15.0, 40.0),
        ((1.0, True), (2.0, True), (0.0, True)),
    )
    for f, λ, ν, alpha, (power, even) in product(factors, tight, (0.0, 0.5, 1.0), alphas, (*weighing, (1.0, False))):
        yield Recipe(AlsSettings(f, λ, ν, alpha), power, even)
