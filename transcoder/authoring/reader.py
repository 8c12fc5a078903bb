"""Playlists as a strict reader sees them, after draft-pantos-hls-rfc8216bis (below: RFC).

A player forgives; this reader does not. Whatever breaks a rule is kept as a `Problem` with its line, and reading goes
on as far as sense can be made of the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin

from transcoder.authoring import grammar
from transcoder.authoring.playlists import (
    Key,
    Media,
    Multivariant,
    Part,
    Playlist,
    Problem,
    Rendition,
    Segment,
    Variant,
)


def parse(data: bytes, url: str) -> Multivariant | Media:
    """Read a playlist found at `url`; what is wrong with it is in its `problems`. Never raises."""
    return _Reader(data, url).read()


class _Reader:
    def __init__(self, data: bytes, url: str) -> None:
        self.url = url
        self.problems: list[Problem] = []
        self.lines: list[str] = []
        self.tags: dict[str, int] = {}
        self.needs: tuple[int, str] = (1, "nothing")
        if data.startswith(b"\xef\xbb\xbf"):
            self.wrong(1, "begins with a byte order mark")
            data = data[3:]
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            self.wrong(1, "is not UTF-8")
            text = data.decode("utf-8", "replace")
        if re.search(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]", text):
            self.wrong(1, "holds control characters")
        lines = text.split("\n")
        if len(lines) > grammar.MAX_LINES:
            self.wrong(grammar.MAX_LINES, f"has more than {grammar.MAX_LINES} lines; the rest is not read")
        self.lines = [line.removesuffix("\r") for line in lines[: grammar.MAX_LINES]]

    def wrong(self, line: int, text: str) -> None:
        self.problems.append(Problem(line, text))

    def need(self, version: int, why: str) -> None:
        if version > self.needs[0]:
            self.needs = (version, why)

    def read(self) -> Multivariant | Media:
        if self.lines[:1] != ["#EXTM3U"]:
            self.wrong(1, "is not #EXTM3U")
        found = [(number, *self.split(line)) for number, line in enumerate(self.lines, 1) if line]
        names = {name for _, name, _ in found}
        many = bool(names & grammar.MULTIVARIANT)
        if many and (mixed := sorted(names & set(grammar.MEDIA))):
            self.wrong(1, f"mixes {mixed[0]} into a multivariant playlist")
        playlist = self.multivariant(found) if many else self.media(found)
        playlist.problems, playlist.needs_version = self.problems, self.needs
        playlist.independent = "EXT-X-INDEPENDENT-SEGMENTS" in names
        return playlist

    @staticmethod
    def split(line: str) -> tuple[str, str]:
        """Name and value of a tag; ("", line) for a URI; ("#", …) for a comment."""
        if not line.startswith("#"):
            return "", line
        if not line.startswith("#EXT"):
            return "#", line
        name, _, value = line[1:].partition(":")
        return name, value

    def version(self, playlist: Playlist, value: str) -> None:
        if value.isdecimal() and int(value) >= 1:
            playlist.version = int(value)

    def check(self, line: int, name: str, value: str, shapes: Mapping[str, str | None]) -> bool:
        """Whether a tag's value has the shape it should; each tag that may stand once does."""
        self.tags[name] = self.tags.get(name, 0) + 1
        if name in grammar.ONCE and self.tags[name] == 2:
            self.wrong(line, f"{name} stands more than once")
        shape = shapes.get(name)
        if shape is not None and not re.fullmatch(shape, value):
            self.wrong(line, f"{name} has no valid value: {value[:40]!r}")
            return False
        return True

    def attributes(self, line: int, name: str, value: str) -> dict[str, str]:
        """An attribute list, RFC 4.2: values without their quotes. Names that the RFC doesn't know are kept."""
        found: dict[str, str] = {}
        types, at = grammar.TYPES[name], 0
        while at < len(value):
            match = grammar.ATTRIBUTE.match(value, at)
            if not match:
                self.wrong(line, f"{name}: no attribute list at {value[at : at + 30]!r}")
                break
            key, said, at = match["name"], match["value"], match.end()
            if match["end"] and at == len(value):
                self.wrong(line, f"{name} ends in a comma")
            if key in found:
                self.wrong(line, f"{name} has {key} twice")
            if key in types and not re.fullmatch(types[key], said):
                self.wrong(line, f"{name}: {key}={said[:40]} is not of its type")
                continue
            if key.startswith("REQ-"):
                self.need(12, "a REQ- attribute")
            found[key] = said[1:-1] if said.startswith('"') else said
        for key in grammar.REQUIRED.get(name, ()):
            if key not in found:
                self.wrong(line, f"{name} lacks {key}")
        return found

    def common(self, line: int, name: str, value: str) -> None:
        if name == "EXT-X-DEFINE":
            attributes = self.attributes(line, name, value)
            self.need(8, "EXT-X-DEFINE")
            if "QUERYPARAM" in attributes:
                self.need(11, "QUERYPARAM of EXT-X-DEFINE")
        elif name == "EXT-X-START":
            self.attributes(line, name, value)

    def multivariant(self, found: list[tuple[int, str, str]]) -> Multivariant:
        playlist = Multivariant(self.url)
        pending: tuple[int, dict[str, str]] | None = None
        for line, name, value in found:
            if pending and name not in ("", "#"):
                self.wrong(pending[0], "EXT-X-STREAM-INF is not followed by its URI")
                pending = None
            if name in ("#", "EXTM3U"):
                continue
            if name == "":
                if pending is None:
                    self.wrong(line, "a URI that no EXT-X-STREAM-INF speaks of")
                    continue
                playlist.variants.append(Variant(pending[0], self.join(line, value), value, False, pending[1]))
                pending = None
                continue
            self.check(line, name, value, grammar.EITHER)
            if name == "EXT-X-VERSION":
                self.version(playlist, value)
            elif name == "EXT-X-STREAM-INF":
                pending = (line, self.attributes(line, name, value))
            elif name == "EXT-X-I-FRAME-STREAM-INF":
                said = self.attributes(line, name, value)
                if "URI" in said:
                    playlist.iframes.append(Variant(line, self.join(line, said["URI"]), said["URI"], True, said))
            elif name == "EXT-X-MEDIA":
                playlist.renditions.append(self.rendition(line, self.attributes(line, name, value)))
            elif name in grammar.TYPES and name not in grammar.EITHER:
                self.attributes(line, name, value)
            else:
                self.common(line, name, value)
        if pending:
            self.wrong(pending[0], "EXT-X-STREAM-INF is not followed by its URI")
        return playlist

    def rendition(self, line: int, said: dict[str, str]) -> Rendition:
        kind = said.get("TYPE", "")
        if kind == "SUBTITLES" and "URI" not in said:
            self.wrong(line, "subtitles without a URI")
        if kind == "CLOSED-CAPTIONS":
            if "URI" in said:
                self.wrong(line, "closed captions with a URI")
            if "INSTREAM-ID" not in said:
                self.wrong(line, "closed captions without INSTREAM-ID")
        elif "INSTREAM-ID" in said:
            self.need(13, "INSTREAM-ID of what is no closed caption")
        if said.get("INSTREAM-ID", "").startswith("SERVICE"):
            self.need(7, "a SERVICE of INSTREAM-ID")
        if "FORCED" in said and kind != "SUBTITLES":
            self.wrong(line, "FORCED of what is no subtitle")
        if said.get("DEFAULT") == "YES" and said.get("AUTOSELECT") == "NO":
            self.wrong(line, "DEFAULT=YES with AUTOSELECT=NO")
        url = self.join(line, said["URI"]) if "URI" in said else None
        return Rendition(line, kind, said.get("GROUP-ID", ""), said.get("NAME", ""), url, said)

    def join(self, line: int, uri: str) -> str:
        try:
            return urljoin(self.url, uri)
        except ValueError:
            self.wrong(line, f"no URI: {uri[:60]!r}")
            return self.url

    def media(self, found: list[tuple[int, str, str]]) -> Media:
        playlist = Media(self.url)
        state = _State()
        shapes = {**grammar.MEDIA, **grammar.EITHER}
        for line, name, value in found:
            if name in ("#", "EXTM3U"):
                continue
            if name == "":
                self.segment(playlist, state, line, value)
                continue
            good = self.check(line, name, value, shapes)
            if name == "EXT-X-VERSION":
                self.version(playlist, value)
            elif good:
                self.media_tag(playlist, state, line, name, value)
        if "EXT-X-TARGETDURATION" not in self.tags:
            self.wrong(1, "EXT-X-TARGETDURATION is missing")
        if state.seconds is not None:
            self.wrong(len(self.lines), "the last EXTINF is not followed by its URI")
        if state.maps:
            self.need(5 if playlist.iframes_only else 6, "EXT-X-MAP")
        return playlist

    def media_tag(self, playlist: Media, state: _State, line: int, name: str, value: str) -> None:
        if name in ("EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE") and playlist.segments:
            self.wrong(line, f"{name} stands after the first segment")
        if name == "EXTINF":
            number, _, _title = value.partition(",")
            state.seconds = float(number)
            if "." in number:
                self.need(3, "EXTINF with fractions of a second")
        elif name == "EXT-X-TARGETDURATION":
            playlist.target = int(value)
        elif name == "EXT-X-MEDIA-SEQUENCE":
            playlist.sequence = int(value)
        elif name == "EXT-X-DISCONTINUITY-SEQUENCE":
            state.discontinuity = int(value)
        elif name == "EXT-X-DISCONTINUITY":
            state.discontinuity += 1
        elif name == "EXT-X-BYTERANGE":
            state.byterange = value
            self.need(4, "EXT-X-BYTERANGE")
        elif name == "EXT-X-PLAYLIST-TYPE":
            playlist.type = value
        elif name == "EXT-X-ENDLIST":
            playlist.ended = True
        elif name == "EXT-X-I-FRAMES-ONLY":
            playlist.iframes_only = True
            self.need(4, "EXT-X-I-FRAMES-ONLY")
        elif name == "EXT-X-GAP":
            state.gap = True
        elif name == "EXT-X-KEY":
            state.key = self.key(line, self.attributes(line, name, value))
        elif name == "EXT-X-MAP":
            self.map(state, line, self.attributes(line, name, value))
        elif name == "EXT-X-SKIP":
            self.need(9, "EXT-X-SKIP")
        elif name == "EXT-X-DATERANGE":
            self.attributes(line, name, value)
        else:
            self.common(line, name, value)

    def key(self, line: int, said: dict[str, str]) -> Key | None:
        method = said.get("METHOD", "NONE")
        if method == "NONE":
            if len(said) > 1:
                self.wrong(line, "EXT-X-KEY with METHOD=NONE has other attributes")
            return None
        if "URI" not in said:
            self.wrong(line, f"EXT-X-KEY with METHOD={method} lacks URI")
        iv = None
        if "IV" in said:
            self.need(2, "IV of EXT-X-KEY")
            if len(said["IV"]) > 34:
                self.wrong(line, "IV is longer than 128 bits")
            iv = (int(said["IV"], 16) & (1 << 128) - 1).to_bytes(16, "big")
        if "KEYFORMAT" in said or "KEYFORMATVERSIONS" in said:
            self.need(5, "KEYFORMAT of EXT-X-KEY")
        return Key(method, self.join(line, said.get("URI", "")), iv, said.get("KEYFORMAT", "identity"))

    def map(self, state: _State, line: int, said: dict[str, str]) -> None:
        state.maps = True
        byterange = None
        if "BYTERANGE" in said:
            match = re.fullmatch(r"([0-9]{1,20})@([0-9]{1,20})", said["BYTERANGE"])
            if match:
                byterange = (int(match[2]), int(match[1]))
            else:
                self.wrong(line, "BYTERANGE of EXT-X-MAP is not length@offset")
        if "URI" in said:
            state.map = Part(self.join(line, said["URI"]), byterange)
        state.map_key = state.key
        if state.key and state.key.method == "AES-128" and state.key.iv is None:
            # RFC 4.4.4.5: an init section has no sequence number to take its place.
            self.wrong(line, "EXT-X-MAP follows an EXT-X-KEY with METHOD=AES-128 that has no IV")

    def segment(self, playlist: Media, state: _State, line: int, uri: str) -> None:
        if state.seconds is None:
            self.wrong(line, "a segment without EXTINF")
        url, byterange = self.join(line, uri), None
        if state.byterange is not None:
            length, _, offset = state.byterange.partition("@")
            if not offset and state.next_byte[0] != url:
                self.wrong(line, "EXT-X-BYTERANGE without an offset follows no other part of the same file")
            start = int(offset) if offset else state.next_byte[1]
            byterange = (start, int(length))
            state.next_byte = (url, start + int(length))
        playlist.segments.append(
            Segment(
                line=line,
                sequence=playlist.sequence + len(playlist.segments),
                part=Part(url, byterange),
                seconds=state.seconds or 0.0,
                key=state.key,
                map=state.map,
                map_key=state.map_key,
                discontinuity=state.discontinuity,
                gap=state.gap,
            )
        )
        state.seconds, state.byterange, state.gap = None, None, False


@dataclass(slots=True)
class _State:
    """What the next segment gets from the tags above it."""

    seconds: float | None = None
    byterange: str | None = None
    next_byte: tuple[str, int] = ("", 0)
    key: Key | None = None
    map: Part | None = None
    map_key: Key | None = None
    maps: bool = False
    discontinuity: int = 0
    gap: bool = False
