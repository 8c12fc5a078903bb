"""Every place where a process can die so that it matters: around each commit, and around each call to the gateway.

They aren't listed anywhere: the database driver's commit and the gateway's transport announce themselves while an
action runs, and are numbered in the order they come. An action is killed at one of these numbers by an exception that
nothing catches; whatever it passes on its way out can neither commit nor call any more. The connections it held are
closed as a dead process's are, or (`hard=False`, which is quicker) rolled back, which is what closing does to them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine


class Killed(BaseException):
    """The process is gone."""


@dataclass(frozen=True)
class Plan:
    """What is to befall an action: death at the point of that number (1 is the first), and faults of the gateway by
    the number of the call."""

    kill_at: int | None = None
    gateway: Mapping[int, str] = field(default_factory=dict)
    hard: bool = True


@dataclass
class Course:
    """How an action went: the points it came to, by name, and the faults that struck it."""

    plan: Plan = field(default_factory=Plan)
    points: list[str] = field(default_factory=list)
    calls: int = 0
    struck: list[str] = field(default_factory=list)
    died_at: str | None = None
    dead: bool = False
    ended: bool = False
    gate: Callable[[str], None] = lambda _name: None
    thread: int = field(default_factory=threading.get_ident)

    def reached(self, name: str) -> None:
        """The action has come to a point."""
        if self.dead:
            raise Killed(name)
        self.points.append(name)
        self.gate(name)
        if len(self.points) == self.plan.kill_at:
            self.dead, self.died_at = True, name
            self.struck.append(f"killed {name.split(':')[0]}")
            raise Killed(name)


_running = threading.local()


def course() -> Course | None:
    """That of the action which runs in this thread."""
    return getattr(_running, "course", None)


@contextmanager
def following(plan: Plan | None = None, gate: Callable[[str], None] | None = None) -> Iterator[Course]:
    """Run an action, in this thread; if it is killed, this is where it ends."""
    assert course() is None, "one action at a time"
    made = _running.course = Course(plan or Plan())
    if gate is not None:
        made.gate = gate
    try:
        yield made
    except BaseException:
        if not made.dead:
            raise
    finally:
        made.ended = True
        _running.course = None


def instrument(engine: Engine) -> None:
    """Have every commit of an engine announced, before and after; a dead action's connections are closed."""
    committing = engine.dialect.do_commit

    def do_commit(connection: Any) -> None:
        running = course()
        if running is None:
            committing(connection)
            return
        running.reached("before a commit")
        committing(connection)
        running.reached("after a commit")

    engine.dialect.do_commit = do_commit  # type: ignore[method-assign]

    @event.listens_for(engine.pool, "checkin")
    def _closed(_connection: Any, record: Any) -> None:
        running = course()
        if running is not None and running.dead and running.plan.hard:
            record.invalidate()
