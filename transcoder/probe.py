"""What a master is, and what it says of itself, found out in a child process.

Bytes that came from outside are never opened here: their type is told from the first few, and then
`transcoder.examine` opens them in the sandbox, one process for each file, without a network and with nothing else to
read. What it answers is checked again on this side, since it has been where the bytes were.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from transcoder import accepted, colour, sandbox, tag_fields
from transcoder.contract import Probe, TagSet
from transcoder.errors import N_, EncodeFailed, NotMedia, NotStarted, TimedOut
from transcoder.sniff import Sniffed, look, sniff

log = logging.getLogger("wavecrate.transcoder")

_MEMORY = 4 * 1024**3  # a few decoded pictures of the largest size taken
# Looking over takes as long as reading every byte and decoding all sound; both are given a pace that any machine
# keeps. Sound of few bytes may be long, but no codec that is taken needs less than this for a second of it.
_LEAST_SECONDS = 60
_BYTES_PER_SECOND_READ = 16 * 1024**2
_BYTES_PER_SECOND_OF_SOUND = 4000
_TIMES_AS_FAST_AS_HEARD = 100
_NAME_LIMIT = 255
_TITLE_LIMIT = 300
_MOST_PARTS = 1000
_WORD = re.compile(r"[A-Za-z0-9_-]{0,40}")


@dataclass(frozen=True, slots=True)
class LookedOver:
    """A master, looked over. `probe` is None where only the tags were asked for."""

    probe: Probe | None
    tags: TagSet
    cover: bytes | None


def probe_file(path: Path, name: str | None = None) -> Probe:
    """What the file at `path` is; raise NotMedia, whose text completes "the file …", unless it is whole and sound.

    `name` is the file's own name where `path` is a copy under another. See `measure.measure` for the figures.
    """
    probe = look_over(path, name).probe
    assert probe is not None
    return probe


def look_over(path: Path, name: str | None = None, *, measure: bool = True) -> LookedOver:
    """Measure a master and read its tags and cover (any image format, at most 20 MiB), in one sandboxed child.

    Raises NotMedia where it isn't one, is damaged, or takes longer than `time_limit` or more memory than a sound one
    needs; EncodeFailed where the sandbox could not be set up. Without `measure` only the tags are read.
    """
    called = name or path.name
    sniffed = sniff(path, called) if measure else look(path)
    question = {
        "container": sniffed.container,
        "start": sniffed.start,
        "name": called[-_NAME_LIMIT:],
        "measure": measure,
    }
    child = sandbox.python(
        "transcoder.examine", json.dumps(question), inputs=(path.resolve(), path.resolve()), memory=_MEMORY
    )
    limit = time_limit(path.stat().st_size)
    try:
        answer = sandbox.ask(child, wall_seconds=limit)
    except TimedOut:
        raise NotMedia(
            N_("takes more than %(seconds)s seconds to look over, longer than any sound file of its size"),
            seconds=round(limit),
        ) from None
    except NotStarted:
        raise
    except EncodeFailed as failed:
        log.warning("looking over a %s: %s", sniffed.called, failed)
        raise NotMedia(
            N_("cannot be looked over: opening it as %(kind)s fails or takes more memory than the shop allows"),
            kind=sniffed.called,
        ) from None
    try:
        return _understood(answer, sniffed, measure)
    except (ValueError, TypeError, KeyError, AttributeError) as nonsense:
        log.warning("looking over a %s: its answer makes no sense: %s", sniffed.called, nonsense)
        raise NotMedia(N_("cannot be looked over: what is inside makes no sense")) from None


def time_limit(size: int) -> float:
    """Seconds after which looking over a file of so many bytes is given up."""
    longest = min(accepted.MAX_SECONDS, size / _BYTES_PER_SECOND_OF_SOUND)
    return _LEAST_SECONDS + size / _BYTES_PER_SECOND_READ + longest / _TIMES_AS_FAST_AS_HEARD


def _understood(answer: bytes, sniffed: Sniffed, measure: bool) -> LookedOver:
    line, _, cover = answer.partition(b"\n")
    told = json.loads(line)
    if "refused" in told:
        raise NotMedia(str(told["refused"]), **{str(name): _fact(value) for name, value in told["facts"].items()})
    if len(cover) != told["cover_bytes"] or len(cover) > tag_fields.COVER_LIMIT:
        raise ValueError("the cover is cut off")
    found = {str(name): value for name, value in told["tags"].items() if isinstance(value, str)}
    probe = _believed(Probe.from_dict(told["probe"]), sniffed) if measure else None
    return LookedOver(probe, tag_fields.tag_set(found), cover or None)


def _fact(value: Any) -> str | int:
    return value if isinstance(value, int) else str(value)


def _believed(probe: Probe, sniffed: Sniffed) -> Probe:
    """The probe, if everything in it is something that `measure` could have found."""
    parts = [probe, *probe.sounds, *probe.texts, *probe.chapters]
    parts += [part for part in (probe.audio, probe.video) if part is not None]
    sane = (
        len(parts) <= _MOST_PARTS
        and all(_possible(part) for part in parts)
        and probe.container == sniffed.container
        and probe.kind == ("film" if probe.video else "audio")
        and probe.duration > 0
        and (probe.video is None or [_is_figure(part) for part in probe.video.frame_rate] == [True, True])
        and (probe.video is None or colour.are_names(probe.video))
    )
    if not sane:
        raise ValueError("a probe that can't be")
    return probe


def _possible(part: Any) -> bool:
    """Whether each field of a part of the contract has its type, figures are in bounds and texts are short and plain.

    What libav names (codecs, colours) ends up in FFmpeg's command lines, so it is a word and nothing else.
    """
    for field in fields(part):
        value = getattr(part, field.name)
        if field.name == "title":
            right = isinstance(value, str) and len(value) <= _TITLE_LIMIT and (value.isprintable() or not value)
        elif field.type in ("str", "MediaKind"):
            right = isinstance(value, str) and _WORD.fullmatch(value) is not None
        elif field.type == "bool":
            right = isinstance(value, bool)
        else:
            right = field.type not in ("int", "float") or _is_figure(value)
        if not right or (field.type == "float" and value > accepted.MAX_SECONDS + 1):
            return False
    return True


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value < 1 << 31
