"""Rules on the multivariant playlist: what it declares against what was measured, the ladder, trick play."""

from __future__ import annotations

from itertools import pairwise

from transcoder.authoring.playlists import Multivariant, Variant
from transcoder.authoring.rulebook import MUST, SHOULD, Found, NotApplicable, Unchecked, opened, rule, some
from transcoder.authoring.rules_media import frame_rate
from transcoder.authoring.stream import Line, Stream, is_picture

CELLULAR = 192_000
_NATURAL = (24000 / 1001, 24, 25, 30000 / 1001, 30, 50, 60000 / 1001, 60)


def _top(stream: Stream) -> Multivariant:
    if stream.multivariant is None:
        raise NotApplicable("the URL names a media playlist")
    return stream.multivariant


def _film(stream: Stream) -> list[tuple[Variant, Line]]:
    """The variants with pictures, and their playlists."""
    found = [(v, stream.lines[v.url]) for v in _top(stream).variants if v.url in stream.lines]
    return some(((v, line) for v, line in found if line.role == "video"), "there are no pictures")


@rule("9.1", MUST, "Every variant names its CODECS (9.3: those for trick play too)", "Write CODECS from the media.")
def has_codecs(stream: Stream) -> Found:
    top = _top(stream)
    faults = [f"line {v.line}" for v in (*top.variants, *top.iframes) if not v.codecs]
    return Found(f"{len(top.variants) + len(top.iframes)} do", faults)


@rule("9.2", MUST, "Every variant with pictures names its RESOLUTION (9.4: for trick play too)", "Write RESOLUTION.")
def has_resolution(stream: Stream) -> Found:
    top = _top(stream)
    own = [variant for variant, _ in _film(stream)]
    faults = [f"line {v.line}" for v in (*own, *top.iframes) if not v.resolution]
    return Found(f"{len(own) + len(top.iframes)} do", faults)


@rule("9.14", MUST, "Every variant names its AVERAGE-BANDWIDTH", "Write AVERAGE-BANDWIDTH as measured.")
def has_average(stream: Stream) -> Found:
    variants = _top(stream).variants
    return Found(f"{len(variants)} do", [f"line {v.line}" for v in variants if v.average is None])


@rule("9.15", MUST, "Every variant with pictures names its FRAME-RATE", "Write FRAME-RATE with three decimals.")
def has_frame_rate(stream: Stream) -> Found:
    variants = [variant for variant, _ in _film(stream)]
    return Found(f"{len(variants)} do", [f"line {v.line}" for v in variants if v.frame_rate is None])


@rule("9.16", MUST, "VIDEO-RANGE is named unless all is SDR", "Write VIDEO-RANGE=SDR, HLG or PQ.")
def video_range(stream: Stream) -> Found:
    variants = [(v, line) for v, line in _film(stream) if not (line.track and line.track.codec.startswith("avc"))]
    some(variants, "all pictures are H.264 of 8 bits: SDR")
    return Found("it is", [f"line {v.line}" for v, _ in variants if "VIDEO-RANGE" not in v.attributes])


@rule("9.19", MUST, "SCORE is on every variant or on none", "Write it on all, or leave it out.")
def score_on_all(stream: Stream) -> Found:
    variants = _top(stream).variants
    bare = [f"line {v.line}" for v in variants if "SCORE" not in v.attributes]
    if len(bare) == len(variants):
        raise NotApplicable("there is no SCORE")
    return Found("on all", bare)


@rule(
    "RFC 4.4.6.2 CODECS",
    MUST,
    "CODECS names every format in the segments, and no other",
    "Write CODECS from the init sections.",
)
def codecs_match(stream: Stream) -> Found:
    top, found, known = _top(stream), Found(), set()
    opened(stream, "video", "audio")
    for variant in top.variants:
        combinations = stream.with_sound(variant)
        real = {track.codec for lines in combinations for line in lines for track in line.tracks}
        if not real or any(not line.tracks for lines in combinations for line in lines):
            continue
        said = {codec for codec in variant.codecs if not codec.startswith(("wvtt", "stpp"))}
        known |= real
        _compare(found, variant, said, real)
    for variant in top.iframes:
        line = stream.lines.get(variant.url)
        if line and line.tracks:
            _compare(found, variant, set(variant.codecs), {track.codec for track in line.tracks})
    found.summary = ", ".join(sorted(known))
    return found


