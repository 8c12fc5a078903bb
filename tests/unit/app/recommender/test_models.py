"""What every model promises: planted communities are recovered, and a blend is worth more than its parts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from support.tastes_planted import communities

from app.recommender import als, blend, protocol
from app.recommender.als import AlsSettings
from app.recommender.extremes import Extremes, fit_all
from app.recommender.kernel import Kernel, tangent
from app.recommender.parts import Als, Bm25, Ease, Part, Popularity, Walk
from app.recommender.weighing import weights

GROUPS, PEOPLE, ITEMS = 4, 40, 25
SMALL = AlsSettings(factors=16, regularisation=2.0)
MODELS: list[Part] = [
    Als(SMALL),
    Als(AlsSettings(16, 2.0, 0.0), 0.0),
    Ease(20),
    Ease(20, 0.5, 1),
    Walk(0.6),
    Bm25(),
    Kernel(),
]


def own_share(part: Part) -> float:
    """Of everybody's ten best that they didn't touch: how many are of their own community."""
    counts = communities(GROUPS, PEOPLE, ITEMS)
    scores = part.fit(counts).score(counts)
    scores[counts.nonzero()] = -np.inf
    best = np.argsort(-scores, axis=1)[:, :10]
    return float((best // ITEMS == np.repeat(np.arange(GROUPS), PEOPLE)[:, None]).mean())


@pytest.mark.parametrize("part", MODELS, ids=[f"{number}-{type(part).__name__}" for number, part in enumerate(MODELS)])
def test_planted_communities_are_recovered(part: Part) -> None:
    assert own_share(part) > 0.9


def test_popularity_knows_no_communities() -> None:
    assert own_share(Popularity()) < 0.5


def test_the_same_input_gives_the_same_factors() -> None:
    given = weights(communities(), 1)
    first, second = (als.fit(given, SMALL)[0].vectors for _ in range(2))
    assert np.array_equal(first, second)


def test_weights_are_of_mean_one_for_everybody_and_grow_ever_less() -> None:
    counts = csr_matrix(np.array([[1, 10, 100], [0, 0, 0], [5, 0, 5]], np.float32))
    made = weights(counts, 1).toarray()
    assert made[0].mean() == pytest.approx(1)
    assert made[2].tolist() == [1, 0, 1]
    assert not made[1].any()
    assert made[0, 2] / made[0, 1] < made[0, 1] / made[0, 0]
    assert weights(counts, 0).toarray()[0].tolist() == [1, 1, 1]


def test_who_touched_more_is_held_more_tightly_only_where_regularisation_follows_frequency() -> None:
    plain = als.ItemFactors(AlsSettings(scaling=0), np.zeros((1, 1), np.float32), 10.0)
    scaled = als.ItemFactors(AlsSettings(scaling=1), np.zeros((1, 1), np.float32), 10.0)
    assert plain.regularisation_of(1) == plain.regularisation_of(100) == 40
    assert (scaled.regularisation_of(1), scaled.regularisation_of(10), scaled.regularisation_of(100)) == (4, 40, 400)


def test_one_group_of_rows_is_the_plain_algorithm() -> None:
    """With ν = 0 ours is the library's own, from the same beginning."""
    from implicit.cpu.als import AlternatingLeastSquares

    given = weights(communities(), 0)
    settings = AlsSettings(factors=8, regularisation=20.0, scaling=0.0, alpha=10.0, iterations=120)
    ours, people = als.fit(given, settings)
    library = AlternatingLeastSquares(factors=8, regularization=20.0, iterations=120, random_state=1, num_threads=1)
    sure = given.copy()
    sure.data = 1 + 10 * sure.data
    library.fit(sure, show_progress=False)
    scores = people @ ours.vectors.T, library.user_factors @ library.item_factors.T
    assert np.corrcoef(*(each.ravel() for each in scores))[0, 1] > 0.999, "but for where each began"


def test_a_blend_is_no_worse_than_its_best_part_and_never_rests_on_a_bad_one() -> None:
    """Over three splits, for which part is the best is chance in one."""
    parts: list[Part] = [Als(SMALL), Ease(20), Popularity()]
    found = []
    for seed in range(3):
        ground = protocol.split(communities(people=300), seed)
        made = blend.learn(parts, ground.train, ground.validation)
        models = [*(part.fit(ground.train) for part in parts), made]
        found.append([protocol.measure(model, ground.test)[:, 2].mean() for model in models])
    *alone, whole = np.mean(found, axis=0)
    assert whole > max(alone) - 0.005
    assert whole > alone[2] + 0.15


def test_a_blend_of_people_with_nothing_held_out_weighs_all_parts_alike() -> None:
    counts = communities()
    nothing = protocol.HeldOut(counts[:2], [np.array([], int), np.array([], int)])
    made = blend.learn([Ease(20), Popularity()], counts, nothing, enough=0)
    assert made.weights.tolist() == [1, 1, 0, 0]


