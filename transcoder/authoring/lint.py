"""The door: hold the stream at a URL against every rule."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import requests

from transcoder.authoring import explained, rules_delivery, rules_media, rules_playlists, rules_variants, rules_words
from transcoder.authoring.fetch import Fetcher, FetchFailed
from transcoder.authoring.rulebook import RULES, Level, Rule, Status, Verdict, judge
from transcoder.authoring.stream import OnProgress, load

__all__ = ["FetchFailed", "Report", "Status", "lint"]

# Importing a chapter enters its rules; naming them here says that this is meant.
_CHAPTERS = (rules_playlists, rules_media, rules_variants, rules_words, rules_delivery)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of every rule, in the book's order."""

    url: str
    verdicts: tuple[Verdict, ...]

    @property
    def failed(self) -> bool:
        """Whether a MUST is broken."""
        return any(v.status == Status.FAILED and v.rule.level == Level.MUST for v in self.verdicts)

    @property
    def incomplete(self) -> bool:
        """Whether a MUST could not be looked into."""
        return any(v.status == Status.UNCHECKED and v.rule.level == Level.MUST for v in self.verdicts)

    def to_json(self) -> str:
        """The report as JSON: `url`, `failed`, `incomplete`, and `rules` with all that is known of each."""
        rules = [
            {
                "id": verdict.rule.id,
                "level": verdict.rule.level,
                "title": verdict.rule.title,
                "status": verdict.status,
                "found": verdict.found,
                "faults": verdict.faults,
                "remedy": verdict.rule.remedy if verdict.status == Status.FAILED else "",
            }
            for verdict in self.verdicts
        ]
        told = {"url": self.url, "failed": self.failed, "incomplete": self.incomplete, "rules": rules}
        return json.dumps(told, ensure_ascii=False, indent=1)


def lint(
    url: str,
    *,
    session: requests.Session | None = None,
    segments: int | None = None,
    seconds: float = 900,
    on_progress: OnProgress | None = None,
) -> Report:
    """Fetch the stream (or the first `segments` of each playlist) within so many seconds, and judge it.

    `session` carries the cookies of whoever may have the keys. Raises FetchFailed where the URL gives no playlist.
    """
    stream = load(url, Fetcher(session, seconds=seconds), segments=segments, on_progress=on_progress)
    verdicts = []
    for each in sorted(RULES, key=_place):
        verdict = judge(each, stream)
        if verdict.status == Status.FAILED and each.level == Level.SHOULD:
            excuse = explained.reason(each.id, stream)
            if excuse:
                verdict = Verdict(each, Status.EXPLAINED, f"{verdict.found}. {excuse}", verdict.faults)
        verdicts.append(verdict)
    return Report(url, tuple(verdicts))


def _place(each: Rule) -> tuple[str, list[int], str]:
    """Apple's by number, then the RFC's, then our own."""
    kind = each.id.rstrip("0123456789.abcdefghijklmnopqrstuvwxyz").strip()
    numbers = [int(number) for number in re.findall(r"[0-9]+", each.id)]
    return kind[:1], numbers, each.id
