"""Releases nobody has touched find their people, by what they are: on communities that were planted.

Each community has its genre and its sound, most of what its people touch is of it, and a few releases of each are new:
what their people will do with them is known to the test and to nobody else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from app.discovery import cold
from app.recommender.als import AlsSettings
from app.recommender.factorising import Factors, factorise
from app.recommender.interactions import Interactions
from app.recommender.recipe import Recipe

COMMUNITIES, KNOWN, NEW, PEOPLE = 6, 40, 8, 60  # each but the first: of each community
TOP = 20
RECIPE = Recipe(AlsSettings(factors=16, regularisation=5.0, scaling=0.0, alpha=10.0, iterations=20), even=False)


@dataclass
class World:
    """`touched` are (person, release) before, `will` what is to come with the new; releases known first, then new."""

    of_release: NDArray
    of_person: NDArray
    touched: NDArray
    will: NDArray
    content: sparse.csr_matrix
    factors: Factors

    @property
    def known(self) -> int:
        return COMMUNITIES * KNOWN

    @property
    def counts(self) -> NDArray:
        return self.touched[:, : self.known].sum(axis=0)

    def item_factors(self) -> NDArray[np.float32]:
        """Factors of the known releases, zeros where nobody touched one."""
        found = np.zeros((self.known, self.factors.releases.shape[1]), np.float32)
        found[[int(each) for each in self.factors.release_ids]] = self.factors.releases
        return found

    def recall(self, scores: NDArray, wanted: NDArray) -> float:
        """The share of what people will touch of `wanted` columns that is in their top twenty of what is left."""
        scores = np.where(np.pad(self.touched, ((0, 0), (0, 0))), -np.inf, scores)
        top = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
        hits = [np.isin(np.flatnonzero(row & wanted), best).mean() for row, best in zip(self.will, top, strict=True)
                if (row & wanted).any()]  # fmt: skip
        return float(np.mean(hits))


def world(seed: int = 1, *, telling: float = 0.85) -> World:
    """`telling` is how often a release's genre is its community's."""
    rng = np.random.default_rng(seed)
    of_release = np.concatenate([np.repeat(np.arange(COMMUNITIES), KNOWN), np.repeat(np.arange(COMMUNITIES), NEW)])
    of_person = np.repeat(np.arange(COMMUNITIES), PEOPLE)
    liked = rng.zipf(1.6, len(of_release)).clip(max=12) ** 0.5
    taste = np.where(of_person[:, None] == of_release[None, :], 0.22, 0.012) * liked / liked.mean()
    does = rng.random(taste.shape) < taste
    is_new = np.arange(len(of_release)) >= COMMUNITIES * KNOWN
    touched, will = does & ~is_new, does & is_new
    genre = np.where(rng.random(len(of_release)) < telling, of_release, rng.integers(0, COMMUNITIES, len(of_release)))
    centres = rng.standard_normal((COMMUNITIES, 12))
    sound = centres[of_release] * telling + rng.standard_normal((len(of_release), 12))
    artist = rng.integers(0, 150, len(of_release))
    rows = np.arange(len(of_release))
    parts = [
        sparse.csr_matrix((np.ones(len(rows)), (rows, genre)), (len(rows), COMMUNITIES)),
        sparse.csr_matrix(sound / np.linalg.norm(sound, axis=1, keepdims=True)),
        sparse.csr_matrix((np.ones(len(rows)), (rows, artist)), (len(rows), 150)),
    ]
    content = sparse.csr_matrix(sparse.hstack(parts) / np.sqrt(len(parts)), dtype=np.float32)
    pairs = [(f"{person:05}", f"{release:05}", 1.0) for person, release in zip(*np.nonzero(touched), strict=True)]
    factors = factorise(Interactions.of(pairs), RECIPE)
    assert len(factors.account_ids) == len(of_person), "everybody did something"
    return World(of_release, of_person, touched, will, content, factors)


@pytest.fixture(scope="module")
def planted() -> World:
    return world()


@pytest.fixture(scope="module")
def predictor(planted: World) -> cold.Predictor:
    found = cold.fit(planted.content[: planted.known], planted.item_factors(), planted.counts)
    assert found is not None
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_new_release_comes_up_for_its_people(seed: int) -> None:
    """Far above chance and above what is popular, which never shows it, and not at the cost of everything known."""
    there = world(seed)
    predict = cold.fit(there.content[: there.known], there.item_factors(), there.counts)
    both = np.vstack([there.item_factors(), predict.predict(there.content[there.known :])])
    scores = there.factors.accounts @ both.T
    new = np.arange(scores.shape[1]) >= there.known
    popular = np.broadcast_to(there.touched.sum(axis=0).astype(float), scores.shape)
    chance = TOP / (scores.shape[1] - there.touched.sum(axis=1).mean())
    assert there.recall(popular, new) == 0
    assert there.recall(scores, new) > 3 * chance
    only_learned = np.where(new, -1e9, scores)
    assert there.recall(only_learned, new) == 0, "without content, no new release is ever seen"
    best_new = np.argsort(-scores[:, there.known :], axis=1)[:, :NEW]
    own = there.of_release[there.known :][best_new] == there.of_person[:, None]
    assert own.mean() > 0.6, "of the new releases, those of one's own community come first; chance is 1 in 6"


def test_what_was_held_back_is_predicted_better_than_by_the_average(predictor: cold.Predictor) -> None:
    choice = predictor.choice
    assert choice.cosine > choice.average + 0.2
    assert {method for method, _strength, _cosine in choice.tried} == {"ridge", "neighbours"}
    assert (choice.method, choice.strength, choice.cosine) in choice.tried
    assert choice.cosine == max(cosine for _method, _strength, cosine in choice.tried)


def test_the_strength_is_chosen_by_what_is_held_back_not_by_hand() -> None:
    """Content that tells nearly nothing asks for a stronger rein than content that tells nearly all."""
    clear, dim = (world(5, telling=telling) for telling in (1.0, 0.25))
    chosen = {}
    for name, there in (("clear", clear), ("dim", dim)):
        ridges = [
            each
            for each in cold.fit(there.content[: there.known], there.item_factors(), there.counts).choice.tried
            if each[0] == "ridge"
        ]
        chosen[name] = max(ridges, key=lambda each: each[2])
        assert chosen[name][2] > max(ridges[0][2], ridges[-1][2]) - 1e-9
    assert chosen["dim"][1] > chosen["clear"][1]
    assert chosen["clear"][2] > chosen["dim"][2] + 0.2


def test_content_that_tells_nothing_predicts_nothing() -> None:
    there = world(4)
    rng = np.random.default_rng(0)
    shuffled = there.content[rng.permutation(there.known)]
    found = cold.fit(shuffled, there.item_factors(), there.counts)
    assert found is None or found.choice.cosine < found.choice.average + 0.1


def test_dense_and_sparse_content_are_one_and_the_same(planted: World, predictor: cold.Predictor) -> None:
    known, new = planted.content[: planted.known], planted.content[planted.known :]
    dense = cold.fit(known.toarray(), planted.item_factors(), planted.counts)
    assert dense.choice.method == predictor.choice.method
    assert dense.predict(new.toarray()) == pytest.approx(predictor.predict(new), abs=1e-4)
    again = cold.fit(known, planted.item_factors(), planted.counts).predict(new)
    assert again.tobytes() == predictor.predict(new).tobytes()
    assert again.dtype == np.float32
    assert again.shape == (COMMUNITIES * NEW, planted.item_factors().shape[1])


def test_a_release_nothing_is_known_of_is_an_average_one(planted: World, predictor: cold.Predictor) -> None:
    nothing = sparse.csr_matrix((1, planted.content.shape[1]), dtype=np.float32)
    told = predictor.predict(nothing)[0]
    mean = planted.item_factors()[planted.counts >= cold.LEARNED_FROM].mean(axis=0)
    assert np.dot(told, mean) / np.linalg.norm(told) / np.linalg.norm(mean) == pytest.approx(1, abs=1e-5)


def test_the_ridge_is_the_closed_forms() -> None:
    rng = np.random.default_rng(2)
    content, factors = rng.standard_normal((80, 9)), rng.standard_normal((80, 4))
    for strength in cold.RIDGE_STRENGTHS:
        exact = np.linalg.solve(content.T @ content + strength * np.eye(9), content.T @ factors)
        assert cold._ridge(sparse.csr_matrix(content), factors, strength) == pytest.approx(exact, abs=1e-4)


def test_neighbours_are_the_weighted_mean_of_the_most_alike() -> None:
    known = np.array([[1, 0], [0.8, 0.6], [0, 1], [-1, 0]], float)
    factors = np.array([[1, 0], [0, 1], [5, 5], [9, 9]], float)
    told = cold._neighbours(np.array([[1.0, 0], [0, 0]]), known, factors, 2, factors.mean(axis=0))
    assert told[0] == pytest.approx(np.array([1, 0.8]) / 1.8)
    assert told[1] == pytest.approx(factors.mean(axis=0)), "like nothing: the average"


@pytest.mark.parametrize("known", [0, 1, cold.LEAST_KNOWN - 1])
def test_too_few_releases_teach_nothing(known: int) -> None:
    rng = np.random.default_rng(1)
    assert cold.fit(rng.random((known, 4)), rng.random((known, 3)).astype(np.float32)) is None


def test_releases_few_have_touched_or_without_factors_teach_nothing(planted: World) -> None:
    content, factors = planted.content[: planted.known], planted.item_factors()
    counts = np.full(planted.known, cold.LEARNED_FROM - 1)
    assert cold.fit(content, factors, counts) is None
    assert cold.fit(content, np.zeros_like(factors)) is None
    spoilt, well = factors.copy(), planted.counts.copy()
    spoilt[0], well[0] = np.nan, 999
    assert np.isfinite(cold.fit(content, spoilt, well).predict(content)).all()


def test_the_more_people_the_more_what_they_did_counts() -> None:
    learned, predicted = np.ones((4, 2), np.float32), np.zeros((4, 2), np.float32)
    blended = cold.blend(learned, predicted, np.array([0, 5, 20, 100_000]), k=5.0)
    assert blended[:, 0] == pytest.approx([0, 0.5, 0.8, 1], abs=1e-3)


def test_credibility_is_found_where_chance_is_planted() -> None:
    rng = np.random.default_rng(3)
    counts = rng.integers(1, 60, 4000)
    truth = rng.standard_normal((4000, 8))
    predicted = truth + 0.5 * rng.standard_normal(truth.shape)
    for chance in (1.0, 2.0):  # k = chance² / 0.5²
        learned = truth + chance * rng.standard_normal(truth.shape) / np.sqrt(counts)[:, None]
        assert cold.credibility(learned, predicted, counts) == pytest.approx(chance**2 / 0.25, rel=0.2)
    assert cold.credibility(truth, predicted, np.full(4000, 3)) == cold.USUAL_CREDIBILITY
    assert cold.credibility(truth[:3], predicted[:3], counts[:3]) == cold.USUAL_CREDIBILITY


def test_blending_is_nearer_to_the_truth_than_either_where_few_have_touched() -> None:
    rng = np.random.default_rng(4)
    counts = rng.integers(1, 5, 2000)
    truth = rng.standard_normal((2000, 8))
    predicted = truth + 0.9 * rng.standard_normal(truth.shape)
    learned = truth + 1.5 * rng.standard_normal(truth.shape) / np.sqrt(counts)[:, None]
    blended = cold.blend(learned, predicted, counts, cold.credibility(learned, predicted, counts))

    def error(told: NDArray) -> float:
        return float(np.mean((told - truth) ** 2))

    assert error(blended) < 0.8 * min(error(learned), error(predicted))
