"""Playlists as text, after RFC 8216bis (draft-pantos-hls-rfc8216bis)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FIRST_SEQUENCE = 1  # segments are numbered from it, and the number is the segment's IV
KEY_SECONDS = 60  # how much media one key opens


@dataclass(frozen=True, slots=True)
class Variant:
    """One line of choice. Bandwidths in bit/s, as measured on what is sent; `audio` and `subtitles` name groups."""

    uri: str
    bandwidth: int
    average_bandwidth: int
    codecs: tuple[str, ...]
    resolution: tuple[int, int] | None = None
    frame_rate: float | None = None
    audio: str | None = None
    subtitles: str | None = None


@dataclass(frozen=True, slots=True)
class IFrames:
    """A rendition that holds nothing but pictures to jump to."""

    uri: str
    bandwidth: int
    average_bandwidth: int
    codecs: tuple[str, ...]
    resolution: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Media:
    """A rendition beside the picture that variants name by `group`; `kind` is AUDIO or SUBTITLES."""

    kind: str
    group: str
    name: str
    uri: str
    language: str = ""
    default: bool = False
    autoselect: bool = True
    forced: bool = False
    channels: int = 0
    characteristics: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """A member of a media playlist: its name, its seconds, and the number of the key that opens it."""

    name: str
    seconds: float
    key: int


def key_number(sequence: int, segment_seconds: float) -> int:
    """Which of a stream's keys opens a segment: a new one for every KEY_SECONDS of media."""
    return (sequence - FIRST_SEQUENCE) // max(1, round(KEY_SECONDS / segment_seconds))


def key_uri(number: int) -> str:
    """Where a media playlist finds a key; the shop answers it."""
    return f"../key/{number}.key"


def media_playlist(
    segments: Sequence[Segment], *, target_duration: int, ended: bool = True, iframes: bool = False
) -> str:
    """The playlist of a rendition, VOD once it has ended, before that an EVENT that grows.

    There is no IV attribute, so a segment's IV is its media sequence number (section 5.2). EXT-X-MAP stands before
    the first EXT-X-KEY: the init section is clear, and a key applies to what follows it.
    """
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{target_duration}",
        f"#EXT-X-MEDIA-SEQUENCE:{FIRST_SEQUENCE}",
        f"#EXT-X-PLAYLIST-TYPE:{'VOD' if ended else 'EVENT'}",
        "#EXT-X-I-FRAMES-ONLY" if iframes else "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MAP:URI="init.mp4"',
    ]
    lines += _listed(segments)
    if ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def text_playlist(segments: Sequence[Segment], *, target_duration: int) -> str:
    """The playlist of a subtitle rendition, whose segments are WebVTT, encrypted like the others."""
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{target_duration}",
        f"#EXT-X-MEDIA-SEQUENCE:{FIRST_SEQUENCE}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        *_listed(segments),
        "#EXT-X-ENDLIST",
    ]
    return "\n".join(lines) + "\n"


def _listed(segments: Sequence[Segment]) -> list[str]:
    lines: list[str] = []
    key = None
    for each in segments:
        if each.key != key:
            key = each.key
            lines.append(f'#EXT-X-KEY:METHOD=AES-128,URI="{key_uri(key)}"')
        lines += [f"#EXTINF:{each.seconds:.6f},", each.name]
    return lines


# How the CODECS of a variant with subtitles end: WebVTT is named there like any other codec.
TEXT_CODEC = ",wvtt"


def multivariant(variants: Sequence[Variant], media: Sequence[Media] = (), iframes: Sequence[IFrames] = ()) -> str:
    """The playlist a player is given: what stands beside the picture, every variant from the least bandwidth up."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    lines += [f"#EXT-X-MEDIA:{_media(each)}" for each in media]
    for variant in sorted(variants, key=lambda each: each.bandwidth):
        lines += [f"#EXT-X-STREAM-INF:{_variant(variant)}", variant.uri]
    lines += [f"#EXT-X-I-FRAME-STREAM-INF:{_iframes(each)}" for each in iframes]
    return "\n".join(lines) + "\n"


def _variant(variant: Variant) -> str:
    attributes = _rates(variant, TEXT_CODEC if variant.subtitles else "")
    if variant.resolution:
        attributes.append(f"RESOLUTION={variant.resolution[0]}x{variant.resolution[1]}")
        attributes.append("VIDEO-RANGE=SDR")
    if variant.frame_rate:
        attributes.append(f"FRAME-RATE={variant.frame_rate:.3f}")
    if variant.audio:
        attributes.append(f'AUDIO="{variant.audio}"')
    if variant.subtitles:
        attributes.append(f'SUBTITLES="{variant.subtitles}"')
    if variant.resolution:
        attributes.append("CLOSED-CAPTIONS=NONE")
    return ",".join(attributes)


def _iframes(each: IFrames) -> str:
    width, height = each.resolution
    return ",".join([*_rates(each), f"RESOLUTION={width}x{height}", "VIDEO-RANGE=SDR", f'URI="{each.uri}"'])


def _rates(each: Variant | IFrames, text_codec: str = "") -> list[str]:
    return [
        f"BANDWIDTH={each.bandwidth}",
        f"AVERAGE-BANDWIDTH={each.average_bandwidth}",
        f'CODECS="{",".join(each.codecs)}{text_codec}"',
    ]


def _media(each: Media) -> str:
    attributes = [f"TYPE={each.kind}", f'GROUP-ID="{_quoted(each.group)}"', f'NAME="{_quoted(each.name)}"']
    attributes.append(f'LANGUAGE="{_quoted(each.language or "und")}"')
    attributes.append(f"DEFAULT={_yes(each.default)}")
    attributes.append(f"AUTOSELECT={_yes(each.autoselect or each.default)}")
    if each.kind == "SUBTITLES":
        attributes.append(f"FORCED={_yes(each.forced)}")
    if each.channels:
        attributes.append(f'CHANNELS="{each.channels}"')
    if each.characteristics:
        attributes.append(f'CHARACTERISTICS="{each.characteristics}"')
    attributes.append(f'URI="{each.uri}"')
    return ",".join(attributes)


def _quoted(text: str) -> str:
    """Text from a file's tags as it may stand in a quoted string (section 4.2): no quote, no end of line."""
    return "".join(c for c in text if c != '"' and c.isprintable()) or "?"


def _yes(value: bool) -> str:
    return "YES" if value else "NO"
