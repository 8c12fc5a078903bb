"""The formats a download comes in, in the order they are offered."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import LazyString
from flask_babel import lazy_gettext as _


@dataclass(frozen=True, slots=True)
class Format:
    """A format's name in the catalogue, what people call it, and what it is good for."""

    name: str
    title: str
    note: LazyString


FORMATS = (
    Format("flac", "FLAC", _("Lossless, the master's own samples")),
    Format("alac", "ALAC", _("Lossless, for Apple devices")),
    Format("wav", "WAV", _("Uncompressed, for editors and old machines")),
    Format("mp3-320", "MP3 320", _("Plays everywhere, best quality")),
    Format("mp3-v0", "MP3 V0", _("Plays everywhere, smaller")),
    Format("aac-256", "AAC 256", _("For phones and cars")),
    Format("vorbis", "Ogg Vorbis", _("Free format, good quality")),
    Format("opus", "Opus", _("Free format, smallest")),
    Format("mp4", "MP4", _("Film with sound, for any screen")),
)
BY_NAME = {format_.name: format_ for format_ in FORMATS}
