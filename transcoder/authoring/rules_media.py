"""Rules on pictures and sound as they lie in the segments: codecs, IDR pictures, continuity, alignment."""

from __future__ import annotations

import math
from itertools import pairwise

from transcoder.authoring.fragments import Track
from transcoder.authoring.rulebook import MUST, SHOULD, Found, NotApplicable, Unchecked, opened, rule, some
from transcoder.authoring.stream import Line, Stream

FIRST_SOUND_BYTES = 64 * 1024
_VIDEO = ("avc1", "avc3", "hvc1", "hev1", "dvh1", "dvhe", "av01")
# Rec. ITU-T H.264, table A-1: level_idc, macroblocks per second, macroblocks per picture.
_LEVELS = (
    (10, 1485, 99),
    (11, 3000, 396),
    (12, 6000, 396),
    (13, 11880, 396),
    (21, 19800, 792),
    (22, 20250, 1620),
    (30, 40500, 1620),
    (31, 108000, 3600),
    (32, 216000, 5120),
    (40, 245760, 8192),
    (42, 522240, 8704),
    (50, 589824, 22080),
    (51, 983040, 36864),
    (52, 2073600, 36864),
)


def _pictures(stream: Stream) -> list[tuple[Line, Track]]:
    """The lines with pictures, and their tracks."""
    lines = opened(stream, "video", "iframes")
    return [(line, line.track) for line in lines if line.track and line.track.handler == "vide"]


def _sounds(stream: Stream) -> list[tuple[Line, Track]]:
    """Every track of sound, of its own or beside a picture."""
    lines = opened(stream, "video", "audio")
    return some(
        ((line, track) for line in lines for track in line.tracks if track.handler == "soun"), "the stream is silent"
    )


@rule("1.1", MUST, "Pictures are H.264, HEVC, Dolby Vision or AV1", "Encode with H.264.")
def picture_codec(stream: Stream) -> Found:
    tracks = _pictures(stream)
    found = Found(", ".join(sorted({track.codec[:4] for _, track in tracks})))
    for line, track in tracks:
        if track.codec[:4] not in _VIDEO and not (line.role == "iframes" and track.codec == "mjpg"):
            found.fault(f"{line.name}: {track.codec}")
    return found


@rule("1.3b", MUST, "H.264 goes no further than High profile, level 5.2", "Encode with a lower profile or level.")
def profile_and_level(stream: Stream) -> Found:
    tracks = some(((line, t) for line, t in _pictures(stream) if t.level), "there is no H.264")
    found = Found(f"level {max(track.level for _, track in tracks) / 10:g} at most")
    for line, track in tracks:
        if track.profile not in (66, 77, 88, 100) or track.level > 52:
            found.fault(f"{line.name}: profile {track.profile}, level {track.level / 10:g}")
    return found


@rule("1.3a", SHOULD, "Some H.264 stays within High profile, level 4.1", "Add a rung that old devices play.")
def some_plays_everywhere(stream: Stream) -> Found:
    tracks = some(((line, t) for line, t in _pictures(stream) if t.level), "there is no H.264")
    fit = [line.name for line, track in tracks if track.level <= 41 and track.profile <= 100 and line.role == "video"]
    return Found(f"{len(fit)} do", [] if fit else ["none does"])


@rule("1.4", SHOULD, "H.264 is of High profile", "Encode with profile high.")
def high_profile(stream: Stream) -> Found:
    tracks = some(((line, t) for line, t in _pictures(stream) if t.level), "there is no H.264")
    faults = [f"{line.name}: profile {track.profile}" for line, track in tracks if track.profile != 100]
    return Found("all of it", faults)


@rule("1.10", SHOULD, "Parameter sets lie in the sample description (avc1, hvc1)", "Mux as avc1, not avc3.")
def parameter_sets(stream: Stream) -> Found:
    tracks = _pictures(stream)
    bad = [f"{line.name}: {t.codec[:4]}" for line, t in tracks if t.codec[:4] in ("avc3", "hev1", "dvhe")]
    return Found("all of them", bad)


@rule(
    "1.11",
    SHOULD,
    "The level of H.264 is no higher than size and frame rate need",
    "Let the encoder choose the level, with fewer reference frames or a lower peak rate.",
)
def level_needed(stream: Stream) -> Found:
    found = Found("as low as can be")
    tracks = [(line, t) for line, t in _pictures(stream) if t.level and line.role == "video"]
    for line, track in some(tracks, "there is no H.264"):
        blocks = math.ceil(track.width / 16) * math.ceil(track.height / 16)
        rate = frame_rate(line)
        need = next((n for n, second, each in _LEVELS if blocks <= each and blocks * rate <= second * 1.001), 62)
        if track.level > need:
            found.fault(f"{line.name}: {track.level / 10:g}, {need / 10:g} would do")
    return found


