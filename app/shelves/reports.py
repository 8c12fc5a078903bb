"""What came of a trial: per variant how many people, and what each of them did; differences with their intervals."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
from flask_babel import gettext as _
from sqlalchemy import func, select

from app.core import clock
from app.core.db import db
from app.orders.models import Order, OrderLine, OrderState
from app.shelves import intervals
from app.shelves.experiments import Metric, TrialState, ended_at, state, variants
from app.shelves.intervals import Interval
from app.shelves.models import Exposure, Trial
from app.shelves.units import units_of

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Side:
    """One variant: the people who saw a shelf of the trial, and what each did on average."""

    way: str
    share: int
    units: int
    shown: int
    clicks: int
    purchases: int
    clicks_per_unit: float | None
    purchases_per_unit: float | None


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much a variant does more per person than the first; no interval where there is too little to say."""

    way: str
    metric: Metric
    absolute: Interval | None
    relative: Interval | None


@dataclass(frozen=True, slots=True)
class Report:
    """The whole of it. `mismatch` is the probability of sides of these sizes, were all dealt as they should be."""

    name: str
    state: TrialState
    metric: Metric
    started_at: datetime | None
    until: datetime | None
    sides: list[Side]
    differences: list[Difference]
    mismatch: float

    @property
    def trustworthy(self) -> bool:
        """Whether the sides are as large as the shares say."""
        return self.mismatch >= intervals.MISMATCH

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values; `says` in the reader's language."""
        told = asdict(self)
        for name in ("started_at", "until"):
            told[name] = told[name].isoformat() if told[name] else None
        return told | {"confidence": CONFIDENCE, "trustworthy": self.trustworthy, "says": says(self)}


def of(trial: Trial) -> Report:
    """The report as it stands; of a trial that was closed, as it stood then."""
    return _read(trial.result) if trial.result is not None else _made(trial)


def close_over() -> int:
    """Keep the report of each trial that is over, for the rows it is made from are pruned; return how many."""
    query = select(Trial).where(Trial.started_at.is_not(None), Trial.result.is_(None))
    over = [trial for trial in db.session.scalars(query) if ended_at(trial) is not None]
    for trial in over:
        trial.stopped_at = ended_at(trial)
        trial.result = _made(trial).to_dict()
    db.session.flush()
    return len(over)


def says(report: Report) -> list[str]:
    """What it means, in plain sentences."""
    if report.state == TrialState.DRAFT:
        return [_("The trial has not begun.")]
    told = []
    if not report.trustworthy:
        told.append(
            _(
                "Do not trust this trial: the sides are not as large as its shares say, which chance does less than"
                " once in a thousand times. One way may keep people from seeing the shelf at all."
            )
        )
    if report.state == TrialState.RUNNING:
        told.append(_("The trial still runs. Look, but don’t decide before it is over: early differences come and go."))
    for each in report.differences:
        if each.metric == report.metric:
            told.append(_in_words(each, report.sides[0].way))
    return told


def _in_words(found: Difference, base: str) -> str:
    if found.absolute is None:
        return _(
            "Too little has happened to say whether “%(way)s” is better or worse than “%(base)s”:"
            " each side needs %(units)s people, and %(events)s clicks or purchases.",
            way=found.way,
            base=base,
            units=intervals.LEAST_UNITS,
            events=intervals.LEAST_EVENTS,
        )
    facts = {
        "way": found.way,
        "base": base,
        "low": f"{found.absolute.low:+.4f}",
        "high": f"{found.absolute.high:+.4f}",
        "by": f"{abs(found.absolute.estimate):.4f}",
    }
    clicks = found.metric == Metric.CLICKS
    if not found.absolute.beyond_chance:
        if clicks:
            return _(
                "No difference beyond chance: with “%(way)s” people may follow anything from %(low)s to %(high)s"
                " cards more than with “%(base)s”.",
                **facts,
            )
        return _(
            "No difference beyond chance: with “%(way)s” people may buy anything from %(low)s to %(high)s"
            " things more than with “%(base)s”.",
            **facts,
        )
    if found.absolute.estimate > 0:
        if clicks:
            return _(
                "Better, beyond chance: with “%(way)s” each person followed %(by)s cards more than with “%(base)s”"
                " (%(low)s to %(high)s).",
                **facts,
            )
        return _(
            "Better, beyond chance: with “%(way)s” each person bought %(by)s things more than with “%(base)s”"
            " (%(low)s to %(high)s).",
            **facts,
        )
    if clicks:
        return _(
            "Worse, beyond chance: with “%(way)s” each person followed %(by)s cards fewer than with “%(base)s”"
            " (%(low)s to %(high)s).",
            **facts,
        )
    return _(
        "Worse, beyond chance: with “%(way)s” each person bought %(by)s things fewer than with “%(base)s”"
        " (%(low)s to %(high)s).",
        **facts,
    )


