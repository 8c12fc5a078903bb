"""What this shop's own streams leave out of what SHOULD be, and why. The only place where that is decided."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from transcoder.authoring.stream import Stream

Applies = Callable[[Stream], bool]


def _always(_stream: Stream) -> bool:
    return True


def _on_loopback(stream: Stream) -> bool:
    return urlsplit(stream.url).hostname in ("127.0.0.1", "localhost", "::1")


REASONS: dict[str, tuple[str, Applies]] = {
    "1.11": (
        "The level also covers what the rate cap and the reference frames of x264 ask for; all stay within 4.2.",
        _always,
    ),
    "1.18": ("A master's own frame rate is kept: turning it into a usual one would judder.", _always),
    "1.25": ("Rungs follow the content: one that gains nothing is left out, and the step grows.", _always),
    "1.30": ("A peak is capped per rung; a short or mostly still film averages far below its cap.", _always),
    "1.32": (
        "Variants are listed from the least: the first sound comes soonest, and a player moves up within seconds.",
        _always,
    ),
    "2.9": ("People who bought the music are offered 256 kbit/s and FLAC above the usual range.", _always),
    "2.19": (
        "FFmpeg writes no ludt box; the shop measures loudness itself and hands it to the player with each play.",
        _always,
    ),
    "4.1": (
        "Subtitles are the label's to give: those of a master, and those uploaded, are all there.",
        _always,
    ),
    "6.2": (
        "Pictures to jump by are the smallest rung's own IDR pictures, two seconds apart: none is encoded for them.",
        _always,
    ),
    "6.6": ("Pictures to jump by as small as the smallest rung's come quickly enough over any link.", _always),
    "7.6": ("A master with an unusual frame rate cuts at the whole picture nearest to 6 seconds.", _always),
    "8.22": (
        "Frames of sound do not end where pictures do; sound is cut at the frame nearest to each cut.",
        _always,
    ),
    "9.10": ("The capped constant quality of the top rung takes no more than the picture needs.", _always),
    "10.2": ("One origin; whoever runs several puts them behind one name.", _always),
    "11.1": ("On loopback there is nobody to hide from; in production nginx speaks TLS.", _on_loopback),
    "13.1": (
        "FairPlay needs a contract with Apple; AES-128 plays everywhere, and each key is asked for with the license.",
        _always,
    ),
    "13.5": (
        "Who may watch may also download the film without DRM: a protected screen would protect nothing.",
        _always,
    ),
}


def own(stream: Stream) -> bool:
    """Whether the stream is one of ours: it lies under a stream's folder."""
    return re.search(r"/streams/[0-9a-f]{64}/", urlsplit(stream.url).path) is not None


def reason(rule_id: str, stream: Stream) -> str | None:
    """Why our own stream does not follow a SHOULD; None where it has no excuse."""
    if not own(stream):
        return None
    text, applies = REASONS.get(rule_id, ("", _always))
    return text if text and applies(stream) else None
