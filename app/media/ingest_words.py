"""Ingest reports in words: what was found in a master, and what to do about it, for who sent it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from app.core import i18n
from app.media.ingest import Report, Twin
from transcoder.quality import Finding, Severity


@dataclass(frozen=True, slots=True)
class Told:
    """A finding in the reader's language: what is so, and what to do."""

    code: str
    severity: Severity
    what: str
    advice: str


def told(report: Report) -> list[Told]:
    """Everything a report says, worst first."""
    findings = [_finding(finding) for finding in report.findings]
    return [*findings, *(_twin(twin) for twin in report.twins)]


def summary(report: Report) -> str:
    """A report in a few words."""
    if report.state == "waiting":
        return _("Not listened to yet")
    if report.state == "failed":
        return _("Could not be listened to")
    if report.shames:
        return ngettext("%(num)s thing to put right", "%(num)s things to put right", report.shames)
    if report.notes:
        return ngettext("%(num)s thing to know", "%(num)s things to know", report.notes)
    return _("Nothing to find fault with")


def clock(seconds: float) -> str:
    """A place in a recording as people write it: 0:42, or 1:02:03."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _finding(finding: Finding) -> Told:
    what, advice = _WORDS[finding.code](finding.facts)
    return Told(finding.code, finding.severity, what, advice)


def _twin(twin: Twin) -> Told:
    locale = i18n.locale_code()
    names = {"title": twin.track.title_in(locale), "release": twin.track.release.title_in(locale)}
    if twin.same_bytes:
        what = _("It is the very file of “%(title)s” on “%(release)s”.", **names)
    else:
        what = _("It sounds the same as “%(title)s” on “%(release)s”.", **names)
    return Told("duplicate", "note", what, _("If that is not meant, the wrong file was sent for one of them."))


def _silent(_facts: dict[str, Any]) -> tuple[str, str]:
    return (
        _("Nothing can be heard in it."),
        _("Every sample is below −60 dBFS. Export it again and listen to the file before sending it."),
    )


def _clipped(facts: dict[str, Any]) -> tuple[str, str]:
    places = ", ".join(clock(place) for place in facts["at"])
    runs = facts["runs"]
    return (
        ngettext(
            "The sound is clipped: the wave is cut off at full scale %(num)s time, at %(places)s.",
            "The sound is clipped: the wave is cut off at full scale %(num)s times, first at %(places)s.",
            runs,
            places=places,
        ),
        _("Lower the limiter's input, or ask the mastering engineer for a version with its peaks whole."),
    )


def _over_full_scale(facts: dict[str, Any]) -> tuple[str, str]:
    return (
        _("Between the samples the wave rises to %(peak)s dBTP, above full scale.", peak=f"+{facts['true_peak']:.1f}"),
        _("MP3 and AAC copies may crackle there. A limiter set to −1 dBTP prevents it."),
    )


def _dead_channel(facts: dict[str, Any]) -> tuple[str, str]:
    what = _("The left channel is silent.") if facts["channel"] == "left" else _("The right channel is silent.")
    return what, _("A cable or a routing was open when it was exported. Send both channels, or a mono file.")


def _inverted_polarity(_facts: dict[str, Any]) -> tuple[str, str]:
    return (
        _("Left and right are mirror images of each other."),
        _("On one loudspeaker the music vanishes. Turn the polarity of one channel round and export it again."),
    )


def _mono_as_stereo(facts: dict[str, Any]) -> tuple[str, str]:
    what = (
        _("Left and right are identical: it is mono in a stereo file.")
        if facts["identical"]
        else _("Left and right are all but identical: it is mono in a stereo file.")
    )
    return what, _("If the recording is mono, all is well. If it is stereo, the mix was summed on export.")


def _dc_offset(facts: dict[str, Any]) -> tuple[str, str]:
    return (
        _("The wave does not swing around zero: it is off by %(percent)s %%.", percent=f"{facts['share'] * 100:.1f}"),
        _("That costs headroom and clicks at the cuts. A high-pass filter at 5 Hz takes it away."),
    )


def _silence_at_start(facts: dict[str, Any]) -> tuple[str, str]:
    return (
        _("It starts with %(seconds)s seconds of silence.", seconds=_number(facts["seconds"])),
        _("Cut it, unless the album needs the pause."),
    )


def _silence_at_end(facts: dict[str, Any]) -> tuple[str, str]:
    return (
        _("It ends with %(seconds)s seconds of silence.", seconds=_number(facts["seconds"])),
        _("Cut it, unless the album needs the pause."),
    )


def _hole(facts: dict[str, Any]) -> tuple[str, str]:
    seconds, place = _number(facts["seconds"]), clock(facts["at"])
    if facts["count"] == 1:
        what = _("At %(place)s there are %(seconds)s seconds of nothing at all.", place=place, seconds=seconds)
    else:
        what = _(
            "Nothing at all is heard in %(count)s places; the longest, at %(place)s, lasts %(seconds)s seconds.",
            count=facts["count"],
            place=place,
            seconds=seconds,
        )
    return what, _("A muted track or a failed export leaves such holes. Listen there.")


def _low_sample_rate(facts: dict[str, Any]) -> tuple[str, str]:
    return (
        _("It has %(rate)s samples a second; music is sold at 44.1 kHz or more.", rate=_kilohertz(facts["rate"])),
        _("Export it at the rate it was recorded at. Raising the rate of this file would not bring anything back."),
    )


def _mixed_sample_rates(facts: dict[str, Any]) -> tuple[str, str]:
    rates = {"rate": _kilohertz(facts["rate"]), "usual": _kilohertz(facts["usual"])}
    return (
        _("It is at %(rate)s, the release's other tracks are at %(usual)s.", **rates),
        _("Listeners' equipment may pause between them. Export all tracks at one rate."),
    )


def _upsampled(facts: dict[str, Any]) -> tuple[str, str]:
    names = {"rate": _kilohertz(facts["rate"]), "came": _kilohertz(facts["came_from"])}
    names["cutoff"] = _kilohertz(facts["cutoff"])
    return (
        _("It is a %(rate)s file, but its sound ends at %(cutoff)s, as if made from one of %(came)s.", **names),
        _("Send the file at its own rate: buyers of high resolution look at the spectrum."),
    )


def _lossy_source(facts: dict[str, Any]) -> tuple[str, str]:
    names = {"cutoff": _kilohertz(facts["cutoff"]), "kbps": facts["kbps"]}
    if facts["kbps"] >= 320:
        what = _(
            "Its sound ends abruptly at %(cutoff)s, as MP3 files of 320 kbit/s and Opus files do: it was probably made"
            " from one.",
            **names,
        )
    else:
        what = _(
            "Its sound ends abruptly at %(cutoff)s, as MP3 and AAC files of about %(kbps)s kbit/s do: it was probably"
            " made from one.",
            **names,
        )
    return what, _("It would be sold as lossless. Find the original mix or master and send that.")


def _narrow_band(facts: dict[str, Any]) -> tuple[str, str]:
    return (
        _("Nothing is heard above %(cutoff)s, where the sound ends abruptly.", cutoff=_kilohertz(facts["cutoff"])),
        _("An old transfer or a noise filter may be the cause. If there is a better source, send that."),
    )


def _padded_depth(facts: dict[str, Any]) -> tuple[str, str]:
    return (
        _(
            "It is a %(depth)s-bit file that uses %(used)s bits: the rest is filled with zeros.",
            depth=facts["depth"],
            used=facts["used"],
        ),
        _("Send the %(used)s-bit file, or the mix before it was cut down.", used=facts["used"]),
    )


def _lossy_master(facts: dict[str, Any]) -> tuple[str, str]:
    return (
        _("It is a lossy file (%(codec)s): buyers get no lossless downloads.", codec=_codec(facts["codec"])),
        _("If there is a WAV, AIFF or FLAC of it, send that instead."),
    )


def _interlaced(_facts: dict[str, Any]) -> tuple[str, str]:
    return (
        _("The picture is interlaced: each frame holds two moments."),
        _("The streams are made progressive. A progressive master looks better."),
    )


def _variable_frame_rate(_facts: dict[str, Any]) -> tuple[str, str]:
    return (
        _("The frames do not come at a steady pace."),
        _("The streams are made with a constant rate. If motion stutters, export the film at one."),
    )


def _no_sound(_facts: dict[str, Any]) -> tuple[str, str]:
    return _("The film has no sound."), _("If it should have, its sound was left out on export.")


_WORDS: dict[str, Callable[[dict[str, Any]], tuple[str, str]]] = {
    "silent": _silent,
    "clipped": _clipped,
    "over_full_scale": _over_full_scale,
    "dead_channel": _dead_channel,
    "inverted_polarity": _inverted_polarity,
    "mono_as_stereo": _mono_as_stereo,
    "dc_offset": _dc_offset,
    "silence_at_start": _silence_at_start,
    "silence_at_end": _silence_at_end,
    "hole": _hole,
    "low_sample_rate": _low_sample_rate,
    "mixed_sample_rates": _mixed_sample_rates,
    "upsampled": _upsampled,
    "lossy_source": _lossy_source,
    "narrow_band": _narrow_band,
    "padded_depth": _padded_depth,
    "lossy_master": _lossy_master,
    "interlaced": _interlaced,
    "variable_frame_rate": _variable_frame_rate,
    "no_sound": _no_sound,
}


def _number(value: float) -> str:
    return f"{value:g}"


def _kilohertz(hertz: float) -> str:
    return f"{hertz / 1000:g} kHz"


def _codec(name: str) -> str:
    return {"mp3float": "MP3", "mp3": "MP3", "aac": "AAC", "vorbis": "Vorbis", "opus": "Opus"}.get(name, name.upper())
