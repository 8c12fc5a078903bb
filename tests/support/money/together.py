"""Two at once: two tabs, two people, a buyer and a webhook. One runs at a time, and at each point somebody chooses who.

Each works in a thread of its own against the real database. Who waits there for a lock the other holds can't be chosen,
and PostgreSQL is asked whether it is so: the same choices give the same story.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from support.money.points import Course, Plan
from support.money.world import World

_LOOK_SECONDS = 0.002
_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@dataclass(frozen=True)
class Part:
    """What one of them does."""

    name: str
    work: Callable[[], Any]
    plan: Plan | None = None


class _Actor(threading.Thread):
    def __init__(self, world: World, part: Part, changed: threading.Condition) -> None:
        super().__init__(name=part.name, daemon=True)
        self._world, self._part, self._changed = world, part, changed
        self.parked, self.done, self.released = False, False, False
        self.course: Course | None = None
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._halt("begins")
            self.course, self.result = self._world.act(
                self._part.name, self._part.work, self._part.plan, gate=self._halt
            )
        except BaseException as error:  # handed to who waits for it
            self.error = error
        with self._changed:
            self.done = True
            self._changed.notify_all()

    def _halt(self, _name: str) -> None:
        with self._changed:
            self.parked = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.released)
            self.parked = self.released = False

    def go_on(self) -> None:
        """Let it run to its next point; the lock is held."""
        self.released, self.parked = True, False
        self._changed.notify_all()


def together(world: World, parts: Sequence[Part], choose: Callable[[int], int]) -> list[tuple[Course, Any]]:
    """Run them; of `n` who could go on, `choose(n)` says which one does."""
    changed = threading.Condition()
    actors = [_Actor(world, part, changed) for part in parts]
    for actor in actors:
        actor.start()
    with psycopg.connect(world.database, autocommit=True) as looking, changed:
        while not all(actor.done for actor in actors):
            running = [actor for actor in actors if not actor.done and not actor.parked]
            parked = [actor for actor in actors if actor.parked]
            if running:
                if changed.wait(_LOOK_SECONDS) or not parked:
                    continue
                (blocked,) = looking.execute(_BLOCKED).fetchone() or (0,)
                if blocked < len(running):
                    continue
            parked[choose(len(parked))].go_on()
    for actor in actors:
        actor.join()
        if actor.error is not None:
            raise actor.error
    return [(actor.course, actor.result) for actor in actors if actor.course is not None]
