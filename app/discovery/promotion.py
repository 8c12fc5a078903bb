"""Whether a model that is there may take the place of the one in use."""

from __future__ import annotations

from app.discovery.models import RecommenderModel


def promote_if_better(model: RecommenderModel) -> bool:
    """Use the model where it does better than the one in use; whether it did. Nothing compares them yet: never."""
    return False
