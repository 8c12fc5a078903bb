"""What a master says of its sound tracks, subtitles and chapters, made fit to be shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from av.stream import Disposition

from transcoder import accepted
from transcoder.contract import Chapter, SoundTrack, TextTrack
from transcoder.languages import language

MAX_SOUNDS, MAX_TEXTS, MAX_CHAPTERS = 16, 32, 500
_TITLE = 80

# Names that muxers write where nobody gave one.
_NO_TITLE = re.compile(
    r"(sound|audio|subtitle|video|text|data|core media|gpac|mainconcept).*handler|\W*", re.IGNORECASE
)


def sounds(container: Any, may_hold: Callable[[str], bool]) -> tuple[SoundTrack, ...]:
    """The sound tracks of an open libav container that can be decoded; `may_hold` judges a codec's canonical name."""
    found = []
    least, most = accepted.SAMPLE_RATES
    for index, stream in enumerate(container.streams.audio):
        plain = least <= (stream.rate or 0) <= most and 1 <= (stream.channels or 0) <= accepted.MAX_CHANNELS
        if not (plain and may_hold(_codec(stream))):
            continue
        found.append(
            SoundTrack(
                index=index,
                language=language(stream.language),
                title=_title(stream.metadata),
                channels=stream.channels,
                default=bool(stream.disposition & Disposition.default),
                role=_sound_role(stream.disposition),
            )
        )
    return tuple(found[:MAX_SOUNDS])


def texts(container: Any) -> tuple[TextTrack, ...]:
    """The subtitles of an open libav container that are text."""
    found = [
        TextTrack(
            index=index,
            language=language(stream.language),
            title=_title(stream.metadata),
            default=bool(stream.disposition & Disposition.default),
            forced=bool(stream.disposition & Disposition.forced),
            captions=bool(stream.disposition & (Disposition.hearing_impaired | Disposition.captions)),
        )
        for index, stream in enumerate(container.streams.subtitles)
        if _codec(stream) in accepted.TEXT
    ]
    return tuple(found[:MAX_TEXTS])


def chapters(container: Any, duration: float) -> tuple[Chapter, ...]:
    """The chapters of an open libav container, in order, within `duration` seconds."""
    found = []
    for told in sorted(container.chapters(), key=lambda each: each["start"])[:MAX_CHAPTERS]:
        unit = told["time_base"] or 0
        start, end = max(0.0, float(told["start"] * unit)), min(float(duration), float(told["end"] * unit))
        if start < end:
            found.append(Chapter(round(start, 3), round(end, 3), clean(told["metadata"].get("title", ""))))
    return tuple(found)


def clean(text: str) -> str:
    """A title out of a file: one line, printable, of a length that can be shown."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text[:_TITLE].strip()


def _title(metadata: dict[str, str]) -> str:
    told = {name.lower(): value for name, value in metadata.items()}
    for name in ("title", "name", "handler_name"):
        title = clean(told.get(name, ""))
        if title and not _NO_TITLE.fullmatch(title):
            return title
    return ""


def _sound_role(disposition: Disposition) -> str:
    if disposition & (Disposition.descriptions | Disposition.visual_impaired):
        return "descriptions"
    return "commentary" if disposition & Disposition.comment else ""


def _codec(stream: Any) -> str:
    context = stream.codec_context
    return str(context.codec.canonical_name) if context is not None and context.codec is not None else ""
