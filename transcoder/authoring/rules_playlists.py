"""Rules on playlists by themselves and against each other: format, durations, keys."""

from __future__ import annotations

from transcoder.authoring.playlists import Media
from transcoder.authoring.rulebook import MUST, SHOULD, Found, NotApplicable, Unchecked, opened, rule, some
from transcoder.authoring.stream import Line, Stream

_ROUNDING = 1e-6  # seconds; EXTINF has six decimals or fewer
_KEY_SECONDS = 60.0


@rule(
    "RFC 4",
    MUST,
    "Every playlist keeps to the format: UTF-8, tags in their places, attributes of their types",
    "Mend the lines named.",
)
def well_formed(stream: Stream) -> Found:
    found = Found(f"{1 + len(stream.lines)} playlists read" if stream.multivariant else "1 playlist read")
    if stream.multivariant:
        if not stream.multivariant.variants:
            found.fault("the multivariant playlist has no variant")
        found.faults += [f"{_short(stream.url)}, {problem}" for problem in stream.multivariant.problems]
    for line in stream.lines.values():
        found.faults += [f"{line.name}, {problem}" for problem in line.playlist.problems]
        if not line.playlist.segments and line.playlist.ended:
            found.fault(f"{line.name} has no segment")
    return found


@rule(
    "RFC 3",
    MUST,
    "Every playlist, init section and segment that is named arrives and can be opened",
    "Publish what is missing; seal each segment with the key and IV that its playlist names.",
)
def arrives(stream: Stream) -> Found:
    lines = list(stream.lines.values())
    found = Found(f"{sum(len(line.pieces) for line in lines)} segments fetched", list(stream.failures))
    refused = [line for line in lines if line.refused_key]
    for line in lines:
        if line not in refused:
            found.faults += [f"{line.name} {p.announced.sequence}: {p.wrong}" for p in line.pieces if p.wrong]
    if refused and not found.faults:
        raise Unchecked(f"a key does not come: {refused[0].refused_key}. Sign in with --email, or use --track.")
    return found


@rule(
    "RFC 8",
    MUST,
    "EXT-X-VERSION is high enough for what the playlist uses",
    "Raise EXT-X-VERSION to the number named.",
)
def version(stream: Stream) -> Found:
    lists = [(line.name, line.playlist) for line in stream.lines.values()]
    found = Found("versions " + ", ".join(sorted({str(each.version) for _, each in lists})))
    everything: list[tuple[str, object]] = [*lists]
    if stream.multivariant:
        everything.append((_short(stream.url), stream.multivariant))
    for name, each in everything:
        needed, why = each.needs_version  # type: ignore[attr-defined]
        if each.version < needed:  # type: ignore[attr-defined]
            found.fault(f"{name} says {each.version}, {why} needs {needed}")  # type: ignore[attr-defined]
    return found


@rule(
    "RFC 4.4.3.1",
    MUST,
    "No EXTINF, rounded to whole seconds, exceeds the target duration",
    "Raise EXT-X-TARGETDURATION in every playlist of the stream, or cut shorter segments.",
)
def extinf_within_target(stream: Stream) -> Found:
    longest = 0.0
    found = Found()
    for line in stream.lines.values():
        for segment in line.playlist.segments:
            longest = max(longest, segment.seconds)
            if int(segment.seconds + 0.5) > line.playlist.target:
                found.fault(f"{line.name} {segment.sequence}: {segment.seconds:g} s, target {line.playlist.target}")
    found.summary = f"the longest lasts {longest:g} s"
    return found


@rule("7.5", SHOULD, "The target duration is 6 seconds", "Cut segments of 6 seconds and announce 6.")
def target_is_six(stream: Stream) -> Found:
    lines = some(stream.played, "there is neither picture nor sound")
    if all(len(line.playlist.segments) <= 1 for line in lines):
        raise NotApplicable("all of it is one segment")
    found = Found("6 s everywhere")
    for line in lines:
        if line.playlist.target != 6:
            found.fault(f"{line.name}: {line.playlist.target} s")
    return found


@rule("7.6", SHOULD, "Segments last about 6 seconds", "Place IDR pictures so that a segment can end every 6 seconds.")
def segments_of_six(stream: Stream) -> Found:
    lines = [line for line in stream.played if len(line.playlist.segments) > 1]
    found = Found("all but the last are between 5.5 and 6.5 s")
    for line in some(lines, "all of it is one segment"):
        for segment in line.playlist.segments[:-1]:
            if not 5.5 <= segment.seconds <= 6.5:
                found.fault(f"{line.name} {segment.sequence}: {segment.seconds:g} s")
    return found


