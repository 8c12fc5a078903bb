"""Every model on the same people: tuned on the first split's validation, measured on each split's test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.recommender import blend, protocol, tuning
from app.recommender.extremes import Extremes, Jaccard
from app.recommender.interactions import Interactions
from app.recommender.kernel import Kernel
from app.recommender.parts import Als, Ease, Part, Popularity, Scorer, Walk

OURS = "the shop's blend"
BASELINES = ("popularity", "item-item BM25", "EASE", "plain ALS")


@dataclass(frozen=True)
class Measured:
    """A model's metrics: an array of people × METRICS for each split."""

    name: str
    splits: list[NDArray[np.float64]]
    settings: str

    @property
    def means(self) -> NDArray[np.float64]:
        """Of each metric, over the splits."""
        return np.mean([each.mean(0) for each in self.splits], axis=0)

    @property
    def errors(self) -> NDArray[np.float64]:
        """Standard errors of those means over the splits; 0 for a single one."""
        means = np.array([each.mean(0) for each in self.splits])
        if len(means) < 2:
            return np.zeros(means.shape[1])
        return means.std(0, ddof=1) / np.sqrt(len(means))

    @property
    def people(self) -> NDArray[np.float64]:
        """All splits' people, one after another."""
        return np.concatenate(self.splits)


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found; `models` by name, the shop's own last."""

    people: int
    items: int
    pairs: int
    seeds: int
    models: dict[str, Measured]

    def ratio(self, name: str) -> tuple[float, float, float]:
        """NDCG@100 of the shop's blend over that model's, and the 95 % bootstrap interval over people."""
        at = protocol.METRICS.index("ndcg@100")
        ours, theirs = self.models[OURS].people[:, at], self.models[name].people[:, at]
        return (float(ours.mean() / theirs.mean()), *protocol.ratio_interval(ours, theirs))


def evaluate(
    data: Interactions,
    *,
    seconds: float,
    seeds: int = 5,
    most_factors: int = 256,
    tell: Callable[[str], None] = lambda said: None,
) -> Evaluation:
    """Tune within so many seconds, then measure on so many splits. The same data and settings give the same figures,
    as far as the time lets the search go as far."""
    first = protocol.split(data.matrix, 0)
    best = tuning.search(first, tuning.spaces(most_factors=most_factors), seconds, tell)
    alone = {name: best[name].part for name in (*BASELINES, "scaled ALS")}
    ours = mixture(best)
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in (*alone, OURS)}
    for seed in range(seeds):
        ground = protocol.split(data.matrix, seed)
        models: dict[str, Scorer] = {name: part.fit(ground.train) for name, part in alone.items()}
        known = {alone[name]: model for name, model in models.items()}
        models[OURS] = blend.learn(ours, ground.train, ground.validation, known=known)
        for name, model in models.items():
            found[name].append(protocol.measure(model, ground.test))
        tell(
            f"split {seed + 1} of {seeds}: "
            + ", ".join(f"{name} {rows[-1][:, 2].mean():.3f}" for name, rows in found.items())
        )
    settings = {name: described(part) for name, part in alone.items()}
    settings[OURS] = "; ".join(described(part) for part in ours)
    measured = {name: Measured(name, rows, settings[name]) for name, rows in found.items()}
    people, items = data.matrix.shape
    return Evaluation(people, items, len(data), seeds, measured)


def mixture(best: dict[str, tuning.Tried]) -> list[Part]:
    """What is blended: the tuned parts, and kin of the tuned ALS that see the same people otherwise: few factors, and
    every touch alike."""
    scaled = best["scaled ALS"].part
    assert isinstance(scaled, Als)
    settings = scaled.settings
    kin: list[Part] = [
        Als(replace(settings, factors=max(16, settings.factors // 4)), scaled.power),
        Als(replace(settings, factors=max(16, settings.factors // 2)), 0.0),
        Kernel(power=2.0, rarity=0.25, predicted=2.0),
    ]
    tuned = ("scaled ALS", "EASE", "scaled EASE", "item-item BM25", "kernel regression")
    ease = best["scaled EASE"].part
    assert isinstance(ease, Ease)
    few = [Extremes(ease, 5), Extremes(ease, -3), Extremes(Jaccard(), 3)]
    others: list[Part] = [*few, Walk(0.6), Walk(0.9), Popularity()]
    return [*(best[name].part for name in tuned), *kin, *others]


def described(part: Any) -> str:
    """A part in a few words."""
    if not is_dataclass(part):
        return type(part).__name__
    values = {each.name: getattr(part, each.name) for each in fields(part)}
    if "settings" in values:
        values |= asdict(values.pop("settings"))
    told = (
        f"{name} {described(value) if is_dataclass(value) else f'{value:g}'}"
        for name, value in values.items()
        if name not in ("most", "most_people", "iterations")
    )
    return f"{type(part).__name__.upper() if isinstance(part, Als) else type(part).__name__}({', '.join(told)})"
