"""What an AAC file must say to be played without a gap: iTunes' own note, beside the edit list.

Apple's players and many others read `iTunSMPB` and not the edit list (Apple, Technical Q&A QA1636 and TN2258).
"""

from __future__ import annotations

from pathlib import Path

from transcoder import boxes

ATOM = "----:com.apple.iTunes:iTunSMPB"
_FRAME = 1024  # samples of an AAC-LC frame


def itunes_note(path: Path) -> str | None:
    """The note for an .m4a of AAC-LC: priming, padding and length in samples; None where none is due.

    Counted from the file itself: the edit list says where the sound begins, the sample table how many frames there
    are and where the last one ends.
    """
    try:
        sound = boxes.sound_timing(path)
    except boxes.BadBoxes:
        return None
    if sound is None or sound.frame != _FRAME:
        return None
    length = sound.duration - sound.priming
    padding = sound.frames * _FRAME - sound.duration
    if length <= 0 or not 0 <= padding < 16 * _FRAME:
        return None
    return " " + " ".join([f"{0:08X}", f"{sound.priming:08X}", f"{padding:08X}", f"{length:016X}", *[f"{0:08X}"] * 8])