def _compare(found: Found, variant: Variant, said: set[str], real: set[str]) -> None:
    for codec in real:
        if not any(codec == each or (len(codec) == 4 and each[:4].lower() == codec.lower()) for each in said):
            found.fault(f"{variant.name}: {codec} is not in CODECS")
    for each in said:
        if not any(codec == each or (len(codec) == 4 and each[:4].lower() == codec.lower()) for codec in real):
            found.fault(f"{variant.name}: CODECS names {each}, which no segment holds")


@rule("RFC 4.4.6.2 RESOLUTION", MUST, "RESOLUTION is that of the pictures", "Write it from the init section.")
def resolution_matches(stream: Stream) -> Found:
    lines, said = opened(stream, "video"), []
    found, top = Found(), _top(stream)
    for variant in (*top.variants, *top.iframes):
        line = stream.lines.get(variant.url)
        track = line.track if line else None
        if track and track.width and variant.resolution:
            said.append(f"{track.width}x{track.height}")
            if variant.resolution != (track.width, track.height):
                found.fault(f"{variant.name} says {'x'.join(map(str, variant.resolution))}, it is {said[-1]}")
    found.summary = ", ".join(dict.fromkeys(said)) if lines else ""
    return found


@rule("RFC 4.4.6.2 FRAME-RATE", MUST, "FRAME-RATE is that of the pictures", "Write it from the samples' durations.")
def frame_rate_matches(stream: Stream) -> Found:
    opened(stream, "video")
    found, seen = Found(), set()
    for variant, line in _film(stream):
        real, said = frame_rate(line), variant.frame_rate
        seen.add(f"{real:.3f}")
        if real and said and abs(real - said) > max(0.002, 0.001 * said):
            found.fault(f"{variant.name} says {said:g}, it is {real:.3f}")
    found.summary = ", ".join(sorted(seen))
    return found


@rule("1.18", SHOULD, "Pictures come at a usual rate: 23.976, 24, 25, 29.97, 30, 50, 59.94 or 60", "Keep the source's.")
def natural_rate(stream: Stream) -> Found:
    opened(stream, "video")
    rates = {line.name: frame_rate(line) for _, line in _film(stream)}
    faults = [f"{n}: {r:.3f}" for n, r in rates.items() if not any(abs(r - each) < 0.02 for each in _NATURAL)]
    return Found(", ".join(sorted({f"{rate:.3f}" for rate in rates.values()})), faults)


def _measured(stream: Stream, variant: Variant) -> tuple[float, float] | None:
    """Peak and average of the dearest combination that a player may play (9.13)."""
    sums = []
    for lines in stream.with_sound(variant):
        rates = [line.rates() for line in lines]
        if not all(line.whole and line.pieces and all(piece.size for piece in line.pieces) for line in lines):
            return None
        sums.append((sum(peak for peak, _ in rates), sum(average for _, average in rates)))
    return (max(each[0] for each in sums), max(each[1] for each in sums)) if sums else None


def _declared(stream: Stream, which: str) -> Found:
    if not stream.vod:
        raise NotApplicable("the stream still grows")
    found, worst, checked = Found(), 0.0, 0
    for variant in (*_top(stream).variants, *_top(stream).iframes):
        measured = _measured(stream, variant)
        said = variant.bandwidth if which == "BANDWIDTH" else variant.average
        if measured is None or not said:
            continue
        real = measured[0 if which == "BANDWIDTH" else 1]
        checked, worst = checked + 1, max(worst, abs(real - said) / said)
        if abs(real - said) > 0.1 * said:
            found.fault(f"{variant.name} says {said}, it is {real:.0f} ({(real - said) / said:+.0%})")
    if not checked:
        raise Unchecked("not every segment was fetched")
    found.summary = f"{worst:.1%} apart at most"
    return found


@rule("1.26", MUST, "AVERAGE-BANDWIDTH is within 10 % of the measured average", "Write it as measured.")
def average_declared(stream: Stream) -> Found:
    return _declared(stream, "AVERAGE-BANDWIDTH")