def test_a_part_that_only_remembers_is_found_out_by_people_it_was_not_fitted_on() -> None:
    class Memory:
        """Knows by heart whom it was fitted on, and nothing else."""

        def fit(self, counts: csr_matrix) -> Memory:
            self.known = counts.toarray()
            return self

        def score(self, counts: csr_matrix) -> np.ndarray:
            told = counts.toarray()
            missing = ((told[:, None] > 0) & (self.known[None] == 0)).any(2)
            return np.where(missing, 0, 1).astype(np.float32) @ self.known

    counts = communities(people=30)
    held = protocol.hold_out(counts, np.random.default_rng(0))
    assert protocol.measure(Memory().fit(counts), held)[:, 2].mean() > 0.9
    nobody = protocol.HeldOut(counts[:0], [])
    made = blend.learn([Ease(20), Memory()], counts, nobody)
    ease, memory = abs(made.weights[[0, 2]]).sum(), abs(made.weights[[1, 3]]).sum()
    assert memory < 0.2 * ease


def test_no_more_are_asked_than_are_enough() -> None:
    ground = protocol.split(communities(), 0)
    fitted = [Ease(20).fit(ground.train)]
    assert len(blend.ask(fitted, ground.validation, 7)) == 7
    assert len(protocol.drawn(ground.validation, 7).wanted) == 7
    assert protocol.drawn(ground.validation, 700) is ground.validation


def test_the_rest_stand_for_as_many_as_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blend, "_LIKELIEST", 20)
    monkeypatch.setattr(blend, "_OTHERS", 10)
    ground = protocol.split(communities(), 0)
    for each in blend.ask([Ease(20).fit(ground.train)], ground.validation):
        assert len(each.table) == each.wanted + 20 + 10
        assert each.wanted + np.exp(each.many[each.wanted :]).sum() == pytest.approx(
            GROUPS * ITEMS - (10 - each.wanted), abs=1.1
        )


def test_the_kernel_is_that_of_an_endless_layer() -> None:
    """E[relu(a·w) relu(b·w)] and its slope, by a million draws of w."""
    random = np.random.default_rng(0)
    for angle in (0.0, 0.7, np.pi / 2):
        first, second = np.array([1.0, 0.0]), np.array([np.cos(angle), np.sin(angle)])
        drawn = random.standard_normal((1_000_000, 2))
        both = np.maximum(drawn @ first, 0) * np.maximum(drawn @ second, 0)
        slopes = (drawn @ first > 0) & (drawn @ second > 0)
        expected = 2 * both.mean() + np.cos(angle) * 2 * slopes.mean()
        assert tangent(np.array([[np.cos(angle)]]))[0, 0] == pytest.approx(expected, abs=0.01)


def test_only_the_strongest_words_count() -> None:
    counts = communities()
    ease = Ease(20).fit(counts)
    told = counts[:2]
    words = ease.weights[told[1].indices]
    for count in (2, -2):
        ordered = np.sort(words, axis=0)
        expected = (ordered[-2:] if count > 0 else ordered[:2]).mean(0)
        assert Extremes(Ease(20), count).on(ease).score(told)[1] == pytest.approx(expected, abs=1e-6)
    assert Extremes(Ease(20), 99).on(ease).score(told)[1] == pytest.approx(words.mean(0), abs=1e-6)


def test_of_very_many_items_those_that_counted_most_speak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.recommender.extremes._SPEAKERS", 2)
    counts = communities()
    ease = Ease(20).fit(counts)
    told = csr_matrix(([1.0, 9.0, 5.0], ([0, 0, 0], [3, 30, 60])), shape=(1, GROUPS * ITEMS))
    assert Extremes(Ease(20), 1).on(ease).score(told)[0] == pytest.approx(ease.weights[[30, 60]].max(0))


def test_what_several_parts_come_from_is_fitted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counts, fits, fit = communities(), list[Ease](), Ease.fit

    def counted(self: Ease, given: csr_matrix) -> object:
        fits.append(self)
        return fit(self, given)

    monkeypatch.setattr(Ease, "fit", counted)
    parts: list[Part] = [Extremes(Ease(20), 2), Extremes(Ease(20), -2), Ease(20), Ease(30)]
    fitted = fit_all(parts, counts, {Ease(30): (known := fit(Ease(30), counts))})
    assert fits == [Ease(20)]
    assert fitted[3] is known


def test_a_kernel_of_few_people_among_many_still_recovers_communities() -> None:
    assert own_share(Kernel(most_people=60)) > 0.9


def test_items_beyond_the_dense_ones_score_nothing() -> None:
    counts = communities()
    scores = Ease(20, most=10).fit(counts).score(counts[:3])
    assert (scores != 0).any(0).sum() <= 10


def test_somebody_of_whom_nothing_is_known_gets_nothing_in_particular() -> None:
    nobody = csr_matrix((1, GROUPS * ITEMS), dtype=np.float32)
    for part in MODELS:
        assert not part.fit(communities()).score(nobody).any()
