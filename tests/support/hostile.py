"""Files that mean harm: one generator for the malice test and its bench.

Every file names, where its kind can, the canary (another tenant's master) or a loopback address on which somebody
listens. Nothing here is downloaded; samples are made by FFmpeg and then bent out of shape with a fixed seed.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from media_samples import ffmpeg, make_audio, make_film
from mutagen import flac, id3, mp4
from support.hostile_bytes import box, cluster, element, iso, matroska, png, png_track, rebuilt, sparse, table

CANARY = b"another tenant's master; "[:24]
_MEDIA = (".mp4", ".wav", ".mp3", ".mkv", ".flac", ".m4a", ".mov", ".ogg", ".aiff", ".opus")
_SOUND = ("a.wav", "a.aiff", "a.flac", "a.m4a", "a.mp3", "a.ogg", "a.opus", "a.mka")
_FILMS = ("f.mp4", "f.mov", "f.mkv")


@dataclass(frozen=True, slots=True)
class Hostile:
    """One file, of a class of attack, under the name its sender gave it."""

    kind: str
    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Target:
    """What an attack may name: another tenant's files, and a loopback port where connections are counted."""

    canary: Path
    port: int

    def addresses(self) -> list[str]:
        """The canary and the listener in every spelling that FFmpeg's protocols know."""
        here, there = str(self.canary), f"127.0.0.1:{self.port}/master.flac"
        return [
            here,
            f"file://{here}",
            f"file:{here}",
            f"http://{there}",
            f"concat:{here}|{here}",
            f"subfile,,start,0,end,0,,:{here}",
            f"crypto:{here}",
            f"cache:file:{here}",
            f"tcp://127.0.0.1:{self.port}",
            f"async:file:{here}",
            f"unix:{here}",
            f"ftp://{there}",
            f"rtmp://{there}",
            f"rtsp://{there}",
            f"../../../../../../../../{here}",
            f"httpproxy://{there}",
            f"udp://127.0.0.1:{self.port}",
            f"data:audio/wav;base64,UklGRgAAAABXQVZF{here}",
        ]