@rule(
    "1.27",
    MUST,
    "BANDWIDTH is within 10 % of the measured peak of the dearest playable combination (9.13, 6.9)",
    "Write the largest sum of peaks, as measured.",
)
def peak_declared(stream: Stream) -> Found:
    return _declared(stream, "BANDWIDTH")


@rule("1.30", SHOULD, "The peak is no more than twice the average", "Cap the rate (maxrate, bufsize).")
def peak_twice_average(stream: Stream) -> Found:
    if not stream.vod:
        raise NotApplicable("the stream still grows")
    lines = [line for line in stream.role("video") if line.whole and line.pieces]
    found, worst = Found(), 0.0
    for line in some(lines, "there are no pictures"):
        peak, average = line.rates()
        worst = max(worst, peak / average if average else 0.0)
        if peak > 2 * average:
            found.fault(f"{line.name}: {peak / average:.1f} times")
    found.summary = f"{worst:.2f} times at most"
    return found


@rule("1.32", SHOULD, "The first variant is the one of about 2000 kbit/s", "List it first.")
def default_variant(stream: Stream) -> Found:
    variants = [variant for variant, _ in _film(stream)]
    nearest = min(variants, key=lambda v: abs((v.average or v.bandwidth) - 2_000_000))
    first = variants[0]
    ok = (first.average or first.bandwidth) == (nearest.average or nearest.bandwidth)
    said = f"{first.name} has {(first.average or first.bandwidth) / 1000:.0f} kbit/s"
    return Found(said, [] if ok else [f"{said}; {nearest.name} is nearest"])


@rule("1.33", SHOULD, "All variants have the same aspect ratio", "Scale every rung from the same picture.")
def same_aspect(stream: Stream) -> Found:
    sizes = [(v, v.resolution) for v, _ in _film(stream) if v.resolution]
    some(sizes, "no RESOLUTION is named")
    _, (width, height) = max(sizes, key=lambda each: each[1][0])
    shape = width / height
    # Sides are even numbers of pixels: two of them either way is rounding.
    faults = [f"{v.name}: {w}x{h}" for v, (w, h) in sizes if abs(w - h * shape) > 2 and abs(h - w / shape) > 2]
    return Found(f"{shape:.3f}", faults)


@rule("1.25", SHOULD, "Steps of the ladder are neither too large nor too small", "Space rates 1.2 to 3 times apart.")
def ladder_steps(stream: Stream) -> Found:
    rates = sorted({(v.average or v.bandwidth, v.name) for v, _ in _film(stream)})
    if len(rates) < 2:
        raise NotApplicable("there is one variant")
    steps = [(high[0] / max(1, low[0]), low[1], high[1]) for low, high in pairwise(rates)]
    faults = [f"from {low} to {high}: {step:.2f} times" for step, low, high in steps if not 1.15 <= step <= 3.0]
    return Found(", ".join(f"{step:.2f}" for step, _, _ in steps), faults)


@rule("9.5", SHOULD, "Pictures and sound are separate streams", "Package sound as renditions.")
def separate_sound(stream: Stream) -> Found:
    lines = opened(stream, "video")
    return Found("they are", [line.name for line in lines if any(t.handler == "soun" for t in line.tracks)])


@rule("9.9", MUST, "Pictures come at more than one bit rate", "Add a rung.")
def several_rates(stream: Stream) -> Found:
    count = len({variant.bandwidth for variant, _ in _film(stream)})
    return Found(f"at {count}", [] if count > 1 else ["at one"])


@rule("9.10", SHOULD, "HD pictures come at two bit rates in the largest size", "Add a cheaper rung of that size.")
def two_at_the_top(stream: Stream) -> Found:
    sizes = [v.resolution for v, _ in _film(stream) if v.resolution]
    top = max(some(sizes, "no RESOLUTION is named"), key=lambda each: each[0] * each[1])
    if min(top) < 720:
        raise NotApplicable("there are no HD pictures")
    count = sizes.count(top)
    return Found(f"{count} at {top[0]}x{top[1]}", [] if count > 1 else [f"one at {top[0]}x{top[1]}"])