@rule(
    "7.7",
    MUST,
    "No segment's media lasts more than half a second beyond the target duration",
    "Cut at the IDR picture before, or raise EXT-X-TARGETDURATION in every playlist.",
)
def media_within_target(stream: Stream) -> Found:
    lines = opened(stream, "video", "audio")
    found = Found(f"the longest lasts {max(p.seconds for line in lines for p in line.opened):.3f} s")
    for line in lines:
        for piece in line.opened:
            if piece.seconds > line.playlist.target + 0.5 + _ROUNDING:
                found.fault(f"{line.name} {piece.announced.sequence}: {piece.seconds:.3f} s of media")
    return found


@rule(
    "8.1",
    MUST,
    "The EXTINF of any run of segments add up to its media within one picture",
    "Write EXTINF from the durations of the samples, with six decimals.",
)
def extinf_adds_up(stream: Stream) -> Found:
    lines = opened(stream, "video", "audio")
    picture = min((line.frame for line in lines if line.role == "video" and line.frame), default=0.0)
    found, worst = Found(), 0.0
    for line in lines:
        allowed = picture or line.frame
        drift = low = high = 0.0
        for piece in line.pieces:
            if piece.good:
                drift += piece.announced.seconds - piece.seconds
                low, high = min(low, drift), max(high, drift)
        worst = max(worst, high - low)
        if high - low > allowed + _ROUNDING:
            found.fault(f"{line.name} is off by {high - low:.3f} s (allowed: {allowed:.3f} s)")
    found.summary = f"off by {worst * 1000:.3f} ms at most"
    return found


@rule(
    "8.2",
    MUST,
    "All playlists of pictures and sound announce one target duration",
    "Write the largest of them into all.",
)
def equal_targets(stream: Stream) -> Found:
    lines = some(stream.played, "there is neither picture nor sound")
    found = Found(f"{lines[0].playlist.target} s in {len(lines)} playlists")
    said = {line.playlist.target for line in lines}
    if len(said) > 1:
        found.fault("; ".join(f"{line.name}: {line.playlist.target} s" for line in lines))
    return found


@rule(
    "8.3",
    MUST,
    "All playlists of pictures and sound hold the same duration",
    "Encode every rung from the same cut of the master.",
)
def equal_totals(stream: Stream) -> Found:
    lines = some(stream.played, "there is neither picture nor sound")
    longest, shortest = (each(lines, key=lambda line: line.announced_seconds) for each in (max, min))
    apart = longest.announced_seconds - shortest.announced_seconds
    allowed = max(_tolerance(lines), _ROUNDING)
    found = Found(f"{longest.announced_seconds:.3f} s, {apart * 1000:.1f} ms apart at most")
    if apart > allowed:
        found.fault(
            f"{longest.name} lasts {longest.announced_seconds:.3f} s, "
            f"{shortest.name} {shortest.announced_seconds:.3f} s (allowed apart: {allowed:.3f} s)"
        )
    return found


@rule(
    "8.6",
    MUST,
    "A finished playlist is of type VOD; one that still grows from its beginning is of type EVENT (8.8)",
    "Write EXT-X-PLAYLIST-TYPE, and EXT-X-ENDLIST once nothing more comes.",
)
def typed(stream: Stream) -> Found:
    found = Found()
    for line in stream.lines.values():
        playlist = line.playlist
        if playlist.ended and playlist.type != "VOD":
            found.fault(f"{line.name} is finished, its type is {playlist.type or 'not said'}")
        if not playlist.ended and playlist.type == "VOD":
            found.fault(f"{line.name} is of type VOD without EXT-X-ENDLIST")
        if not playlist.ended and not playlist.type and playlist.sequence <= 1:
            found.fault(f"{line.name} grows from its beginning, yet is not of type EVENT")
    if len({line.playlist.type for line in stream.lines.values()}) > 1:
        found.fault("the playlists are of different types")
    found.summary = "VOD" if stream.vod else "EVENT or live"
    return found


@rule(
    "8.7",
    MUST,
    "All finished playlists begin and end at the same times",
    "Give every rung the same first and last time of the master.",
)
def same_range(stream: Stream) -> Found:
    lines = [line for line in opened(stream, "video", "audio") if line.playlist.type == "VOD" and line.whole]
    some(lines, "there is no finished playlist that was read whole")
    allowed = _tolerance(lines)
    starts = {line.name: line.opened[0].start for line in lines}
    ends = {line.name: _end(line) for line in lines}
    found = Found(f"from {min(starts.values()):.3f} to {max(ends.values()):.3f} s")
    for what, times in (("begins", starts), ("ends", ends)):
        first, last = (each(times, key=lambda name: times[name]) for each in (min, max))
        if times[last] - times[first] > allowed + _ROUNDING:
            found.fault(f"{first} {what} at {times[first]:.3f} s, {last} at {times[last]:.3f} s")
    return found


