"""Subtitle renditions: a film's own text tracks and files sent beside it, cut into encrypted WebVTT segments."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import ffmpeg

from media_store import keys
from media_store.interface import MediaStore
from transcoder import captions, commands, ladder, languages, package, playlist, sandbox, storing, stream
from transcoder.contract import Probe, Stretch, segment_key
from transcoder.stream import ENTRY, Text

GROUP = "subs"
CONTENT_TYPE = "text/vtt"
_FOLDER = Path("texts")
# Nothing in ours is dated from a transport stream: media and cues both begin at 0 (RFC 8216bis, section 3.1.4).
_MAP = "X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0"


def extract(master: Path, probe: Probe, work: Path) -> dict[int, tuple[captions.Cue, ...]]:
    """The cues of the master's text tracks by the tracks' index; tracks that say nothing are left out.

    FFmpeg reads the master once for all of them. Raises EncodeFailed or TimedOut.
    """
    if not probe.texts:
        return {}
    (work / _FOLDER).mkdir(parents=True, exist_ok=True)
    source = commands.open_master(master)
    outputs = [
        ffmpeg.output(
            source[f"s:{text.index}"],
            f"{_FOLDER}/{text.index}.srt",
            f="srt",
            fs=captions.MAX_BYTES,
            **{"c:s": "srt"},
            **commands.CLEAN,
        )
        for text in probe.texts
    ]
    run = commands.command(outputs, cost=0.01, seconds=probe.duration)
    sandbox.run_all([run], cwd=work, at_once=1, wall_seconds=120 + probe.duration)
    found = {}
    for text in probe.texts:
        try:
            found[text.index] = captions.read((work / _FOLDER / f"{text.index}.srt").read_bytes()).cues
        except captions.BadSubtitles:
            continue  # an empty track
    return found


def embedded(
    master: Path, probe: Probe, work: Path, into: Path, stream_key: bytes, *, segment_seconds: float
) -> tuple[list[Text], list[package.Member]]:
    """The master's own subtitles as renditions `subs-0`, `subs-1` … in the folder `into`, and their members."""
    cues = extract(master, probe, work)
    told = [text for text in probe.texts if text.index in cues]
    titles = languages.names([(text.language, text.title) for text in told], otherwise="Subtitles")
    made: list[Text] = []
    members: list[package.Member] = []
    for number, (text, title) in enumerate(zip(told, titles, strict=True)):
        folder = into / f"{GROUP}-{number}"
        stretch, sealed = seal(
            cues[text.index], folder, stream_key, segment_seconds=segment_seconds, duration=probe.duration
        )
        made.append(Text(stretch, media(folder.name, title, text.language, text.forced, text.captions)))
        members += sealed
    return made, members


def media(folder: str, name: str, language: str, forced: bool = False, hearing: bool = False) -> playlist.Media:
    """How a subtitle rendition stands in the multivariant playlist. None is shown unasked; `hearing` marks captions."""
    told = "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound"
    return playlist.Media(
        "SUBTITLES",
        GROUP,
        name,
        f"{folder}/index.m3u8",
        language=language,
        forced=forced,
        characteristics=told if hearing else "",
    )


