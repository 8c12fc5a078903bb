"""How well the shop's own models find what people did, those of whom and of which little is known above all.

A fifth of what each person did is kept from training, by lot, and is to be found among the first twenty of all releases
that the model was not told of. So a release that two people touched is one that the model saw touched by one or none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from flask_babel import gettext as _
from numpy.typing import NDArray

from app.core.errors import WavecrateError
from app.discovery import hybrid
from app.recommender import protocol
from app.recommender.factorising import Factors, Vectors, factorise
from app.recommender.folding import Folding
from app.recommender.interactions import Interactions, names
from app.recommender.parts import Scorer
from app.recommender.recipe import FoldedIn, Recipe

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FIRST = 20
FEW_PEOPLE, FEW_RELEASES = 5, 3
LEAST_PEOPLE = 20
_MOST_ASKED = 5_000
_BATCH = 500
_SEED = 22

WAYS = ("popularity", "what people did", "and what releases are")


class TooFew(WavecrateError):
    """Nobody can be asked; the message says how many are needed."""


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of what was to be found: so many of them, and of each of WAYS the share that was among the first FIRST."""

    name: str
    wanted: int
    recall: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What was found of so many people; rows in the order of `measure`."""

    people: int
    releases: int
    rows: tuple[Row, ...]

    def markdown(self) -> str:
        """As a table."""
        lines = [
            f"{self.people:,} people × {self.releases:,} releases; Recall@{FIRST} of a fifth of what each did.",
            "",
            "| | to be found | " + " | ".join(WAYS) + " |",
            "|---|---:|" + "---:|" * len(WAYS),
        ]
        for row in self.rows:
            lines.append(f"| {row.name} | {row.wanted:,} | " + " | ".join(f"{one:.3f}" for one in row.recall) + " |")
        return "\n".join(lines)


def measure(given: Interactions, recipe: Recipe) -> Report:
    """Of everything, of releases that fewer than FEW_PEOPLE touched, and of people with fewer than FEW_RELEASES, as
    training saw both: popularity, the factors alone, and completed by content (`hybrid`).

    Reads the catalogue. Raises TooFew where fewer than LEAST_PEOPLE have two releases.
    """
    random = np.random.default_rng(_SEED)
    held = protocol.hold_out(given.matrix, random)
    asked = np.flatnonzero([len(wanted) > 0 for wanted in held.wanted])
    if len(asked) < LEAST_PEOPLE:
        raise TooFew(
            _(
                "%(found)d people did something with two releases, and %(least)d are needed to measure anything.",
                found=len(asked),
                least=LEAST_PEOPLE,
            )
        )
    if len(asked) > _MOST_ASKED:
        asked = np.sort(random.choice(asked, _MOST_ASKED, replace=False))
    known = np.flatnonzero(held.given.getnnz(axis=0))
    told = Interactions(given.person_ids, given.item_ids[known], held.given[:, known])
    factors = factorise(told, recipe, device="cpu")
    assert factors is not None
    completed = hybrid.complete(factors, told)
    everything = np.vstack([completed.factors.releases, completed.new])
    people_of = held.given.getnnz(axis=0)
    ways = (
        _Same(people_of.astype(np.float32)),
        _scorer(factors, factors.release_ids, factors.releases, given),
        _scorer(completed.factors, completed.factors.release_ids + completed.new_ids, everything, given),
    )
    places = [_places(way, held, asked) for way in ways]
    wanted = np.concatenate([held.wanted[person] for person in asked])
    releases_of = np.repeat(np.diff(held.given.indptr)[asked], [len(held.wanted[person]) for person in asked])
    kinds = {
        "everything": np.ones(len(wanted), bool),
        f"releases with fewer than {FEW_PEOPLE} people": people_of[wanted] < FEW_PEOPLE,
        "releases nobody else touched": people_of[wanted] == 0,
        f"people with fewer than {FEW_RELEASES} releases": releases_of < FEW_RELEASES,
    }
    rows = [
        Row(name, int(which.sum()), tuple(float((way[which] < FIRST).mean()) if which.any() else 0.0 for way in places))
        for name, which in kinds.items()
    ]
    return Report(given.matrix.shape[0], given.matrix.shape[1], tuple(rows))


@dataclass(frozen=True, slots=True)
class _Same:
    scores: Vectors

    def score(self, counts: csr_matrix) -> Vectors:
        return np.tile(self.scores, (counts.shape[0], 1))


def _scorer(factors: Factors, ids: list[str], vectors: Vectors, given: Interactions) -> FoldedIn:
    """Of the items of `given`; those without a vector score 0."""
    vector_of = dict(zip(ids, vectors, strict=True))
    nothing = np.zeros(vectors.shape[1], np.float32)
    items = np.array([vector_of.get(one, nothing) for one in names(given.item_ids)], np.float32)
    exact = factors.releases.astype(np.float64)
    return FoldedIn(factors.recipe, Folding(items, exact.T @ exact), items, factors.mean_count)


def _places(scorer: Scorer, held: protocol.HeldOut, asked: NDArray[np.intp]) -> NDArray[np.intp]:
    """At which place each held-out release comes, from 0, person by person; of equals the one with the lower number."""
    found: list[int] = []
    for first in range(0, len(asked), _BATCH):
        people = asked[first : first + _BATCH]
        given = held.given[people]
        scores = scorer.score(given)
        scores[given.nonzero()] = -np.inf
        for row, person in zip(scores, people, strict=True):
            found += [int((row > row[one]).sum() + (row[:one] == row[one]).sum()) for one in held.wanted[person]]
    return np.array(found, dtype=np.intp)
