"""Playlists as text, after RFC 8216bis (draft-pantos-hls-rfc8216bis)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FIRST_SEQUENCE = 1  # segments are numbered from it, and the number is the segment's IV
KEY_MEMBER = "key/0.key"


@dataclass(frozen=True, slots=True)
class Variant:
    """One line of choice. Bandwidths in bit/s, as measured on what is sent; `audio` names a group."""

    uri: str
    bandwidth: int
    average_bandwidth: int
    codecs: tuple[str, ...]
    resolution: tuple[int, int] | None = None
    frame_rate: float | None = None
    audio: str | None = None


@dataclass(frozen=True, slots=True)
class AudioGroup:
    """A sound rendition that picture variants name by `group`."""

    group: str
    uri: str
    channels: int


def media_playlist(segments: Sequence[tuple[str, float]], *, target_duration: int, key_uri: str) -> str:
    """A VOD playlist of encrypted fMP4 segments: (name, seconds) each.

    There is no IV attribute, so a segment's IV is its media sequence number (section 5.2). EXT-X-MAP stands before
    EXT-X-KEY: the init section is clear, and a key applies to what follows it.
    """
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{target_duration}",
        f"#EXT-X-MEDIA-SEQUENCE:{FIRST_SEQUENCE}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MAP:URI="init.mp4"',
        f'#EXT-X-KEY:METHOD=AES-128,URI="{key_uri}"',
    ]
    for name, seconds in segments:
        lines += [f"#EXTINF:{seconds:.6f},", name]
    lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def multivariant(variants: Sequence[Variant], groups: Sequence[AudioGroup] = ()) -> str:
    """The playlist a player is given: every variant, least bandwidth first, and the sound groups of a film."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for group in groups:
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{group.group}",NAME="Original",DEFAULT=YES,AUTOSELECT=YES,'
            f'CHANNELS="{group.channels}",URI="{group.uri}"'
        )
    for variant in sorted(variants, key=lambda each: each.bandwidth):
        lines += [f"#EXT-X-STREAM-INF:{_attributes(variant)}", variant.uri]
    return "\n".join(lines) + "\n"


def _attributes(variant: Variant) -> str:
    attributes = [
        f"BANDWIDTH={variant.bandwidth}",
        f"AVERAGE-BANDWIDTH={variant.average_bandwidth}",
        f'CODECS="{",".join(variant.codecs)}"',
    ]
    if variant.resolution:
        attributes.append(f"RESOLUTION={variant.resolution[0]}x{variant.resolution[1]}")
    if variant.frame_rate:
        attributes.append(f"FRAME-RATE={variant.frame_rate:.3f}")
    if variant.audio:
        attributes.append(f'AUDIO="{variant.audio}"')
    return ",".join(attributes)
