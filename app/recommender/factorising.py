"""What people did with items, factorised as a recipe says, on the processors or on a graphics card."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.recommender import als
from app.recommender.device import Device, alternating_least_squares, to_host, uses_gpu
from app.recommender.interactions import Interactions, names
from app.recommender.recipe import Recipe

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Vectors = NDArray[np.float32]

_SEED = 20


@dataclass(frozen=True, slots=True)
class Factors:
    """One vector per person and per item, in the order of the ids; their inner product is near p.

    `mean_count` is how many items a person had whom this was learned from; `recipe` and it fold in who comes later.
    """

    account_ids: list[str]
    release_ids: list[str]
    accounts: Vectors
    releases: Vectors
    recipe: Recipe
    mean_count: float

    def with_releases(self, given: Interactions, releases: Vectors) -> Factors:
        """The same with other vectors of the same releases, and people solved for anew."""
        start = None if als.is_little(given.matrix, releases.shape[1]) else self.accounts
        items = als.ItemFactors(self.recipe.als, releases, self.mean_count)
        accounts = als.people_of(self.recipe.weights(given.matrix), items, start=start)
        return replace(self, accounts=accounts, releases=releases)


def factorise(given: Interactions, recipe: Recipe, *, device: Device = "auto") -> Factors | None:
    """Factors of what people did; None where they did nothing. The same input gives the same on one machine.

    `implicit.gpu` takes one λ for all rows: there the recipe's scaling is 0, and so it stands in the factors' recipe.
    NoGpu where the device is the GPU and there is none to use.
    """
    if not len(given):
        return None
    weights = recipe.weights(given.matrix)
    if uses_gpu(device):
        recipe = replace(recipe, als=replace(recipe.als, scaling=0.0))
        people, releases = _on_gpu(weights, recipe.als, device)
        mean_count = len(given) / given.matrix.shape[0]
    else:
        items, people = als.fit(weights, recipe.als, exact=als.is_little(weights, recipe.als.factors))
        releases, mean_count = items.vectors, items.mean_count
    return Factors(names(given.person_ids), names(given.item_ids), people, releases, recipe, mean_count)


def people_of(given: Interactions, release_ids: list[str], releases: Vectors, recipe: Recipe) -> Factors:
    """Factors of which the releases' are given: everybody's who did something with one of those, by equation 4."""
    from scipy.sparse import csr_matrix

    column_of = {one: number for number, one in enumerate(release_ids)}
    columns = np.array([column_of.get(one, -1) for one in names(given.item_ids)], dtype=np.int32)
    pairs = given.matrix.tocoo()
    where = columns[pairs.col] if len(columns) else np.empty(0, dtype=np.int32)
    known = where >= 0
    shape = (given.matrix.shape[0], len(release_ids))
    counts = csr_matrix((pairs.data[known], (pairs.row[known], where[known])), shape=shape)
    people = np.flatnonzero(np.diff(counts.indptr))
    mean_count = counts.nnz / max(len(people), 1) or 1.0
    items = als.ItemFactors(recipe.als, releases, mean_count)
    vectors = als.people_of(recipe.weights(counts[people]), items)
    return Factors(names(given.person_ids[people]), release_ids, vectors, releases, recipe, mean_count)


def _on_gpu(weights: csr_matrix, settings: als.AlsSettings, device: Device) -> tuple[Vectors, Vectors]:
    sure = weights.copy()
    sure.data = 1 + np.float32(settings.alpha) * sure.data
    model = alternating_least_squares(
        device,
        factors=settings.factors,
        regularization=settings.regularisation,
        alpha=1.0,  # the matrix holds confidences already
        iterations=settings.iterations,
        use_cg=True,
        random_state=_SEED,
    )
    model.fit(sure, show_progress=False)
    return to_host(model.user_factors), to_host(model.item_factors)
