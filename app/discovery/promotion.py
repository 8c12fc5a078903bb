"""Whether a model may take the place of the one in use, and the way back to an earlier one.

Both are asked the same of the same people: four fifths of what each did are told, and the rest is to be found (see
`recommender.protocol`). Both were trained with all of it, so the figures flatter both alike; they tell a broken model
from a sound one, and are no measure of quality: that is `wavecrate recommend evaluate`.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass

import numpy as np
from flask_babel import gettext as _
from sqlalchemy import select, update

from app.core import clock
from app.core.db import db
from app.core.errors import Conflict, NotFound
from app.discovery import folded, reading, vectors
from app.discovery.models import RecommenderModel, ReleaseVector
from app.recommender import protocol
from app.recommender.folding import Folding
from app.recommender.interactions import Interactions, names
from app.recommender.recipe import FoldedIn, Recipe

log = logging.getLogger(__name__)

# A new model may be so much worse by chance; beyond it, it is broken whatever the interval says.
_LEAST_SHARE = 0.9
_SOUND_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Verdict(protocol.Comparison):
    """The new model against the one in use."""

    @property
    def holds(self) -> bool:
        """Whether the new one is no worse."""
        return self.high >= 0 and self.new >= _LEAST_SHARE * self.old

    @property
    def sound(self) -> bool:
        """Whether the new one isn't broken."""
        return self.new >= _SOUND_SHARE * self.old


def promote_if_better(
    model: RecommenderModel, given: Interactions | None = None, *, unproven: bool = False, proven: bool = False
) -> bool:
    """Use the model if it does no worse than the one in use; whether it did. What was found is kept with it.

    `given`: what people did, if it was read already. `unproven`: what to do where that can't be found out, for too few
    people did enough, or none is in use.
    """
    active = db.session.scalars(select(RecommenderModel).where(RecommenderModel.active)).first()
    verdict = None
    if active is not None and active.id != model.id:
        verdict = judge(model, active, given or reading.interactions(model.settings["until_event"]))
    takes = unproven if verdict is None else verdict.sound if proven else verdict.holds
    model.settings = model.settings | {"judged": asdict(verdict) if verdict else None, "refused": not takes}
    if takes:
        _use(model)
    else:
        log.warning("model %s is not used: %s", model.id, verdict or "nothing shows that it is any good")
    return takes


def judge(new: RecommenderModel, old: RecommenderModel, given: Interactions) -> Verdict | None:
    """Compare two models on people of the log; None where too few did enough, or the older one is empty."""
    asked = protocol.asked_of_log(given.matrix) if old.settings.get("releases") else None
    if asked is None:
        return None
    return Verdict(**asdict(protocol.compare(_scorer(new, given), _scorer(old, given), asked)))


def put_back(model_id: str) -> RecommenderModel:
    """Use an earlier model again, whatever was found of it; the next training starts from there.

    Raises NotFound, and Conflict for the one in use.
    """
    model = db.session.get(RecommenderModel, model_id)
    if model is None:
        raise NotFound(_("There is no such model. “wavecrate recommend models” lists those that are kept."))
    if model.active:
        raise Conflict(_("This model is in use already."))
    vectors.index(model.id, model.settings["releases"])
    _use(model)
    model.settings = model.settings | {"put_back": clock.now().isoformat()}
    return model


def _use(model: RecommenderModel) -> None:
    db.session.execute(update(RecommenderModel).where(RecommenderModel.active).values(active=False))
    model.active = True
    db.session.flush()


def _scorer(model: RecommenderModel, given: Interactions) -> FoldedIn:
    """A stored model as a scorer of the items of `given`; those that it doesn't know score 0."""
    number_of = {one: number for number, one in enumerate(names(given.item_ids))}
    items = np.zeros((len(number_of), vectors.FACTORS), np.float32)
    rows = db.session.execute(
        select(ReleaseVector.release_id, ReleaseVector.vector)
        .where(ReleaseVector.model_id == model.id)
        .execution_options(yield_per=10_000)
    )
    for release_id, vector in rows:
        if release_id in number_of:
            items[number_of[release_id]] = vector
    return FoldedIn(Recipe.of(model.settings), Folding(items, folded.gram(model.id)), items, folded.mean_count(model))
