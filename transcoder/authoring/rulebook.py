"""What a rule is, and how it comes to a verdict.

Rule ids: `7.4` is Apple's HLS Authoring Specification (as of 2025-06-26), `RFC 4.4.3.1` is
draft-pantos-hls-rfc8216bis, `W1` is this project's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from transcoder.authoring.stream import Line, Stream

Thing = TypeVar("Thing")


class Level(StrEnum):
    """How much a rule asks for."""

    MUST = "MUST"
    SHOULD = "SHOULD"


class Status(StrEnum):
    """What came of a rule. UNCHECKED: it applies, yet what it looks at could not be read."""

    PASSED = "passed"
    FAILED = "failed"
    EXPLAINED = "explained"
    NOT_APPLICABLE = "not applicable"
    UNCHECKED = "unchecked"


class NotApplicable(Exception):
    """There is nothing in the stream that the rule speaks of; the message says what is missing."""


class Unchecked(Exception):
    """What the rule speaks of could not be read; the message says why."""


@dataclass(slots=True)
class Found:
    """What a check saw: `summary` where all is well, `faults` else."""

    summary: str = ""
    faults: list[str] = field(default_factory=list)

    def fault(self, text: str) -> None:
        """Note a fault."""
        self.faults.append(text)


Check = Callable[[Stream], Found]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, in our own words, with what to do where it is broken."""

    id: str
    level: Level
    title: str
    remedy: str
    check: Check


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rule and what came of it."""

    rule: Rule
    status: Status
    found: str
    faults: tuple[str, ...] = ()


RULES: list[Rule] = []
MUST, SHOULD = Level.MUST, Level.SHOULD


def rule(rule_id: str, level: Level, title: str, remedy: str) -> Callable[[Check], Check]:
    """Enter a check into the book."""

    def enter(check: Check) -> Check:
        RULES.append(Rule(rule_id, level, title, remedy, check))
        return check

    return enter


def judge(each: Rule, stream: Stream) -> Verdict:
    """Hold a rule against a stream."""
    try:
        found = each.check(stream)
    except NotApplicable as nothing:
        return Verdict(each, Status.NOT_APPLICABLE, str(nothing))
    except Unchecked as why:
        return Verdict(each, Status.UNCHECKED, str(why))
    if found.faults:
        return Verdict(each, Status.FAILED, _few(found.faults), tuple(found.faults))
    return Verdict(each, Status.PASSED, found.summary)


def _few(faults: list[str]) -> str:
    shown = "; ".join(faults[:3])
    return f"{shown}; and {len(faults) - 3} more" if len(faults) > 3 else shown


def some(things: Iterable[Thing], otherwise: str) -> list[Thing]:
    """The things as a list; NotApplicable where there are none."""
    found = list(things)
    if not found:
        raise NotApplicable(otherwise)
    return found


def opened(stream: Stream, *roles: str) -> list[Line]:
    """The lines of these roles whose segments could be opened; Unchecked where there are only others."""
    lines = some(stream.role(*roles), f"the stream has no {' or '.join(roles)}")
    good = [line for line in lines if line.opened]
    if not good or any(line.refused_key for line in lines):
        raise Unchecked(_why_shut(lines))
    return good


def _why_shut(lines: Iterable[Line]) -> str:
    for line in lines:
        if line.refused_key:
            return f"the segments are sealed and their key does not come: {line.refused_key}"
        for piece in line.pieces:
            if piece.container and piece.container != "fmp4":
                return f"{line.name}: segments of type {piece.container} are not opened"
            if piece.wrong:
                return f"{line.name}: {piece.wrong}"
    return "there are no segments"
