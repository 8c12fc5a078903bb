"""Rules on groups of renditions, languages and subtitles."""

from __future__ import annotations

import re
from collections import Counter

from transcoder.authoring.rulebook import MUST, SHOULD, Found, NotApplicable, Unchecked, rule, some
from transcoder.authoring.stream import Line, Stream

# The shape of BCP 47: a language of 2, 3 or 5 to 8 letters and what follows it.
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*|[A-Za-z]{5,8}(?:-[A-Za-z0-9]{1,8})*")
_DEAF = "public.accessibility.transcribes-spoken-dialog"
_BLIND = "public.accessibility.describes-video"


@rule("8.10", MUST, "Sound, subtitles and captions name their LANGUAGE (4.7, 4.4)", "Write LANGUAGE; und if unknown.")
def languages(stream: Stream) -> Found:
    spoken = [each for each in stream.renditions if each.type != "VIDEO"]
    found = Found(", ".join(sorted({r.attributes.get("LANGUAGE", "") for r in some(spoken, "no EXT-X-MEDIA")})))
    for each in spoken:
        said = each.attributes.get("LANGUAGE")
        if said is None:
            found.fault(f"line {each.line}, {each.type} “{each.name}”, names none")
        elif not _LANGUAGE.fullmatch(said):
            found.fault(f"line {each.line}: {said!r} is no language after BCP 47")
    return found


@rule(
    "RFC 4.4.6.1",
    MUST,
    "Groups of renditions are whole: named by their variants, one default, one of each name",
    "Mend the EXT-X-MEDIA lines named.",
)
def groups(stream: Stream) -> Found:
    if stream.multivariant is None:
        raise NotApplicable("the URL names a media playlist")
    found, top = Found(), stream.multivariant
    kinds = {"AUDIO": "AUDIO", "VIDEO": "VIDEO", "SUBTITLES": "SUBTITLES", "CLOSED-CAPTIONS": "CLOSED-CAPTIONS"}
    for variant in top.variants:
        for attribute, kind in kinds.items():
            group = variant.attributes.get(attribute)
            if group and group != "NONE" and not top.group(kind, group):
                found.fault(f"line {variant.line} names {attribute} group “{group}”, which there is not")
    members = {(each.type, each.group): top.group(each.type, each.group) for each in top.renditions}
    for (kind, group), renditions in members.items():
        doubled = [name for name, count in Counter(each.name for each in renditions).items() if count > 1]
        if doubled:
            found.fault(f"{kind} group “{group}” has “{doubled[0]}” twice")
        if sum(each.attributes.get("DEFAULT") == "YES" for each in renditions) > 1:
            found.fault(f"{kind} group “{group}” has two defaults")
        used = any(variant.attributes.get(kind) == group for variant in top.variants)
        if not used:
            found.fault(f"{kind} group “{group}” is named by no variant")
    found.summary = f"{len(members)} groups"
    return found


@rule("RFC 4.4.6.1 CHANNELS", SHOULD, "Sound renditions say their CHANNELS, and truly", "Write CHANNELS.")
def channels(stream: Stream) -> Found:
    renditions = some((r for r in stream.renditions if r.type == "AUDIO"), "there is no rendition of sound")
    found = Found(", ".join(sorted({r.attributes.get("CHANNELS", "") for r in renditions})))
    for each in renditions:
        said = each.attributes.get("CHANNELS", "").partition("/")[0]
        line = stream.lines.get(each.url or "")
        track = line.track if line else None
        if not said:
            found.fault(f"line {each.line} does not")
        elif track and track.channels and said != str(track.channels):
            found.fault(f"line {each.line} says {said}, there are {track.channels}")
    return found


@rule("2.13", MUST, "Sound that describes pictures is chosen by itself (AUTOSELECT=YES)", "Write AUTOSELECT=YES.")
def descriptions(stream: Stream) -> Found:
    described = [
        r for r in stream.renditions if r.type == "AUDIO" and _BLIND in r.attributes.get("CHARACTERISTICS", "")
    ]
    some(described, "no sound describes pictures")
    return Found("it is", [f"line {r.line}" for r in described if r.attributes.get("AUTOSELECT") != "YES"])


@rule("4.1", SHOULD, "Films have captions or subtitles", "Add subtitles in the studio.")
def has_captions(stream: Stream) -> Found:
    some(stream.role("video"), "there are no pictures")
    kinds = [r for r in stream.renditions if r.type in ("SUBTITLES", "CLOSED-CAPTIONS")]
    return Found(f"{len(kinds)} of them", [] if kinds else ["there are none"])