@rule("1.12", SHOULD, "Some of the pictures are H.264", "Add H.264 variants.")
def some_h264(stream: Stream) -> Found:
    tracks = [(line, track) for line, track in _pictures(stream) if line.role == "video"]
    some(tracks, "there are no pictures")
    return Found("yes", [] if any(t.codec[:3] == "avc" for _, t in tracks) else ["none is"])


@rule("1.13", SHOULD, "There is an IDR picture every two seconds", "Encode with an IDR picture every two seconds.")
def idr_every_two_seconds(stream: Stream) -> Found:
    return _idr_apart(stream, everywhere=False)


@rule("W2", MUST, "IDR pictures are two seconds apart at most", "Encode with an IDR picture every two seconds.")
def idr_at_most_two_seconds(stream: Stream) -> Found:
    return _idr_apart(stream, everywhere=True)


def _idr_apart(stream: Stream, *, everywhere: bool) -> Found:
    """`everywhere`: no gap may be larger; else the gaps on average. Two seconds are rounded up to a whole picture."""
    found, worst = Found(), 0.0
    for line in opened(stream, "video"):
        times = [time for piece in line.opened for time in piece.idr]
        if any(piece.first_is_idr is None for piece in line.opened):
            raise Unchecked(f"{line.name}: pictures of {line.track.codec if line.track else '?'} are not opened")
        if not times:
            found.fault(f"{line.name} has no IDR picture")
            continue
        end = line.opened[-1].last_picture_ends
        gaps = [b - a for a, b in zip(times, [*times[1:], end], strict=True)]
        gap = max(gaps) if everywhere else sum(gaps) / len(gaps)
        worst = max(worst, gap)
        if gap > math.ceil(2 / line.frame - 1e-6) * line.frame + 1e-3:
            found.fault(f"{line.name}: {gap:.3f} s")
    found.summary = f"{worst:.3f} s {'at most' if everywhere else 'on average'}"
    return found


@rule("1.19", MUST, "No more than 60 pictures per second", "Encode at 60 or fewer.")
def no_faster_than_60(stream: Stream) -> Found:
    lines = opened(stream, "video")
    rates = {line.name: frame_rate(line) for line in lines}
    faults = [f"{name}: {rate:.3f}" for name, rate in rates.items() if rate > 60.01]
    return Found(f"{max(rates.values()):.3f} at most", faults)


@rule("2.1", SHOULD, "Sound comes as an elementary stream or in fMP4", "Package sound as fMP4.")
def sound_container(stream: Stream) -> Found:
    lines = some(stream.role("audio"), "there is no sound of its own")
    if any(line.refused_key for line in lines):
        raise Unchecked("the segments are sealed and their key does not come")
    bad = [line.name for line in lines for piece in line.pieces[:1] if piece.container not in ("fmp4", "packed audio")]
    return Found("it does", bad)


@rule("2.3", MUST, "There is stereo sound in AAC", "Add an AAC rung with two channels.")
def stereo_aac(stream: Stream) -> Found:
    tracks = _sounds(stream)
    fit = [f"{line.name} ({t.codec})" for line, t in tracks if t.codec.startswith("mp4a.40.") and t.channels <= 2]
    return Found(", ".join(fit), [] if fit else ["there is " + ", ".join(sorted({t.codec for _, t in tracks}))])


@rule("2.4", SHOULD, "HE-AAC is used at 64 kbit/s and below only", "Encode with AAC-LC.")
def he_aac_low(stream: Stream) -> Found:
    tracks = [(line, t) for line, t in _sounds(stream) if t.codec in ("mp4a.40.5", "mp4a.40.29")]
    faults = [f"{line.name}: {line.rates()[1] / 1000:.0f} kbit/s" for line, _ in tracks if line.rates()[1] > 68_000]
    return Found("", faults) if some(tracks, "there is no HE-AAC") else Found()


@rule("2.9", SHOULD, "Stereo AAC takes 32 to 160 kbit/s", "Encode within these rates.")
def aac_rates(stream: Stream) -> Found:
    tracks = [(line, t) for line, t in _sounds(stream) if t.codec == "mp4a.40.2" and line.role == "audio"]
    rates = {line.name: line.rates()[1] / 1000 for line, _ in some(tracks, "there is no AAC-LC of its own")}
    faults = [f"{name}: {rate:.0f} kbit/s" for name, rate in rates.items() if not 28 <= rate <= 168]
    return Found(f"{min(rates.values()):.0f} to {max(rates.values()):.0f} kbit/s", faults)


@rule("2.17", MUST, "No segment holds two sounds", "Package each sound as a rendition of its own.")
def one_sound(stream: Stream) -> Found:
    lines = opened(stream, "video", "audio")
    faults = [line.name for line in lines if sum(1 for track in line.tracks if track.handler == "soun") > 1]
    return Found("none does", faults)


@rule("2.19", SHOULD, "Sound in fMP4 says its loudness in a ludt box", "Write udta/ludt after ISO/IEC 14496-12.")
def loudness_box(stream: Stream) -> Found:
    faults = [line.name for line, track in _sounds(stream) if not track.loudness]
    return Found("all of it", [f"none in {', '.join(faults)}"] if faults else [])