@rule(
    "8.15",
    MUST,
    "Discontinuities stand at the same places in every playlist",
    "Mark EXT-X-DISCONTINUITY in all of them alike.",
)
def same_discontinuities(stream: Stream) -> Found:
    lines = some(stream.played, "there is neither picture nor sound")
    places = {line.name: _breaks(line.playlist) for line in lines}
    found = Found(f"{max(len(each) for each in places.values())} discontinuities")
    reference = max(places.values(), key=len)
    allowed = max(_tolerance(lines), 0.05)
    for name, times in places.items():
        far = any(abs(a - b) > allowed for a, b in zip(times, reference, strict=False))
        if len(times) != len(reference) or far:
            found.fault(f"{name} has them at {[round(each, 3) for each in times]}, another at {reference}")
    return found


@rule("8.20", MUST, "Playlists of fMP4 name their init section", "Put EXT-X-MAP before the first segment.")
def names_init(stream: Stream) -> Found:
    lines = [line for line in stream.lines.values() if any(piece.container == "fmp4" for piece in line.pieces)]
    if not lines and any(line.refused_key for line in stream.lines.values()):
        raise Unchecked("the segments are sealed and their key does not come")
    found = Found(f"{len(some(lines, 'no segment is fMP4'))} playlists do")
    for line in lines:
        bare = [piece for piece in line.pieces if piece.container == "fmp4" and piece.announced.map is None]
        if bare:
            found.fault(f"{line.name} {bare[0].announced.sequence} has no EXT-X-MAP above it")
    return found


@rule(
    "RFC 4.4.4.4",
    MUST,
    "What is sealed is sealed with one method, and pictures and sound alike",
    "Use METHOD=AES-128, or SAMPLE-AES with FairPlay, in every playlist of pictures and sound.",
)
def sealed_alike(stream: Stream) -> Found:
    methods: dict[str, set[str]] = {}
    for line in stream.lines.values():
        methods[line.name] = {each.key.method if each.key else "NONE" for each in line.playlist.segments}
    everything = set().union(*methods.values()) if methods else set()
    if everything <= {"NONE"}:
        raise NotApplicable("nothing is sealed")
    found = Found(" and ".join(sorted(everything)))
    if "SAMPLE-AES-CTR" in everything:
        found.fault("SAMPLE-AES-CTR does not play on Apple's devices (13.11)")
    shut = [line for line in stream.played if methods[line.name] != {"NONE"}]
    for line in stream.played:
        if shut and "NONE" in methods[line.name]:
            found.fault(f"{line.name} is, in whole or in part, in the clear, and {shut[0].name} is sealed")
    return found


@rule(
    "W3",
    MUST,
    "A key opens at most 60 seconds of media, so that a refund is felt",
    "Rotate EXT-X-KEY every 60 seconds.",
)
def keys_rotate(stream: Stream) -> Found:
    longest, found = 0.0, Found()
    for line in stream.played:
        opens: dict[str, float] = {}
        for segment in line.playlist.segments:
            if segment.key:
                opens[segment.key.url] = opens.get(segment.key.url, 0.0) + segment.seconds
        for url, seconds in opens.items():
            longest = max(longest, seconds)
            if seconds > _KEY_SECONDS + line.playlist.target / 2:
                found.fault(f"{line.name}: {_short(url)} opens {seconds:.0f} s")
    if not longest:
        raise NotApplicable("nothing is sealed")
    found.summary = f"{longest:.1f} s at most"
    return found


def _short(url: str) -> str:
    return url.partition("?")[0].rsplit("/", 1)[-1]


def _tolerance(lines: list[Line]) -> float:
    """What cannot be cut: the longest single picture or audio frame among the lines."""
    return max((line.frame for line in lines), default=0.0) or 0.5


def _end(line: Line) -> float:
    last = line.opened[-1]
    return last.last_picture_ends or last.start + last.seconds


def _breaks(playlist: Media) -> list[float]:
    times, at = [], 0.0
    for before, segment in zip([None, *playlist.segments], playlist.segments, strict=False):
        if before is not None:
            at += before.seconds
            if segment.discontinuity != before.discontinuity:
                times.append(at)
    return times
