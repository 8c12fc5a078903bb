"""Subtitles as text: SRT and WebVTT in any likely encoding, read into cues that are safe to write.

The bytes are a stranger's. What leaves here has sane times, bounded sizes, and of markup only WebVTT's own
(https://www.w3.org/TR/webvtt1/), balanced and escaped.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from transcoder.errors import N_, TranscoderError

MAX_BYTES = 1024**2
MAX_CUES = 20_000
MAX_SECONDS = 24 * 3600.0
_CUE_CHARACTERS = 1_000
# A text that stands longer is cut short: it would be repeated in every segment.
_LONGEST = 120.0


class BadSubtitles(TranscoderError):
    """The file holds no subtitles that can be shown; `message` and `facts` are for translation, as in NotMedia."""

    def __init__(self, message: str, **facts: str | int) -> None:
        self.message = message
        self.facts = facts
        super().__init__(message % facts if facts else message)


@dataclass(frozen=True, slots=True)
class Cue:
    """A text and when it is shown, in seconds. `text` is WebVTT; `top` puts it to the upper edge."""

    start: float
    end: float
    text: str
    top: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """What a file says, in order, and the encoding it was read in."""

    cues: tuple[Cue, ...]
    encoding: str


# A line of times: SRT and WebVTT differ in the comma, and WebVTT may leave the hours out.
_TIMES = re.compile(
    r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})[ \t]*-->[ \t]*(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
    r"(?P<settings>[^\n]*)"
)
_BLANK = re.compile(r"\n[ \t]*\n")
_TOP = re.compile(r"\{\\an?[789]\}")
_TOP_LINE = re.compile(r"\bline:(?:\d|[1-4]?\d(?:\.\d+)?%)(?:\s|,|\Z)")
_OVERRIDE = re.compile(r"\{[\\][^}\n]*\}")
# WebVTT's tags; a class or a name after them.
_MARKUP = re.compile(
    r"<(/?)(b|i|u|v|ruby|rt)((?:\.[\w-]{1,40})*)(?:[ \t]+([^<>\n]{0,80}))?>|<(?=[/!?A-Za-z\d])[^<>\n]{0,200}>",
    re.IGNORECASE,
)


def read(data: bytes) -> Script:
    """The cues of an SRT or WebVTT file. Raises BadSubtitles."""
    if len(data) > MAX_BYTES:
        raise BadSubtitles(N_("is larger than %(most)s MB: subtitles are text"), most=MAX_BYTES // 1024**2)
    text, encoding = decode(data)
    cues = sorted(_cues(text), key=lambda cue: (cue.start, cue.end))
    if not cues:
        raise BadSubtitles(N_("holds no subtitles: each wants a line such as 00:00:01,000 --> 00:00:04,000"))
    if len(cues) > MAX_CUES:
        raise BadSubtitles(N_("holds more than %(most)s subtitles"), most=MAX_CUES)
    return Script(tuple(cues), encoding)


def decode(data: bytes) -> tuple[str, str]:
    """The text and the name of its encoding. Raises BadSubtitles where it is none that is known."""
    for mark, name in (
        (codecs.BOM_UTF8, "UTF-8"),
        (codecs.BOM_UTF16_LE, "UTF-16LE"),
        (codecs.BOM_UTF16_BE, "UTF-16BE"),
    ):
        if data.startswith(mark):
            return _strictly(data[len(mark) :], name), name.removesuffix("LE").removesuffix("BE")
    if b"\0" in data:
        # Times are ASCII, so in UTF-16 every other byte of them is zero.
        little = data[1::2].count(0) >= data[::2].count(0)
        return _strictly(data, "UTF-16LE" if little else "UTF-16BE"), "UTF-16"
    try:
        return data.decode("utf-8"), "UTF-8"
    except UnicodeDecodeError:
        pass
    if _looks_like_gb(data):
        try:
            return data.decode("gb18030"), "GB18030"
        except UnicodeDecodeError:
            pass
    # Windows' Latin-1: what its few unused bytes mean nobody knows.
    return data.decode("cp1252", errors="replace"), "Latin-1"


def _strictly(data: bytes, name: str) -> str:
    try:
        return data.decode(name)
    except UnicodeDecodeError:
        raise BadSubtitles(N_("is not the %(encoding)s it begins as: save it as UTF-8"), encoding=name) from None


def _looks_like_gb(data: bytes) -> bool:
    """Chinese comes in pairs of high bytes; in Latin-1 an accented letter seldom stands beside another."""
    runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", data)]
    paired = sum(length for length in runs if length >= 2)
    return paired >= 0.8 * sum(runs)


def _cues(text: str) -> Iterator[Cue]:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    found = list(_TIMES.finditer(text))
    ends = [*(times.start() for times in found[1:]), len(text)]
    for times, end_of_text in zip(found, ends, strict=False):
        # Up to an empty line; where a sloppy file has none, the next cue's number is not said either.
        said = re.sub(r"\n\d{1,6}\s*\Z", "", _BLANK.split(text[times.end() : end_of_text].strip("\n"), maxsplit=1)[0])
        start, end = _seconds(*times.groups()[:4]), _seconds(*times.groups()[4:8])
        shown = plain_markup(said)
        if 0 <= start < end <= MAX_SECONDS and shown:
            top = bool(_TOP.search(said)) or bool(_TOP_LINE.search(times["settings"]))
            yield Cue(start, min(end, start + _LONGEST), shown, top)


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction.ljust(3, "0")) / 1000


def plain_markup(said: str) -> str:
    """The text with WebVTT's own tags and nothing else: balanced, escaped, without empty lines."""
    said = _OVERRIDE.sub("", said)[:_CUE_CHARACTERS]
    parts: list[str] = []
    is_open: list[str] = []
    at = 0
    for tag in _MARKUP.finditer(said):
        parts.append(_escaped(said[at : tag.start()]))
        at = tag.end()
        closing, name, _classes, told = tag.groups()
        name = (name or "").lower()
        if not name or (name == "rt" and "ruby" not in is_open and not closing):
            continue
        if not closing:
            if name == "v" and not (told or "").strip():
                continue
            is_open.append(name)
            parts.append(f"<v {_escaped(told.strip())}>" if name == "v" else f"<{name}>")
        elif name in is_open:
            while is_open:
                ended = is_open.pop()
                parts.append(f"</{ended}>")
                if ended == name:
                    break
    parts.append(_escaped(said[at:]))
    parts += [f"</{name}>" for name in reversed(is_open)]
    lines = ("".join(c for c in line if c.isprintable() or c == "\t").strip() for line in "".join(parts).split("\n"))
    shown = "\n".join(line for line in lines if line)
    return shown if re.sub(r"<[^>]*>", "", shown).strip() else ""


def _escaped(text: str) -> str:
    text = re.sub(r"&(?!(?:amp|lt|gt|nbsp|lrm|rlm);)", "&amp;", text)
    return text.replace("<", "&lt;").replace(">", "&gt;")


def write(cues: Sequence[Cue], head: Sequence[str] = ()) -> str:
    """A WebVTT file; `head` are lines under its first."""
    parts = ["\n".join(["WEBVTT", *head])]
    for cue in cues:
        settings = " line:0" if cue.top else ""
        parts.append(f"{timestamp(cue.start)} --> {timestamp(cue.end)}{settings}\n{cue.text}")
    return "\n\n".join(parts) + "\n"


def timestamp(seconds: float) -> str:
    """A time as WebVTT writes it."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