def plant(folder: Path) -> Path:
    """Another tenant's master, whose samples spell out CANARY when they are written as 16-bit PCM; return the FLAC."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = CANARY * (44100 * 4 // len(CANARY))
    form = struct.pack("<HHIIHH", 1, 2, 44100, 176400, 4, 16)
    head = b"RIFF" + struct.pack("<I", 36 + len(samples)) + b"WAVEfmt " + struct.pack("<I", len(form)) + form
    header = head + b"data" + struct.pack("<I", len(samples))
    (folder / "master.wav").write_bytes(header + samples)
    ffmpeg("-i", str(folder / "master.wav"), "-sample_fmt", "s16", str(folder / "master.flac"))
    return folder / "master.flac"


def generate(folder: Path, count: int, target: Target) -> Iterator[Hostile]:
    """At least one file of every class, `count` in all, the same ones each time; each lies in a folder of its own."""
    rng = random.Random(20240607)  # the same files each time is the point
    samples = _samples(folder / "samples")
    makers = [maker(samples, target, rng) for maker in _CLASSES.values()]
    kinds = list(_CLASSES)
    number = 0
    turn = cycle(range(len(makers)))
    alive = set(range(len(makers)))
    while number < count and alive:
        which = next(turn)
        if which not in alive:
            continue
        made = next(makers[which], None)
        if made is None:
            alive.discard(which)
            continue
        name, content = made
        number += 1
        place = folder / f"{number:04d}"
        place.mkdir(parents=True)
        # On the disk it has a plain name, as an upload's copy has.
        suffix = next((end for end in (*_MEDIA, ".m3u8", ".mpd", ".svg") if name.lower().endswith(end)), "")
        path = place / f"upload{suffix}"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content(path)
        yield Hostile(kinds[which], path, name)


Made = tuple[str, bytes | Callable[[Path], object]]
Samples = dict[str, bytes]


def _samples(folder: Path) -> Samples:
    for name in _SOUND:
        make_audio(folder / name, 0.5)
    for name in _FILMS:
        make_film(folder / name, 0.5, "64x48")
    return {name: (folder / name).read_bytes() for name in (*_SOUND, *_FILMS)}


def _named(texts: Iterator[str], suffixes: tuple[str, ...]) -> Iterator[Made]:
    for text, suffix in zip(texts, cycle(suffixes), strict=False):
        yield f"song{suffix}", text.encode()


def _hls(_samples: Samples, target: Target, _rng: random.Random) -> Iterator[Made]:
    head = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:9\n#EXT-X-MEDIA-SEQUENCE:0\n"

    def texts() -> Iterator[str]:
        for address in target.addresses():
            yield f"{head}#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n"
        for address in target.addresses()[:6]:
            yield f'{head}#EXT-X-KEY:METHOD=AES-128,URI="{address}"\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n'
            yield f'{head}#EXT-X-MAP:URI="{address}"\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n'
            yield f"\ufeff{head}#EXT-X-STREAM-INF:BANDWIDTH=1\n{address}\n"

    # Under its own suffix, where FFmpeg believes it, and under one that is taken.
    for text, suffix in zip(texts(), cycle(_MEDIA), strict=False):
        yield "song.m3u8", text.encode()
        yield f"song{suffix}", text.encode()


def _concat(_samples: Samples, target: Target, _rng: random.Random) -> Iterator[Made]:
    def texts() -> Iterator[str]:
        for address in target.addresses():
            yield f"ffconcat version 1.0\nfile '{address}'\n"
        for address in target.addresses()[:6]:
            yield f"ffconcat version 1.0\nfile '{address}'\nduration 1\noption safe 0\ninpoint 0\n"
            yield f"# comment\nffconcat version 1.0\nfile {address}\n"

    yield from _named(texts(), _MEDIA)


def _dash(_samples: Samples, target: Target, _rng: random.Random) -> Iterator[Made]:
    def texts() -> Iterator[str]:
        for address in target.addresses():
            safe = address.replace("&", "&amp;")
            yield (
                '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"'
                ' mediaPresentationDuration="PT9S"><Period><AdaptationSet mimeType="audio/mp4">'
                f'<Representation id="a" bandwidth="1"><BaseURL>{safe}</BaseURL></Representation>'
                "</AdaptationSet></Period></MPD>"
            )
        yield f'<smil><body><audio src="{target.canary}"/></body></smil>'
        yield f"[playlist]\nFile1={target.canary}\nNumberOfEntries=1\n"
        yield f'<asx version="3.0"><entry><ref href="http://127.0.0.1:{target.port}/"/></entry></asx>'
        yield f'FILE "{target.canary}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n'
        yield f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {target.port} RTP/AVP 0\n"
        yield f"amovie={target.canary}\n"

    yield from _named(texts(), (".mpd", *_MEDIA))


def _xml(_samples: Samples, target: Target, _rng: random.Random) -> Iterator[Made]:
    entity = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{target.canary}">]>'
    remote = f'<!DOCTYPE x SYSTEM "http://127.0.0.1:{target.port}/x.dtd">'
    laughs = (
        "<!DOCTYPE x [<!ENTITY a '"
        + "ha" * 50
        + "'>"
        + "".join(f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(9))
    )
    svg = '<svg xmlns="http://www.w3.org/2000/svg">'

    def texts() -> Iterator[str]:
        for doctype in (entity, remote, laughs + "]>"):
            yield f"<?xml version='1.0'?>{doctype}{svg}<text>&e;&j;</text></svg>"
            yield f"<?xml version='1.0'?>{doctype}<MPD xmlns='urn:mpeg:dash:schema:mpd:2011'>&e;&j;</MPD>"
            yield f"{doctype}<tt xmlns='http://www.w3.org/ns/ttml'><body>&e;&j;</body></tt>"
        yield f'{svg}<image href="file://{target.canary}"/><script>alert(1)</script></svg>'

    yield from _named(texts(), (".svg", *_MEDIA))


def _polyglots(samples: Samples, target: Target, _rng: random.Random) -> Iterator[Made]:
    playlist = f"#EXTM3U\n#EXTINF:9,\n{target.canary}\n#EXT-X-ENDLIST\n".encode()
    concat = f"ffconcat version 1.0\nfile '{target.canary}'\n".encode()
    for text in (playlist, concat):
        yield "song.mp3", b"ID3\x04\0\0\0\0\0\0" + text
        yield "song.mp3", b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + text
        yield "song.wav", b"RIFF" + struct.pack("<I", len(text) + 4) + b"WAVE" + text
        yield "song.mp4", box(b"ftyp", b"isom\0\0\0\0isom") + text
        yield "song.mov", box(b"wide", b"") + text
        yield "song.flac", b"fLaC" + text
        yield "song.ogg", b"OggS" + text
        yield "song.mkv", b"\x1aE\xdf\xa3" + text
        yield "song.aiff", b"FORM" + struct.pack(">I", len(text) + 4) + b"AIFF" + text
        yield "song.wav", samples["a.wav"] + text
        yield "song.mp3", text + samples["a.mp3"]
        yield "song.mp4", samples["f.mp4"] + text
        yield "song.wav", b"RIFF\xff\xff\xff\xffWAVELIST" + struct.pack("<I", len(text)) + text + samples["a.wav"][12:]
        yield "song.mp4", text.ljust(4, b" ")[:4] + b"ftyp" + text
    for name, sample in samples.items():
        yield f"song{Path(name).suffix}", sample + b"PK\x05\x06" + bytes(18)
        yield f"song{Path(name).suffix}", b"<html><script>" + sample
    yield "song.flac", b"GIF89a" + samples["a.flac"]
    yield "song.mp3", b"%PDF-1.7\n" + samples["a.mp3"]
    yield "song.mp4", b"\x7fELF" + samples["f.mp4"]


def _truncated(samples: Samples, _target: Target, _rng: random.Random) -> Iterator[Made]:
    for share in (0.5, 0.01, 0.9, 0.1, 0.99, 0.3):
        for name, sample in samples.items():
            yield f"song{Path(name).suffix}", sample[: max(1, int(len(sample) * share))]
    for length in (4, 12, 45, 300):
        for name, sample in samples.items():
            yield f"song{Path(name).suffix}", sample[:length]


def _flipped(samples: Samples, _target: Target, rng: random.Random) -> Iterator[Made]:
    while True:
        for name, sample in samples.items():
            bent = bytearray(sample)
            for _ in range(rng.choice((1, 2, 8, 32, 128))):
                bent[rng.randrange(min(len(bent), rng.choice((64, 1024, 8192))))] ^= 1 << rng.randrange(8)
            # The index of an MP4 stands at its end.
            if rng.random() < 0.5:
                bent[-rng.randrange(1, min(len(bent), 1500))] ^= 1 << rng.randrange(8)
            yield f"song{Path(name).suffix}", bytes(bent)


def _streams(samples: Samples, _target: Target, _rng: random.Random) -> Iterator[Made]:
    track = element(b"\xae", element(b"\xd7", b"\1") + element(b"\x83", b"\2") + element(b"\x86", b"A_PCM/INT/LIT"))
    yield "song.mkv", matroska(track * 1_000_000)
    yield "song.mp4", iso(box(b"trak", b"") * 1_000_000)
    yield "song.wav", samples["a.wav"].replace(struct.pack("<HHI", 1, 2, 44100), struct.pack("<HHI", 1, 65535, 44100))
    page = b"OggS\0\2" + bytes(8) + b"%b" + bytes(8) + b"\1\7\1vorbis"
    yield "song.ogg", b"".join(page.replace(b"%b", struct.pack("<I", n)) for n in range(1_000_000))
    yield "song.mov", iso(box(b"mvhd", bytes(100)) + box(b"udta", box(b"trak", box(b"trak", b"")) * 200_000))
    yield "song.mkv", matroska(element(b"\xae", b"") * 1_000_000)


def _dimensions(samples: Samples, _target: Target, _rng: random.Random) -> Iterator[Made]:
    for codec in (b"V_MPEG4/ISO/AVC", b"V_UNCOMPRESSED", b"V_FFV1", b"V_PRORES", b"V_MJPEG", b"V_AV1", b"V_VP9"):
        for side in (1 << 31, (1 << 31) - 1, 65535, 0):
            size = element(b"\xb0", struct.pack(">Q", side)) + element(b"\xba", struct.pack(">Q", side))
            track = element(b"\xd7", b"\1") + element(b"\x83", b"\1") + element(b"\x86", codec) + element(b"\xe0", size)
            frame = element(
                b"\x1f\x43\xb6\x75", element(b"\xe7", b"\0") + element(b"\xa3", b"\x81\0\0\x80" + bytes(99))
            )
            yield "film.mkv", matroska(element(b"\xae", track), frame * 20)
    for width in (65535, 32768):
        yield "film.mp4", samples["f.mp4"].replace(struct.pack(">HH", 64, 48), struct.pack(">HH", width, width))
        yield "film.mov", samples["f.mov"].replace(struct.pack(">HH", 64, 48), struct.pack(">HH", width, width))
    yield "film.mp4", samples["f.mp4"].replace(struct.pack(">II", 64 << 16, 48 << 16), b"\xff" * 8)
    yield "film.mkv", matroska(png_track(1 << 31, (1 << 31) - 1))
    yield "song.wav", samples["a.wav"].replace(struct.pack("<I", 44100), struct.pack("<I", (1 << 31) - 1))


def _bombs(samples: Samples, _target: Target, _rng: random.Random) -> Iterator[Made]:
    packed = zlib.compress(bytes(1 << 29), 1)
    frame = b"TXXX" + struct.pack(">I", len(packed) + 4) + b"\0\x80" + struct.pack(">I", 1 << 29) + packed
    size = len(frame)
    head = b"ID3\x03\0\0" + bytes((size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127))
    yield "song.mp3", head + frame + samples["a.mp3"]
    comp = element(b"\x6d\x80", element(b"\x62\x40", element(b"\x50\x34", element(b"\x42\x54", b"\0"))))
    sound = element(b"\xd7", b"\1") + element(b"\x83", b"\2") + element(b"\x86", b"A_PCM/INT/LIT") + comp
    block = element(b"\xa3", b"\x81\0\0\x80" + packed)
    yield (
        "song.mka",
        matroska(element(b"\xae", sound), element(b"\x1f\x43\xb6\x75", element(b"\xe7", b"\0") + block * 4)),
    )
    yield "song.wav", lambda path: sparse(path, samples["a.wav"][:36], 1 << 25)
    yield "film.mkv", matroska(png_track(8192, 4320), cluster(png(8192, 4320)) * 50)
    deep = b""
    for _ in range(20_000):
        deep = box(b"moov", deep[-200_000:])
    yield "song.mp4", box(b"ftyp", b"isom\0\0\0\0isom") + deep
    nested = b""
    for _ in range(5_000):
        nested = element(b"\x67\xc8", nested[-60_000:])
    yield "song.mkv", matroska(element(b"\xae", sound), element(b"\x12\x54\xc3\x67", element(b"\x73\x73", nested)))
    yield (
        "song.flac",
        b"fLaC\x80\0\0\x22\x10\0\x10\0" + bytes(6) + b"\x0a\xc4\x42\xff\xff\xff\xff\xff" + bytes(16) + bytes(1 << 20),
    )
    yield "song.mp3", b"\xff\xfb\x90\x64" + bytes(1 << 24)
    yield "song.ogg", b"OggS\0\2" + bytes(20) + b"\xff" * (1 << 20)
    yield "song.mp4", iso(box(b"mvhd", bytes(100)) + box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table())))))
    yield (
        "song.aiff",
        b"FORM\x7f\xff\xff\xffAIFFCOMM\0\0\0\x12\0\2\xff\xff\xff\xff\0\x10\x40\x0e\xac\x44" + bytes(1 << 20),
    )


def _references(samples: Samples, target: Target, _rng: random.Random) -> Iterator[Made]:
    path = str(target.canary)
    alias = (
        bytes(10) + b"\1" + b"V".ljust(27, b"\0") + bytes(12) + b"\x0b" + b"master.flac".ljust(63, b"\0") + bytes(16)
    )
    there = "V" + path.replace("/", ":")
    record = struct.pack(">hhHH", 1, 1, 0, 0) + bytes(12) + struct.pack(">HH", 2, len(there)) + there.encode()
    record += b"\0" * (len(there) & 1) + struct.pack(">hH", -1, 0)
    entries = [box(b"alis", bytes(4) + alias + record + bytes(20))]
    entries += [box(b"url ", bytes(4) + address.encode() + b"\0") for address in target.addresses()[:5]]
    entries += [box(b"urn ", bytes(4) + b"x\0" + path.encode() + b"\0"), box(b"rsrc", bytes(4) + alias + record)]
    for entry in entries:
        for name in ("f.mov", "f.mp4", "a.m4a"):
            dref = box(b"dref", struct.pack(">II", 0, 1) + entry)
            yield f"film{Path(name).suffix}", rebuilt(samples[name], {b"dref": dref})
    rdrf = box(b"rdrf", bytes(4) + b"url " + struct.pack(">I", len(path) + 1) + path.encode() + b"\0")
    yield "film.mov", iso(box(b"rmra", box(b"rmda", rdrf)))
    yield "film.mov", samples["f.mov"] + box(b"moov", box(b"rmra", box(b"rmda", rdrf)))


def _linked(_samples: Samples, target: Target, _rng: random.Random) -> Iterator[Made]:
    name = str(target.canary).encode()
    sound = element(b"\xd7", b"\1") + element(b"\x83", b"\2") + element(b"\x86", b"A_FLAC")
    for attached in (b"../../../../../../tmp/wavecrate-malice", name, b"/etc/cron.d/x", b"%s%n", b"a\0b", b"x" * 65536):
        file = element(b"\x46\x6e", attached) + element(b"\x46\x60", b"application/x-truetype-font")
        file += element(b"\x46\x5c", b"#EXTM3U\n" + name) + element(b"\x46\xae", b"\1")
        attachments = element(b"\x19\x41\xa4\x69", element(b"\x61\xa7", file))
        yield "film.mkv", matroska(element(b"\xae", sound), attachments)
    linked = element(b"\x3c\x83\xab", name) + element(b"\x3e\x83\xbb", name) + element(b"\x3e\xb9\x23", b"\7" * 16)
    yield "film.mkv", matroska(element(b"\xae", sound), b"", linked)
    chapter = element(b"\xb6", element(b"\x73\xc4", b"\1") + element(b"\x6e\x67", b"\7" * 16) + element(b"\x91", b"\0"))
    yield "film.mkv", matroska(element(b"\xae", sound), element(b"\x10\x43\xa7\x70", element(b"\x45\xb9", chapter)))
    text = (
        element(b"\xd7", b"\2")
        + element(b"\x83", b"\x11")
        + element(b"\x86", b"S_TEXT/ASS")
        + element(b"\x63\xa2", name)
    )
    yield "film.mkv", matroska(element(b"\xae", sound) + element(b"\xae", text))


_EVIL_TEXT = (
    "../../../../etc/passwd",
    '=HYPERLINK("http://127.0.0.1/","x")',
    "=cmd|'/c calc'!A0",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "\u202egpj.wav\u2066\u200f",
    "%(kind)s %s %n {0} {{7*7}} ${7*7}",
    "\x1b]0;owned\x07\x1b[2J",
    "a\r\nX-Injected: 1\r\n\r\n#EXTM3U",
    "'; DROP TABLE track; --",
    "x" * 65536,
    "\ufdfa" * 20_000,
    "Z\u0351\u036b" * 5_000,
    "\ud800\udfff".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    "nul\0byte",
)


def _tags(samples: Samples, _target: Target, _rng: random.Random) -> Iterator[Made]:
    def write(name: str, text: str) -> Callable[[Path], object]:
        def made(path: Path) -> None:
            path.write_bytes(samples[name])
            if name == "a.flac":
                file = flac.FLAC(path)
                file["title"], file["artist"], file["date"], file["tracknumber"] = text, text, text, text
                file.save()
            elif name == "a.m4a":
                atoms = mp4.MP4(path)
                atoms["\xa9nam"], atoms["\xa9ART"], atoms["\xa9day"] = [text], [text], [text]
                atoms.save()
            else:
                tag = id3.ID3()
                for frame in (id3.TIT2, id3.TPE1, id3.TALB, id3.TDRC, id3.TRCK, id3.TCON):
                    tag.add(frame(encoding=3, text=[text]))
                tag.add(
                    id3.APIC(
                        encoding=3,
                        mime="image/svg+xml",
                        type=3,
                        desc=text[:999],
                        data=b"<svg onload=x>" + text.encode(),
                    )
                )
                tag.save(path)

        return made

    for text in _EVIL_TEXT:
        for name in ("a.flac", "a.mp3", "a.m4a"):
            yield f"song{Path(name).suffix}", write(name, text)


def _names(samples: Samples, target: Target, _rng: random.Random) -> Iterator[Made]:
    stems = (
        *_EVIL_TEXT, *target.addresses(), "-i", "-y -f null", "|touch x", "$(touch x)", "`id`", "CON", "a/b/c", "..",
        ".", "\\\\host\\share", "C:\\x", "pipe:0", "fd:", "-", "%d", "image%05d", "\udcff\udcfe", "a\nb", "\0",
        "name.m3u8",
    )  # fmt: skip
    for stem in stems:
        yield f"{stem}.wav", samples["a.wav"]
    for stem in stems:
        yield stem, samples["a.wav"]


_CLASSES: dict[str, Callable[[Samples, Target, random.Random], Iterator[Made]]] = {
    "HLS playlists": _hls,
    "concat playlists": _concat,
    "DASH and other playlists": _dash,
    "XML and SVG": _xml,
    "polyglots": _polyglots,
    "truncated": _truncated,
    "flipped bits": _flipped,
    "a million streams": _streams,
    "huge pictures": _dimensions,
    "bombs": _bombs,
    "external references": _references,
    "links and attachments": _linked,
    "tags": _tags,
    "file names": _names,
}


def classes() -> tuple[str, ...]:
    """What kinds of attack there are."""
    return tuple(_CLASSES)
