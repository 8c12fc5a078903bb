"""WebVTT segments, as far as a stream's rules go (W3C WebVTT; RFC 8216bis, section 3.1.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TIME = r"((?:\d{2,}:)?\d{2}:\d{2}\.\d{3})"
_CUE = re.compile(rf"^{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t].*)?$", re.M)
_MPEGTS, _LOCAL = r"MPEGTS:(?P<ticks{0}>\d{{1,11}})", r"LOCAL:(?P<local{0}>[\d:.]+)"
_MAP = re.compile(
    rf"^X-TIMESTAMP-MAP=(?:{_MPEGTS.format(1)},{_LOCAL.format(1)}|{_LOCAL.format(2)},{_MPEGTS.format(2)})[ \t]*$", re.M
)


@dataclass(frozen=True, slots=True)
class Text:
    """A segment's words. `offset` is what the timestamp map adds to a cue's time; None where there is no map.

    `cues` are (from, to) in seconds as the file says them; `bad_arrows` counts lines with --> that are no cue.
    """

    offset: float | None
    cues: tuple[tuple[float, float], ...]
    bad_arrows: int


def looks_so(data: bytes) -> bool:
    """Whether the bytes begin as WebVTT does."""
    return re.match(rb"(?:\xef\xbb\xbf)?WEBVTT(?:[ \t\r\n]|$)", data) is not None


def read(data: bytes) -> Text:
    """What a segment says; what is no cue is skipped."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    header = text.partition("\n\n")[0]
    found, offset = _MAP.search(header), None
    if found:
        offset = int(found["ticks1"] or found["ticks2"]) / 90_000 - _seconds(found["local1"] or found["local2"])
    cues = tuple((_seconds(each[1]), _seconds(each[2])) for each in _CUE.finditer(text))
    return Text(offset, cues, sum("-->" in line for line in text.split("\n")) - len(cues))


def _seconds(said: str) -> float:
    total = 0.0
    for part in said.split(":"):
        total = total * 60 + float(part or 0)
    return total
