"""What playlists say, as values. Times in seconds, rates in bit/s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that breaks the format."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Key:
    """An EXT-X-KEY in force. `iv` is None where the media sequence number is the IV."""

    method: str
    url: str
    iv: bytes | None
    keyformat: str


@dataclass(frozen=True, slots=True)
class Part:
    """Something to fetch: a URL, or `(first byte, length)` of it."""

    url: str
    byterange: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A media segment as the playlist announces it; `seconds` is its EXTINF."""

    line: int
    sequence: int
    part: Part
    seconds: float
    key: Key | None
    map: Part | None
    map_key: Key | None
    discontinuity: int
    gap: bool


@dataclass(slots=True)
class Variant:
    """A line of choice: EXT-X-STREAM-INF, or EXT-X-I-FRAME-STREAM-INF where `iframes`."""

    line: int
    url: str
    name: str
    iframes: bool
    attributes: Mapping[str, str]

    @property
    def bandwidth(self) -> int:
        """Bit/s at the peak, as declared."""
        return int(self.attributes.get("BANDWIDTH", "0"))

    @property
    def average(self) -> int | None:
        """Bit/s on average, as declared."""
        said = self.attributes.get("AVERAGE-BANDWIDTH")
        return int(said) if said else None

    @property
    def codecs(self) -> tuple[str, ...]:
        """CODECS, apart."""
        return tuple(each.strip() for each in self.attributes.get("CODECS", "").split(",") if each.strip())

    @property
    def resolution(self) -> tuple[int, int] | None:
        """Width and height in pixels."""
        said = self.attributes.get("RESOLUTION")
        if not said:
            return None
        width, _, height = said.partition("x")
        return int(width), int(height)

    @property
    def frame_rate(self) -> float | None:
        """Pictures per second, at the most."""
        said = self.attributes.get("FRAME-RATE")
        return float(said) if said else None


@dataclass(slots=True)
class Rendition:
    """An EXT-X-MEDIA."""

    line: int
    type: str
    group: str
    name: str
    url: str | None
    attributes: Mapping[str, str]


@dataclass(slots=True)
class Playlist:
    """What both kinds have. `needs_version` is the least EXT-X-VERSION that what was found asks for, and why."""

    url: str
    version: int = 1
    independent: bool = False
    needs_version: tuple[int, str] = (1, "nothing")
    problems: list[Problem] = field(default_factory=list)


@dataclass(slots=True)
class Multivariant(Playlist):
    """A multivariant playlist."""

    variants: list[Variant] = field(default_factory=list)
    iframes: list[Variant] = field(default_factory=list)
    renditions: list[Rendition] = field(default_factory=list)

    def group(self, kind: str, name: str | None) -> list[Rendition]:
        """The renditions of a group."""
        return [each for each in self.renditions if each.type == kind and each.group == name]


@dataclass(slots=True)
class Media(Playlist):
    """A media playlist. `type` is EVENT, VOD or empty."""

    target: int = 0
    sequence: int = 0
    type: str = ""
    ended: bool = False
    iframes_only: bool = False
    segments: list[Segment] = field(default_factory=list)