@rule(
    "9.12",
    MUST,
    "EXT-X-INDEPENDENT-SEGMENTS is said where segments begin with IDR pictures (9.11: in the multivariant playlist)",
    "Write it into the multivariant playlist.",
)
def independent(stream: Stream) -> Found:
    some(stream.role("video"), "there are no pictures")
    if stream.multivariant and stream.multivariant.independent:
        return Found("in the multivariant playlist")
    bare = [line.name for line in stream.role("video") if not line.playlist.independent]
    return Found("in every media playlist", bare)


@rule(
    "9.21",
    MUST,
    "One variant fits a phone's network: a BANDWIDTH of 192 kbit/s or less (iOS)",
    "Add a variant that small: sound alone, or a small picture with it.",
)
def cellular(stream: Stream) -> Found:
    least = min(some(_top(stream).variants, "there is no variant"), key=lambda v: v.bandwidth)
    said = f"{least.name} takes {least.bandwidth / 1000:.0f} kbit/s"
    return Found(said, [] if least.bandwidth <= CELLULAR else [f"the least, {said}"])


@rule("W4", MUST, "There is sound of 192 kbit/s or less at its peak", "Add an AAC rung of 128 kbit/s.")
def light_sound(stream: Stream) -> Found:
    lines = [line for line in some(stream.role("audio"), "there is no sound of its own") if line.pieces]
    if not lines or any(not piece.size for line in lines for piece in line.pieces):
        raise Unchecked("not every segment was fetched")
    least = min(lines, key=lambda line: line.rates()[0])
    said = f"{least.name} takes {least.rates()[0] / 1000:.0f} kbit/s"
    return Found(said, [] if least.rates()[0] <= CELLULAR else [f"the least, {said}"])


@rule("6.1", MUST, "Films have playlists of I-frames for trick play", "Add EXT-X-I-FRAME-STREAM-INF.")
def has_iframes(stream: Stream) -> Found:
    _film(stream)
    count = len(_top(stream).iframes)
    return Found(f"{count} of them", [] if count else ["there is none"])


@rule("6.2", SHOULD, "Trick play has a picture per second", "Encode a rendition of I-frames, one per second.")
def dense_iframes(stream: Stream) -> Found:
    lines = [line for line in some(stream.role("iframes"), "there is no trick play") if line.playlist.segments]
    apart = {line.name: line.announced_seconds / len(line.playlist.segments) for line in lines}
    found = Found(f"one each {min(apart.values(), default=0):.2f} s")
    # One second, rounded up to a whole picture.
    if min(apart.values(), default=9.0) > 1.05:
        found.fault("; ".join(f"{name}: one each {gap:.2f} s" for name, gap in apart.items()))
    return found


@rule("6.6", SHOULD, "Trick play comes at several bit rates", "Add a second size of I-frames.")
def several_iframe_rates(stream: Stream) -> Found:
    count = len(some(_top(stream).iframes, "there is no trick play"))
    return Found(f"{count}", [] if count > 1 else ["one"])


@rule("6.8", MUST, "Playlists for trick play say EXT-X-I-FRAMES-ONLY", "Write the tag.")
def iframes_only(stream: Stream) -> Found:
    lines = some(stream.role("iframes"), "there is no trick play")
    return Found("they do", [line.name for line in lines if not line.playlist.iframes_only])


@rule("6.10", MUST, "Each segment for trick play is one I-frame with its moof", "Fragment by picture.")
def iframe_segments(stream: Stream) -> Found:
    some(stream.role("iframes"), "there is no trick play")
    found, count = Found(), 0
    for line in opened(stream, "iframes"):
        for piece in line.opened:
            count += 1
            if not piece.has_moof or piece.pictures != 1:
                found.fault(f"{line.name} {piece.announced.sequence} holds {piece.pictures} pictures")
    found.summary = f"{count} do"
    return found


@rule("6.14", SHOULD, "Some trick play is H.264", "Encode it with H.264.")
def iframes_h264(stream: Stream) -> Found:
    variants = some(_top(stream).iframes, "there is no trick play")
    ok = any(codec.startswith("avc") for variant in variants for codec in variant.codecs if is_picture(codec))
    return Found("yes", [] if ok else ["none is"])