@rule("4.6", MUST, "Subtitles for the deaf, and forced ones, are chosen by themselves (5.11)", "Write AUTOSELECT=YES.")
def captions_autoselect(stream: Stream) -> Found:
    special = [
        r
        for r in stream.renditions
        if r.type == "SUBTITLES"
        and (_DEAF in r.attributes.get("CHARACTERISTICS", "") or r.attributes.get("FORCED") == "YES")
    ]
    some(special, "there are none of these")
    return Found("they are", [f"line {r.line}" for r in special if r.attributes.get("AUTOSELECT") != "YES"])


def _subtitles(stream: Stream) -> list[Line]:
    lines = some(stream.role("subtitles"), "there are no subtitles")
    refused = next((line for line in lines if line.refused_key), None)
    if refused:
        raise Unchecked(f"the segments are sealed and their key does not come: {refused.refused_key}")
    return lines


@rule("5.2", MUST, "Subtitles are WebVTT in text files, or IMSC1 in fMP4 (5.4)", "Package them as WebVTT.")
def subtitle_format(stream: Stream) -> Found:
    found = Found()
    for line in _subtitles(stream):
        for piece in line.pieces:
            imsc = piece.container == "fmp4" and line.tracks and line.tracks[0].codec == "stpp"
            if piece.container != "webvtt" and not imsc:
                found.fault(f"{line.name} {piece.announced.sequence}: {piece.container or piece.wrong}")
    found.summary = "WebVTT or IMSC1"
    return found


@rule("5.3", MUST, "Every WebVTT segment maps its times (X-TIMESTAMP-MAP)", "Write the header into every segment.")
def timestamp_map(stream: Stream) -> Found:
    found, count = Found(), 0
    for line in _subtitles(stream):
        for piece in line.pieces:
            if piece.vtt:
                count += 1
                if piece.vtt.offset is None:
                    found.fault(f"{line.name} {piece.announced.sequence}")
    found.summary = f"{some([count] if count else [], 'there is no WebVTT')[0]} do"
    return found


@rule(
    "5.5",
    MUST,
    "Subtitle playlists last as long as the film",
    "Add empty segments up to the film's end.",
)
def subtitles_cover(stream: Stream) -> Found:
    lines = some(stream.role("subtitles"), "there are no subtitles")
    film = max((line.announced_seconds for line in stream.played), default=0.0)
    found = Found(f"{film:.3f} s")
    for line in lines:
        if line.announced_seconds < film - 0.5:
            found.fault(f"{line.name} lasts {line.announced_seconds:.3f} s of {film:.3f}")
    return found


@rule(
    "RFC 3.1.4",
    MUST,
    "Each cue stands in every segment that it overlaps, at its true time, and can be read",
    "Write a cue into each segment from its first to its last moment.",
)
def cues(stream: Stream) -> Found:
    start = min((line.opened[0].start for line in stream.played if line.opened), default=0.0)
    found, count = Found(), 0
    for line in _subtitles(stream):
        at = start
        for piece in line.pieces:
            ends = at + piece.announced.seconds
            if piece.vtt:
                offset = piece.vtt.offset or 0.0
                count += len(piece.vtt.cues)
                if piece.vtt.bad_arrows:
                    found.fault(f"{line.name} {piece.announced.sequence}: {piece.vtt.bad_arrows} lines are no cues")
                for first, last in piece.vtt.cues:
                    if last <= first or first + offset >= ends + 0.001 or last + offset <= at - 0.001:
                        said = f"{first + offset:.3f} to {last + offset:.3f} s"
                        found.fault(
                            f"{line.name} {piece.announced.sequence} ({at:.3f} to {ends:.3f} s): a cue at {said}"
                        )
            at = ends
    found.summary = f"{count} cues"
    return found


@rule("5.10", SHOULD, "CODECS of the variants names the kind of subtitles", "Add wvtt (or stpp.ttml.im1t) to CODECS.")
def subtitle_codec(stream: Stream) -> Found:
    some(stream.role("subtitles"), "there are no subtitles")
    variants = [v for v in stream.variants if v.attributes.get("SUBTITLES")]
    bare = [v.name for v in variants if not any(c.startswith(("wvtt", "stpp")) for c in v.codecs)]
    return Found("it does", bare)
