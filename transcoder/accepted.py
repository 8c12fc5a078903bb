"""What the shop takes: the one table of containers and of the codecs each may hold.

Sniffing, probing, FFmpeg's allow-lists and the texts that editors read all come from here. Codecs have libav's
canonical names; `pcm` stands for every uncompressed one.
"""

from __future__ import annotations

from dataclasses import dataclass

LOSSY = frozenset({"aac", "mp3", "vorbis", "opus", "ac3", "eac3", "dts", "mp2"})
_SOUND = LOSSY | {"flac", "alac", "pcm"}
_PICTURE = frozenset({
    "h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "prores", "dnxhd", "ffv1", "mjpeg",
    "rawvideo", "v210", "qtrle", "png", "utvideo", "cfhd",
})  # fmt: skip
# Subtitles that are text; those that are pictures have nothing to become.
TEXT = frozenset({"subrip", "ass", "mov_text", "webvtt", "text"})
# What a cover comes in. Such a stream is no film, and FFmpeg need not decode it.
PICTURES = frozenset({"mjpeg", "png", "gif", "bmp", "webp"})


@dataclass(frozen=True, slots=True)
class Container:
    """A format of file: how people call it, the suffixes that promise it, libav's demuxer, and what it may hold."""

    called: str
    suffixes: tuple[str, ...]
    demuxer: str
    content_type: str
    sound: frozenset[str]
    picture: frozenset[str] = frozenset()
    text: frozenset[str] = frozenset()

    def holds(self, codec: str) -> bool:
        """Whether sound or picture of this codec may be in it."""
        return _family(codec) in self.sound or codec in self.picture

    def decoders(self) -> str:
        """FFmpeg's `-codec_whitelist` for a file of this kind: no other decoder is ever opened."""
        return ",".join(sorted(name for codec in self.sound | self.picture | self.text for name in _decoders(codec)))


def _only(*codecs: str) -> frozenset[str]:
    return frozenset(codecs)


CONTAINERS = {
    "wav": Container("WAV", (".wav", ".wave"), "wav", "audio/wav", _only("pcm")),
    "aiff": Container("AIFF", (".aif", ".aiff", ".aifc"), "aiff", "audio/aiff", _only("pcm")),
    "flac": Container("FLAC", (".flac",), "flac", "audio/flac", _only("flac")),
    "mp3": Container("MP3", (".mp3",), "mp3", "audio/mpeg", _only("mp3")),
    "ogg": Container("Ogg", (".ogg", ".oga", ".opus"), "ogg", "audio/ogg", _only("vorbis", "opus", "flac")),
    "mp4": Container("MP4", (".mp4", ".m4a", ".m4v"), "mov", "video/mp4", _SOUND, _PICTURE, TEXT),
    "mov": Container("QuickTime", (".mov", ".qt"), "mov", "video/quicktime", _SOUND, _PICTURE, TEXT),
    "matroska": Container("Matroska", (".mkv", ".mka"), "matroska", "video/x-matroska", _SOUND, _PICTURE, TEXT),
}
SUFFIXES = frozenset(suffix for container in CONTAINERS.values() for suffix in container.suffixes)
# The same for people: three of these are codecs, since that is what their owners call such files.
CALLED = "WAV, AIFF, FLAC, ALAC, MP3, Ogg, Opus, MP4, MOV, MKV"

MIN_SECONDS, MAX_SECONDS = 0.1, 12 * 3600
MIN_SIDE, MAX_SIDE = 16, 8192
MAX_PIXELS = 8192 * 4320  # of one picture, whichever way it is turned
MAX_FRAME_RATE = 120
SAMPLE_RATES = (8_000, 384_000)
MAX_CHANNELS = 8
MAX_STREAMS = 128  # of all kinds, in one file

# Codec -> FFmpeg's decoders for it, where they aren't one of the same name. Those of graphics cards are left out.
_DECODERS = {
    "aac": ("aac", "aac_fixed"),
    "mp3": ("mp3", "mp3float"),
    "mp2": ("mp2", "mp2float"),
    "vorbis": ("vorbis", "libvorbis"),
    "opus": ("opus", "libopus"),
    "dts": ("dca",),
    "av1": ("av1", "libdav1d", "libaom-av1"),
    "vp8": ("vp8", "libvpx"),
    "vp9": ("vp9", "libvpx-vp9"),
    "ass": ("ass", "ssa"),
    "subrip": ("subrip", "srt"),
    "pcm": (
        "pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le",
        "pcm_s32be", "pcm_s64le", "pcm_s64be", "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be", "pcm_bluray",
        "pcm_dvd", "pcm_u16le", "pcm_u16be", "pcm_u24le", "pcm_u24be", "pcm_u32le", "pcm_u32be",
    ),
}  # fmt: skip


def _family(codec: str) -> str:
    return "pcm" if codec.startswith("pcm_") else codec


def _decoders(codec: str) -> tuple[str, ...]:
    return _DECODERS.get(codec, (codec,))


def allow_list(container: Container) -> dict[str, str]:
    """libav's options that keep it to this container, these decoders and so many streams, whatever the bytes say."""
    return {
        "format_whitelist": container.demuxer,
        "codec_whitelist": container.decoders(),
        "protocol_whitelist": "fd",
        "max_streams": str(MAX_STREAMS),
    }
