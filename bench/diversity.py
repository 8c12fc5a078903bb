"""What diversity costs: of people held out, how many of their own releases are among six, and how unlike the six are.

    python bench/diversity.py FILE

FILE has lines of person, item and count. It prints the table of `docs/shelves.md`, for choosing λ of
`app/recommender/diversity.py`: on the validation people of the protocol's first split, never on test.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from app.recommender import diversity, listening, protocol

FACTORS, REGULARISATION, ALPHA, ROUNDS = 128, 20.0, 15.0, 10
POOL, LENGTH = 100, 6
TRADES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)


def main(path: Path) -> None:
    """Print a line for each λ."""
    split = protocol.split(listening.dense_enough(listening.read(path)).matrix.tocsr(), seed=1)
    train, given = split.train.copy(), split.validation.given.copy()
    usual = np.log1p(train.data).mean()
    for matrix in (train, given):
        matrix.data = 1 + ALPHA * np.log1p(matrix.data) / usual
    model = AlternatingLeastSquares(
        factors=FACTORS, regularization=REGULARISATION, alpha=1.0, iterations=ROUNDS, random_state=1
    )
    with threadpool_limits(limits=1, user_api="blas"):
        model.fit(train, show_progress=False)
        people = model.recalculate_user(np.arange(given.shape[0]), given)
    scores = people @ model.item_factors.T
    scores[given.nonzero()] = -np.inf
    unit = model.item_factors / np.maximum(np.linalg.norm(model.item_factors, axis=1, keepdims=True), 1e-9)
    print(f"{'λ':>4} {'recall@6':>9} {'unlikeness':>10}")
    for trade in TRADES:
        hits, unlike = [], []
        for row, wanted in zip(scores, split.validation.wanted, strict=True):
            if not len(wanted):
                continue
            pool = np.argsort(-row)[:POOL]
            six = pool[diversity.order(row[pool], model.item_factors[pool], LENGTH, trade=trade)]
            likeness = unit[six] @ unit[six].T
            hits.append(np.isin(six, wanted).sum() / min(LENGTH, len(wanted)))
            unlike.append(1 - (likeness.sum() - LENGTH) / (LENGTH * (LENGTH - 1)))
        print(f"{trade:4.1f} {np.mean(hits):9.4f} {np.mean(unlike):10.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
