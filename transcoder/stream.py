"""The playlists of a stream, written from what is known of its segments: while they are made, and at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transcoder import boxes, package, playlist
from transcoder.contract import Stretch

ENTRY = "multivariant.m3u8"
PLAYLIST_TYPE = "application/vnd.apple.mpegurl"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rung as far as it is made. `sound` names the audio group that a picture plays with.

    `media` says how a sound stands beside pictures; a sound without it is a variant itself. `most` is the rate in
    bit/s that the encoder keeps to, told instead of measured while the rung still grows.
    """

    stretch: Stretch
    init: boxes.Init
    sound: str | None = None
    media: playlist.Media | None = None
    most: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """A subtitle rendition: its segments, and how it stands beside the pictures."""

    stretch: Stretch
    media: playlist.Media


@dataclass(frozen=True, slots=True)
class Playlists:
    """The texts of a stream's playlists by member name, its variants and subtitles, and the bytes of all segments."""

    texts: dict[str, str]
    variants: tuple[playlist.Variant, ...]
    size: int
    subtitles: tuple[Text, ...] = ()

    def facts(self) -> list[dict[str, Any]]:
        """The variants as the shop's rows keep them."""
        return [
            {
                "name": variant.uri.split("/")[0],
                "bandwidth": variant.bandwidth,
                "average_bandwidth": variant.average_bandwidth,
                "codecs": list(variant.codecs),
                "resolution": list(variant.resolution) if variant.resolution else None,
                "frame_rate": variant.frame_rate,
                "audio": variant.audio,
            }
            for variant in self.variants
        ]


def compose(
    rungs: Sequence[Rendered],
    *,
    segment_seconds: float,
    frame_rate: float | None = None,
    iframes: Rendered | None = None,
    idr_seconds: float = 0.0,
    texts: Sequence[Text] = (),
    ended: bool = True,
) -> Playlists:
    """Write every playlist of a stream. All rungs get one target duration, as players expect that switch between them.

    Pictures are variants, with the sounds of their group beside them; without pictures each sound is a variant.
    """
    pictures = [rung for rung in rungs if rung.init.width]
    groups = {rung.sound for rung in pictures if rung.sound}
    sounds = [rung for rung in rungs if not rung.init.width]
    beside = [rung for rung in sounds if rung.media is not None and rung.media.group in groups]
    kept = [*pictures, *beside] if pictures else sounds
    target = package.target_seconds([segment_seconds, *(s for rung in kept for s in rung.stretch.seconds)])
    made: dict[str, str] = {}
    for rung in kept:
        made[f"{rung.stretch.name}/index.m3u8"] = playlist.media_playlist(
            segments(rung.stretch, segment_seconds), target_duration=target, ended=ended
        )
    if iframes is not None and ended:
        made[f"{iframes.stretch.name}/index.m3u8"] = playlist.media_playlist(
            segments(iframes.stretch, idr_seconds), target_duration=target, ended=ended, iframes=True
        )
    for text in texts:
        made[f"{text.stretch.name}/index.m3u8"] = playlist.text_playlist(
            segments(text.stretch, segment_seconds, "vtt"), target_duration=target
        )
    subtitles = texts[0].media.group if texts else None
    variants = [_variant(rung, beside, target, frame_rate, subtitles, ended) for rung in (pictures or sounds)]
    if pictures and beside and ended:
        # For a connection too thin for any picture. Players that show films drop it while they have a choice.
        least = min(beside, key=lambda each: sum(each.stretch.sizes))
        variants.append(_sound_alone(least, target))
    media = [rung.media for rung in beside if rung.media] + [text.media for text in texts]
    jumps = [_iframes(iframes, target)] if iframes is not None and ended else []
    made[ENTRY] = playlist.multivariant(variants, media, jumps)
    parts = [*kept, *([iframes] if iframes else [])]
    size = sum(sum(part.stretch.sizes) for part in parts) + sum(sum(text.stretch.sizes) for text in texts)
    return Playlists(made, tuple(sorted(variants, key=lambda each: each.bandwidth)), size, tuple(texts))


def segments(stretch: Stretch, seconds: float, suffix: str = "m4s") -> list[playlist.Segment]:
    """The lines of a stretch in its playlist; `seconds` is the length of its segments, which decides on their keys."""
    return [
        playlist.Segment(f"{number:05}.{suffix}", each, playlist.key_number(number, seconds))
        for number, each in enumerate(stretch.seconds, start=stretch.first)
    ]


def _variant(
    rung: Rendered,
    beside: Sequence[Rendered],
    target: int,
    frame_rate: float | None,
    subtitles: str | None,
    ended: bool,
) -> playlist.Variant:
    heard = [each for each in beside if each.media is not None and each.media.group == rung.sound]
    peak, average = _rates(rung, target, ended)
    # The dearest sound of the group counts (section 4.4.6.2): a listener may choose any.
    rates = [_rates(each, target, ended) for each in heard] or [(0, 0)]
    codecs = [rung.init.codec, *dict.fromkeys(each.init.codec for each in heard)]
    return playlist.Variant(
        uri=f"{rung.stretch.name}/index.m3u8",
        bandwidth=peak + max(rate for rate, _average in rates),
        average_bandwidth=average + max(each for _peak, each in rates),
        codecs=tuple(codecs),
        resolution=(rung.init.width, rung.init.height) if rung.init.width else None,
        frame_rate=frame_rate if rung.init.width else None,
        audio=rung.sound if heard else None,
        subtitles=subtitles,
    )


def _sound_alone(rung: Rendered, target: int) -> playlist.Variant:
    assert rung.media is not None
    peak, average = _rates(rung, target, ended=True)
    codecs = (rung.init.codec,)
    return playlist.Variant(rung.media.uri, peak, average, codecs, audio=rung.media.group)


def _rates(rung: Rendered, target: int, ended: bool) -> tuple[int, int]:
    peak, average = package.measure(rung.stretch.sizes, rung.stretch.seconds, target)
    return (peak, average) if ended else (max(peak, rung.most), max(average, rung.most))


def _iframes(rung: Rendered, target: int) -> playlist.IFrames:
    peak, average = package.measure(rung.stretch.sizes, rung.stretch.seconds, target)
    size = (rung.init.width, rung.init.height)
    return playlist.IFrames(f"{rung.stretch.name}/index.m3u8", peak, average, (rung.init.codec,), size)