@dataclass(slots=True)
class _Unit:
    way: str
    since: datetime
    shown: int
    clicks: int
    purchases: int = 0


def _made(trial: Trial) -> Report:
    units = _units(trial)
    _add_purchases(trial, units)
    by_way: dict[str, list[_Unit]] = defaultdict(list)
    for unit in units.values():
        by_way[unit.way].append(unit)
    dealt = variants(trial)
    clicks = {each.way: np.array([one.clicks for one in by_way[each.way]], dtype=float) for each in dealt}
    bought = {each.way: np.array([one.purchases for one in by_way[each.way]], dtype=float) for each in dealt}
    sides = [
        Side(
            way=each.way,
            share=each.share,
            units=len(by_way[each.way]),
            shown=sum(one.shown for one in by_way[each.way]),
            clicks=int(clicks[each.way].sum()),
            purchases=int(bought[each.way].sum()),
            clicks_per_unit=float(clicks[each.way].mean()) if by_way[each.way] else None,
            purchases_per_unit=float(bought[each.way].mean()) if by_way[each.way] else None,
        )
        for each in dealt
    ]
    base, others = dealt[0].way, [each.way for each in dealt[1:]]
    confidence = 1 - (1 - CONFIDENCE) / len(others)  # Bonferroni: all of them together are right so often
    differences = [
        _compared(way, metric, numbers[base], numbers[way], confidence)
        for way in others
        for metric, numbers in ((Metric.CLICKS, clicks), (Metric.PURCHASES, bought))
    ]
    return Report(
        name=trial.name,
        state=state(trial),
        metric=Metric(trial.metric),
        started_at=trial.started_at,
        until=ended_at(trial) or trial.until_at,
        sides=sides,
        differences=differences,
        mismatch=intervals.mismatch([side.units for side in sides], [side.share for side in sides]),
    )


def _compared(
    way: str, metric: Metric, base: intervals.Numbers, other: intervals.Numbers, confidence: float
) -> Difference:
    if not intervals.enough(base, other):
        return Difference(way, metric, None, None)
    return Difference(
        way, metric, intervals.difference(base, other, confidence), intervals.relative(base, other, confidence)
    )


def _units(trial: Trial) -> dict[str, _Unit]:
    query = (
        select(
            Exposure.unit,
            func.min(Exposure.variant),
            func.min(Exposure.at),
            func.count().filter(Exposure.what == "shown"),
            func.count().filter(Exposure.what == "followed"),
        )
        .where(Exposure.trial_id == trial.id, Exposure.at < (ended_at(trial) or clock.now()))
        .group_by(Exposure.unit)
    )
    return {
        unit: _Unit(way, since, shown, clicks)
        for unit, way, since, shown, clicks in db.session.execute(query)
        if unit is not None and way is not None
    }


def _add_purchases(trial: Trial, units: dict[str, _Unit]) -> None:
    """Count what each unit bought and kept, anything at all, between what it was first shown and the trial's end.

    Anything, for a shelf that only moves sales from one page to another gains nothing. No row says whose a unit is:
    it is reckoned from the accounts that bought.
    """
    if trial.started_at is None or not units:
        return
    query = (
        select(Order.account_id, Order.paid_at)
        .join(OrderLine, OrderLine.order_id == Order.id)
        .where(
            Order.account_id.is_not(None),
            Order.state == OrderState.PAID,
            Order.paid_at >= trial.started_at,
            Order.paid_at < (ended_at(trial) or clock.now()),
            OrderLine.gift_to.is_(None),
        )
    )
    known: dict[str, _Unit | None] = {}
    for account_id, paid_at in db.session.execute(query):
        if account_id is None or paid_at is None:
            continue
        if account_id not in known:
            known[account_id] = next((units[one] for one in units_of(account_id) if one in units), None)
        unit = known[account_id]
        if unit is not None and paid_at >= unit.since:
            unit.purchases += 1


def _read(kept: dict[str, Any]) -> Report:
    """A report from what `to_dict` made of it."""

    def interval(told: dict[str, float] | None) -> Interval | None:
        return Interval(**told) if told else None

    def moment(told: str | None) -> datetime | None:
        return datetime.fromisoformat(told) if told else None

    return Report(
        name=kept["name"],
        state=TrialState(kept["state"]),
        metric=Metric(kept["metric"]),
        started_at=moment(kept["started_at"]),
        until=moment(kept["until"]),
        sides=[Side(**side) for side in kept["sides"]],
        differences=[
            Difference(each["way"], Metric(each["metric"]), interval(each["absolute"]), interval(each["relative"]))
            for each in kept["differences"]
        ],
        mismatch=kept["mismatch"],
    )
