"""Rules on how a stream is served."""

from __future__ import annotations

from urllib.parse import urlsplit

from transcoder.authoring.rulebook import MUST, SHOULD, Found, Unchecked, rule, some
from transcoder.authoring.stream import Stream

_PLAYLIST = ("application/vnd.apple.mpegurl", "audio/mpegurl", "application/x-mpegurl")
# By container: what the segments may be called.
_SEGMENT = {
    "fmp4": ("video/iso.segment", "video/mp4", "audio/mp4", "application/mp4"),
    "ts": ("video/mp2t",),
    "webvtt": ("text/vtt", "text/plain"),
    "packed audio": ("audio/aac", "audio/mpeg", "audio/ac3", "audio/eac3"),
}
_INIT = ("video/mp4", "audio/mp4", "application/mp4")


@rule("10.1", MUST, "Playlists are sent gzip'd to those who take it", "Turn on gzip for playlists' MIME type.")
def gzipped(stream: Stream) -> Found:
    answers = {"the playlist asked for": stream.answer} | {line.name: line.answer for line in stream.lines.values()}
    plain = [name for name, answer in answers.items() if "gzip" not in answer.encoding]
    return Found(f"{len(answers)} are", plain)


@rule("8.18", MUST, "Nothing is redirected", "Serve it under the address that the playlist names.")
def no_redirects(stream: Stream) -> Found:
    found, count = Found(), 0
    if stream.answer.redirects and not stream.multivariant:
        found.fault("the playlist asked for")
    for line in stream.lines.values():
        count += len(line.pieces)
        if line.answer.redirects:
            found.fault(line.name)
        if line.init and line.init.redirects:
            found.fault(f"{line.name}, init section")
        found.faults += [f"{line.name} {piece.announced.sequence}" for piece in line.pieces if piece.redirects]
    found.summary = f"{count} segments came straight"
    return found


@rule("10.4", SHOULD, "Everything has the MIME type that is recommended", "Serve it with the type named.")
def mime_types(stream: Stream) -> Found:
    found = Found("all of them")
    if stream.answer.content_type not in _PLAYLIST:
        found.fault(f"the playlist asked for: {stream.answer.content_type or 'none'}")
    for line in stream.lines.values():
        if line.answer.content_type not in _PLAYLIST:
            found.fault(f"{line.name}: {line.answer.content_type or 'none'}, {_PLAYLIST[0]} is right")
        if line.init and line.init.content_type not in _INIT:
            found.fault(f"{line.name}, init section: {line.init.content_type or 'none'}, video/mp4 is right")
        wrong = {
            (piece.container, piece.content_type)
            for piece in line.pieces
            if piece.container in _SEGMENT and piece.content_type not in _SEGMENT[piece.container]
        }
        found.faults += [f"{line.name}: {t or 'none'}, {_SEGMENT[c][0]} is right" for c, t in sorted(wrong)]
    if not found.faults and any(line.refused_key for line in stream.lines.values()):
        raise Unchecked("the segments are sealed and their key does not come")
    return found


@rule("10.2", SHOULD, "A second source stands by for each variant", "List each variant again from another server.")
def failover(stream: Stream) -> Found:
    variants = some(stream.variants, "the URL names a media playlist")
    hosts = {urlsplit(variant.url).netloc for variant in variants}
    steered = any(variant.attributes.get("PATHWAY-ID") for variant in variants)
    return Found(f"{len(hosts)} servers", [] if len(hosts) > 1 or steered else ["there is one server"])


@rule("11.1", SHOULD, "Everything is delivered over TLS (11.2, 11.3)", "Put a certificate before it.")
def tls(stream: Stream) -> Found:
    urls = [stream.url, *stream.lines]
    urls += [piece.announced.part.url for line in stream.lines.values() for piece in line.pieces[:1]]
    plain = [url for url in urls if urlsplit(url).scheme != "https"]
    return Found("it is", [f"{len(plain)} of {len(urls)} addresses are plain http"] if plain else [])


@rule("13.1", SHOULD, "What is sealed is sealed with FairPlay Streaming", "Use FairPlay, with a licence of Apple's.")
def fairplay(stream: Stream) -> Found:
    keys = [s.key for line in stream.played for s in line.playlist.segments[:1] if s.key]
    formats = {key.keyformat for key in some(keys, "nothing is sealed")}
    return Found("it is", [] if "com.apple.streamingkeydelivery" in formats else [", ".join(sorted(formats))])


@rule("13.5", SHOULD, "HD pictures ask for a protected screen (HDCP-LEVEL)", "Write HDCP-LEVEL=TYPE-0.")
def hdcp(stream: Stream) -> Found:
    large = [v for v in stream.variants if v.resolution and min(v.resolution) >= 720]
    some(large, "there are no HD pictures")
    return Found("they do", [v.name for v in large if v.attributes.get("HDCP-LEVEL") in (None, "NONE")])
