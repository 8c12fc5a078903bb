"""What a track sounds like, in words for who sent it: its tempo, its key and how loud it is."""

from __future__ import annotations

from flask_babel import format_decimal
from flask_babel import gettext as _

from app.media.models import Sound

LEAST_CONFIDENCE = 0.3
"""Of a tempo or a key that is less sure nothing is said."""

# As scores are written: the keys with fewer accidentals.
_MAJOR = ("C", "D♭", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
_MINOR = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "G♯", "A", "B♭", "B")


def told(sound: Sound) -> list[str]:
    """What is worth saying of a sound, shortly; of silence nothing."""
    said = []
    if sound.tempo is not None and sound.tempo_confidence >= LEAST_CONFIDENCE:
        said.append(_("%(tempo)s BPM", tempo=format_decimal(sound.tempo, "0")))
    if sound.key is not None and sound.key_confidence >= LEAST_CONFIDENCE:
        said.append(_key(sound.key, sound.mode))
    if sound.loudness is not None and sound.vector:
        said.append(_("%(level)s LUFS", level=format_decimal(sound.loudness, "0.0")))
        if sound.loudness_range is not None:
            said.append(_("range %(range)s LU", range=format_decimal(sound.loudness_range, "0.0")))
    return said


def _key(key: int, mode: str | None) -> str:
    if mode == "minor":
        return _("%(tonic)s minor", tonic=_MINOR[key])
    return _("%(tonic)s major", tonic=_MAJOR[key])
