"""Colour: whatever a master is, its pictures come out as BT.709, 8 bits, limited range, and say so.

Names of primaries, transfers and matrices are those of ITU-T H.273 as libav writes them.

High dynamic range is tone-mapped. PQ (SMPTE ST 2084) and HLG (ARIB STD-B67, 1000 cd/m² at gamma 1.2) are brought to
light, to BT.709's primaries (what lies outside them is clipped), bent by Hable's filmic curve with white at the
master's peak, and given BT.1886's gamma. With a peak of 1000 cd/m² that puts greys within five 8-bit steps of where
HLG's own curve has them, which BT.2100 made to be looked at on standard screens: 18 % grey (36.5 cd/m²) at 111,
reference white (203 cd/m², BT.2408) at 182, the peak at 235.
"""

from __future__ import annotations

from typing import Any

from transcoder.contract import VideoFacts

_PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020", 11: "smpte431",
    12: "smpte432", 22: "ebu3213",
}  # fmt: skip
_TRANSFERS = {
    1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100", 10: "log316",
    11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084",
    17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
_MATRICES = {
    0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco", 9: "bt2020nc",
    10: "bt2020c", 14: "ictcp",
}  # fmt: skip
_MATRIX_OF = {"bt709": "bt709", "bt2020": "bt2020nc", "bt470bg": "bt470bg", "smpte170m": "smpte170m"}
_PRIMARIES_OF = {"bt2020nc": "bt2020", "bt2020c": "bt2020", "ictcp": "bt2020"}

_HDR = {"smpte2084", "arib-std-b67"}
_PEAK = 1000  # cd/m², of HLG by definition and of PQ that doesn't tell: what most of it is graded for
_PEAKS_BELIEVED = (400, 4000)
_WHITE = 100.0  # cd/m²: what the tone curve takes for 1
_HD = 1280

# What says in a frame how bright it was before, no longer true of it afterwards.
_OUTDATED = ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL", "DYNAMIC_HDR_PLUS", "DOVI_METADATA")


def names(primaries: int, transfer: int, matrix: int) -> tuple[str, str, str]:
    """H.273's code points by name; "" for what is not told or not known."""
    return _PRIMARIES.get(primaries, ""), _TRANSFERS.get(transfer, ""), _MATRICES.get(matrix, "")


def are_names(video: VideoFacts) -> bool:
    """Whether what is told of the colours are names that `names` could have given."""
    known = (_PRIMARIES, video.primaries), (_TRANSFERS, video.transfer), (_MATRICES, video.matrix)
    return all(name == "" or name in table.values() for table, name in known)


def is_hdr(video: VideoFacts) -> bool:
    """Whether a picture would look washed out on a standard screen unless it is tone-mapped."""
    return video.transfer in _HDR


def to_sdr(picture: Any, video: VideoFacts, width: int, height: int) -> Any:
    """A master's picture, scaled and brought to BT.709 in yuv420p; a stream of ffmpeg-python in, one out.

    `picture` is what the master's decoder gives, and `video` what the probe told of it. Further scaling of what comes
    out keeps its colours and its tags.
    """
    matrix, primaries = _told(video)
    sized = picture.filter("scale", width, height, flags="bicubic", **_from(matrix)).filter("setsar", 1)
    if matrix == "gbr":
        matrix = "bt709"
        sized = sized.filter("format", "yuv444p12le" if is_hdr(video) else "yuv444p")
    came_as = {"min": matrix, "pin": primaries}
    if is_hdr(video):
        light = sized.filter("zscale", tin=video.transfer, t="linear", npl=_WHITE, p="bt709", **came_as)
        bent = light.filter("tonemap", "hable", desat=0, peak=_peak(video) / _WHITE)
        sized = bent.filter("zscale", t="bt709", m="bt709", r="tv", d="ordered")
        for each in _OUTDATED:
            sized = sized.filter("sidedata", "delete", type=each)
    elif (matrix, primaries) != ("bt709", "bt709"):
        # Screens show every standard transfer alike, so only primaries and matrix are changed.
        sized = sized.filter("zscale", tin="bt709", t="bt709", p="bt709", m="bt709", r="tv", **came_as)
    tags = {"range": "tv", "color_primaries": "bt709", "color_trc": "bt709", "colorspace": "bt709"}
    return sized.filter("format", "yuv420p").filter("setparams", **tags)


def for_jpeg(picture: Any) -> Any:
    """What `to_sdr` made, for a JPEG file: JFIF means BT.601's matrix and full range, and can't say otherwise."""
    turned = picture.filter("scale", in_color_matrix="bt709", out_color_matrix="bt601", in_range="tv", out_range="pc")
    return turned.filter("format", "yuvj420p")


def _from(matrix: str) -> dict[str, str]:
    """What the scaler is to do besides: RGB becomes BT.709, full range becomes limited."""
    return {"out_range": "tv"} | ({"out_color_matrix": "bt709"} if matrix == "gbr" else {})


def _told(video: VideoFacts) -> tuple[str, str]:
    """Matrix and primaries: as told, or each from the other; of what tells neither, as browsers take its matrix.

    A picture with BT.601's matrix that doesn't tell its primaries keeps them: it seldom was ever on tape.
    """
    matrix, primaries = video.matrix, video.primaries
    if not matrix and not primaries:
        if is_hdr(video):
            return "bt2020nc", "bt2020"
        return ("bt709" if max(video.width, video.height) >= _HD else "smpte170m"), "bt709"
    matrix = matrix or _MATRIX_OF.get(primaries, "bt709")
    return matrix, primaries or _PRIMARIES_OF.get(matrix, "bt2020" if is_hdr(video) else "bt709")


def _peak(video: VideoFacts) -> float:
    if video.transfer != "smpte2084" or not video.peak_nits:
        return _PEAK
    least, most = _PEAKS_BELIEVED
    return min(most, max(least, video.peak_nits))
