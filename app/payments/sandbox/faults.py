"""Faults on demand: what a network, a gateway and a clock do to a shop sooner or later, here when they are told to.

Rules live as long as the process. Which of the matching calls a rule hits is drawn from its own seed: the same calls in
the same order meet the same faults.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

# What can befall a request: its answer lost before or after it took effect, an error before or after (the latter is
# kept under the idempotency key, as Stripe keeps it), a refusal for haste, slowness.
REQUEST_FAULTS = frozenset({"timeout_before", "timeout_after", "error_before", "error_after", "rate_limit", "slow"})
# What can befall an event on its way: delivered twice, never, late, behind its successors, or with a wrong time.
EVENT_FAULTS = frozenset({"duplicate", "drop", "delay", "reorder", "skew"})
_PLACES = 5  # how far behind its turn a reordered event falls, at most


class BadRule(ValueError):
    """No such fault can be injected; the message says why."""


@dataclass
class Rule:
    """One fault and what it befalls: `match` is a pattern over "POST /v1/refunds", or over an event's type."""

    kind: str
    match: str = "*"
    times: int | None = None  # how many hits; None: no end
    skip: int = 0  # matching calls that pass before the first
    probability: float = 1.0
    seed: int = 0
    seconds: float = 0.0  # how long it holds the line, delays, or by how much the clock is wrong
    number: int = 0
    seen: int = 0
    hits: int = 0
    _draw: random.Random = field(default_factory=random.Random, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in REQUEST_FAULTS | EVENT_FAULTS:
            raise BadRule(f"kind is {self.kind!r}; it is one of {', '.join(sorted(REQUEST_FAULTS | EVENT_FAULTS))}.")
        if not 0 <= self.probability <= 1:
            raise BadRule(f"probability is {self.probability}; it must lie between 0 and 1.")
        if self.skip < 0 or (self.times is not None and self.times < 1):
            raise BadRule("skip must be 0 or more, times 1 or more.")
        self._draw = random.Random(self.seed)  # noqa: S311  repeatable is what it has to be

    def hit(self, what: str) -> bool:
        """Whether this call is one of those it befalls."""
        if self.times is not None and self.hits >= self.times:
            return False
        if not fnmatchcase(what, self.match):
            return False
        self.seen += 1
        if self.seen <= self.skip or self._draw.random() >= self.probability:
            return False
        self.hits += 1
        return True

    def places(self) -> int:
        """How many places a reordered event falls back."""
        return self._draw.randint(1, _PLACES)

    def shown(self) -> dict[str, Any]:
        """The rule and how often it struck."""
        return {name: value for name, value in asdict(self).items() if not name.startswith("_")}


@dataclass(frozen=True)
class Delivery:
    """One delivery of an event as the faults want it."""

    delay: float = 0.0
    places: int = 0
    skew: int = 0


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._made = 0
        self._injected: Counter[str] = Counter()

    def add(self, rule: Rule) -> Rule:
        """Put a rule in force, behind those there are."""
        with self._lock:
            self._made += 1
            rule.number = self._made
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Take all rules out; what was injected stays counted."""
        with self._lock:
            self._rules.clear()

    def shown(self) -> dict[str, Any]:
        """The rules in force, and how many faults of each kind were injected so far."""
        with self._lock:
            return {"rules": [rule.shown() for rule in self._rules], "injected": dict(self._injected)}

    def for_request(self, method: str, path: str) -> Rule | None:
        """The fault that befalls a request, if one does: of several rules the first that strikes."""
        if not self._rules:
            return None
        with self._lock:
            for rule in self._rules:
                if rule.kind in REQUEST_FAULTS and rule.hit(f"{method} {path}"):
                    self._injected[rule.kind] += 1
                    return rule
        return None

    def for_event(self, kind: str) -> list[Delivery]:
        """How an event is to be delivered; more than one rule may strike it."""
        if not self._rules:
            return [Delivery()]
        delay, places, skew, again = 0.0, 0, 0, None
        with self._lock:
            for rule in self._rules:
                if rule.kind not in EVENT_FAULTS or not rule.hit(kind):
                    continue
                self._injected[rule.kind] += 1
                if rule.kind == "drop":
                    return []
                if rule.kind == "duplicate":
                    again = rule.seconds
                elif rule.kind == "skew":
                    skew += int(rule.seconds)
                else:
                    delay += rule.seconds
                    places += rule.places() if rule.kind == "reorder" else 0
        once = Delivery(delay, places, skew)
        return [once] if again is None else [once, Delivery(delay + again, places, skew)]