def seal(
    cues: Sequence[captions.Cue], into: Path, stream_key: bytes, *, segment_seconds: float, duration: float
) -> tuple[Stretch, list[package.Member]]:
    """Write the encrypted segments of one rendition into the folder `into`, which is named after it.

    Every segment is as long as those of the film; the last one ends with it. A cue that reaches into several stands in
    each of them, as players that join in the middle need it.
    """
    into.mkdir(parents=True, exist_ok=True)
    count = max(1, math.ceil(duration / segment_seconds - 1e-6))
    shown: list[list[captions.Cue]] = [[] for _ in range(count)]
    for cue in cues:
        last = min(count, math.ceil(cue.end / segment_seconds))
        for number in range(int(cue.start // segment_seconds), last):
            shown[number].append(cue)
    seconds: list[float] = []
    sizes: list[int] = []
    members: list[package.Member] = []
    for sequence, said in enumerate(shown, start=playlist.FIRST_SEQUENCE):
        key = segment_key(stream_key, playlist.key_number(sequence, segment_seconds))
        sealed = package.encrypt_segment(captions.write(said, [_MAP]).encode(), key, sequence)
        path = into / f"{sequence:05}.vtt"
        path.write_bytes(sealed)
        members.append(package.Member(f"{into.name}/{path.name}", path, CONTENT_TYPE))
        start = len(seconds) * segment_seconds
        seconds.append(min(duration - start, segment_seconds))
        sizes.append(len(sealed))
    return Stretch(into.name, playlist.FIRST_SEQUENCE, tuple(seconds), tuple(sizes), ""), members


_TEXT_LINE = re.compile(r'#EXT-X-MEDIA:TYPE=SUBTITLES,.*URI="(?P<folder>[^"/]+)/index\.m3u8"')


_PICTURE_LINE = re.compile(r"#EXT-X-STREAM-INF:.*RESOLUTION=")


def listed_anew(multivariant: str, texts: Sequence[playlist.Media]) -> str:
    """A multivariant playlist with these subtitles in the place of those it has; the rest stays as it is."""
    lines = [line for line in multivariant.splitlines() if not _TEXT_LINE.match(line)]
    lines = [re.sub(rf',SUBTITLES="[^"]*"|{playlist.TEXT_CODEC}(?=")', "", line) for line in lines]
    if texts:
        lines = [_with_subtitles(line) if _PICTURE_LINE.match(line) else line for line in lines]
        first = next(n for n, line in enumerate(lines) if line.startswith("#EXT-X-STREAM-INF:"))
        named = playlist.multivariant([], texts).splitlines()
        lines[first:first] = [line for line in named if line.startswith("#EXT-X-MEDIA:")]
    return "\n".join(lines) + "\n"


def _with_subtitles(line: str) -> str:
    line = re.sub(r'(CODECS="[^"]*)', rf"\1{playlist.TEXT_CODEC}", line)
    attribute = f',SUBTITLES="{GROUP}"'
    if ",CLOSED-CAPTIONS=" in line:
        return line.replace(",CLOSED-CAPTIONS=", f"{attribute},CLOSED-CAPTIONS=")
    return line + attribute


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Subtitles sent beside a film, as WebVTT from `captions.write`; `name` may be empty."""

    sha256: str
    webvtt: str
    language: str
    name: str
    hearing: bool = False


@dataclass(frozen=True, slots=True)
class Attached:
    """What a stream has now: its `texts` as facts, of which sidecars have a `sha256`; bytes of the sidecars."""

    texts: tuple[dict[str, Any], ...]
    size: int


def attach(
    sidecars: Sequence[Sidecar],
    *,
    store: MediaStore,
    prefix: str,
    probe: Probe,
    stream_key: bytes,
    texts: Sequence[dict[str, Any]],
    work: Path,
) -> Attached:
    """Store sidecars as renditions of a finished stream and list them, and no others, beside its own subtitles.

    `texts` are the facts of what is listed now. Renditions are named after their content, so that what was cached
    under a name never changes. Raises StoreError.
    """
    own = [_media_of(each) for each in texts if not each.get("sha256")]
    multivariant = store.get_bytes(keys.stream_member(prefix, ENTRY)).decode()
    target, duration = _timing(store, prefix, multivariant)
    told = [(each.language, each.name) for each in own] + [(each.language, each.name) for each in sidecars]
    titles = languages.names(told, otherwise="Subtitles")[len(own) :]
    listed, facts, size = list(own), [asdict(each) for each in own], 0
    seconds = ladder.segment_seconds(probe)
    for each, title in zip(sidecars, titles, strict=True):
        folder = f"{GROUP}-{each.sha256[:16]}"
        cues = captions.read(each.webvtt.encode()).cues
        stretch, members = seal(cues, work / folder, stream_key, segment_seconds=seconds, duration=duration)
        index = playlist.text_playlist(stream.segments(stretch, seconds, "vtt"), target_duration=target)
        prefix_hash = prefix.split("/")[1]
        storing.put_members(store, prefix_hash, members)
        storing.put_playlists(store, prefix_hash, {f"{folder}/index.m3u8": index})
        listed.append(media(folder, title, each.language, hearing=each.hearing))
        facts.append(asdict(listed[-1]) | {"sha256": each.sha256})
        size += sum(stretch.sizes)
    storing.put_playlists(store, prefix.split("/")[1], {ENTRY: listed_anew(multivariant, listed)})
    return Attached(tuple(facts), size)


def _media_of(fact: dict[str, Any]) -> playlist.Media:
    return playlist.Media(**fact)


def _timing(store: MediaStore, prefix: str, multivariant: str) -> tuple[int, float]:
    """Target duration and length of a stream, from the first of its pictures."""
    lines = multivariant.splitlines()
    uri = next(uri for line, uri in pairwise(lines) if _PICTURE_LINE.match(line))
    text = store.get_bytes(keys.stream_member(prefix, uri)).decode()
    target = re.search(r"#EXT-X-TARGETDURATION:(\d+)", text)
    assert target is not None
    return int(target[1]), sum(float(seconds) for seconds in re.findall(r"#EXTINF:([\d.]+)", text))