@rule(
    "7.3",
    MUST,
    "Decode times run on from segment to segment",
    "Number the fragments of a rung on one timeline; mark EXT-X-DISCONTINUITY where another begins.",
)
def continuous(stream: Stream) -> Found:
    found, joints = Found(), 0
    for line in opened(stream, "video", "audio", "iframes"):
        for before, piece in pairwise(line.pieces):
            if not (before.good and piece.good):
                continue
            if before.announced.discontinuity != piece.announced.discontinuity:
                continue
            joints += 1
            gap = (piece.decode_start - before.decode_end) / piece.timescale
            if piece.decode_start != before.decode_end:
                found.fault(f"{line.name} {piece.announced.sequence} begins {gap:+.6f} s from where the last one ended")
    found.summary = f"{joints} joints, none with a gap"
    return found


@rule("7.4", MUST, "Every segment of pictures begins with an IDR picture", "Force an IDR picture where you cut.")
def begins_with_idr(stream: Stream) -> Found:
    lines = opened(stream, "video", "iframes")
    found = Found(f"{sum(len(line.opened) for line in lines)} segments do")
    for line in lines:
        for piece in line.opened:
            if piece.first_is_idr is False:
                found.fault(f"{line.name} {piece.announced.sequence}")
    if not found.faults and all(piece.first_is_idr is None for line in lines for piece in line.opened):
        raise Unchecked("the pictures are of a codec that is not opened")
    return found


@rule(
    "RFC 6.2.4",
    MUST,
    "The same moment has the same time in every rendition",
    "Give all rungs of pictures the same cuts and all sounds the same beginning.",
)
def aligned(stream: Stream) -> Found:
    lines = opened(stream, "video", "audio")
    if len(lines) < 2:
        raise NotApplicable("there is one playlist only")
    pictures = [line for line in lines if line.role == "video"]
    found, worst = Found(), 0.0
    for line in pictures[1:]:
        for one, other in zip(pictures[0].opened, line.opened, strict=False):
            apart = abs(one.start - other.start)
            worst = max(worst, apart)
            if apart > 1e-3:
                sequence = other.announced.sequence
                found.fault(f"{line.name} {sequence} begins {apart:.3f} s apart from {pictures[0].name}")
    first = lines[0]
    for line in lines[1:]:
        apart = abs(line.opened[0].start - first.opened[0].start)
        worst = max(worst, apart)
        if apart > max(line.frame, first.frame):
            found.fault(f"{line.name} begins {apart:.3f} s apart from {first.name}")
    found.summary = f"{worst * 1000:.1f} ms apart at most"
    return found


@rule(
    "8.22",
    SHOULD,
    "Segments of pictures and sound end at the same times",
    "Cut sound at the frame nearest to each cut of the picture.",
)
def same_boundaries(stream: Stream) -> Found:
    lines = opened(stream, "video", "audio")
    if len(lines) < 2:
        raise NotApplicable("there is one playlist only")
    first, found, worst = lines[0], Found(), 0.0
    for line in lines[1:]:
        if line.whole and first.whole and len(line.pieces) != len(first.pieces):
            found.fault(f"{line.name} has {len(line.pieces)} segments, {first.name} {len(first.pieces)}")
        allowed = max(line.frame, first.frame) + 1e-3
        for one, other in zip(first.opened, line.opened, strict=False):
            apart = abs(one.start - other.start)
            worst = max(worst, apart)
            if apart > allowed:
                found.fault(f"{line.name} {other.announced.sequence}: {apart:.3f} s from {first.name}")
    found.summary = f"{worst * 1000:.1f} ms apart at most, less than one audio frame"
    return found


@rule(
    "W1",
    MUST,
    "The first sound is heard after 64 KB of media at most",
    "Put the sound's first samples first: short fragments, and a sound rendition of its own.",
)
def first_sound(stream: Stream) -> Found:
    needed = {}
    for line, _ in _sounds(stream):
        piece = line.opened[0]
        if piece.first_sound:
            needed[line.name] = (len(line.init.body) if line.init else 0) + piece.first_sound
    some(needed, "the first segment is silent")
    worst = max(needed, key=lambda name: needed[name])
    # What a player needs that decrypts whole segments only, as browsers' Media Source players do.
    whole = min(len(line.init.body if line.init else b"") + line.pieces[0].size for line, _ in _sounds(stream))
    found = Found(f"{needed[worst]} bytes in {worst}; the smallest whole first segment takes {whole}")
    for name, size in needed.items():
        if size > FIRST_SOUND_BYTES:
            found.fault(f"{name}: {size} bytes")
    return found


def frame_rate(line: Line) -> float:
    """Pictures per second, as counted; 0 where there are none."""
    seconds = sum(piece.seconds for piece in line.opened)
    return sum(piece.pictures for piece in line.opened) / seconds if seconds else 0.0
