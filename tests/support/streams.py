"""HLS streams made byte by byte, so that each can be broken in exactly one way, and a server that sends them.

The pictures are empty NAL units of the right types and the sound is zeros: nothing here can be decoded, and whoever
only measures cannot tell.
"""

from __future__ import annotations

import gzip
import itertools
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

PLAYLIST = "application/vnd.apple.mpegurl"
VTT_MAP = "X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000"


def box(kind: bytes, *payload: bytes) -> bytes:
    """A box of ISO/IEC 14496-12."""
    body = b"".join(payload)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind: bytes, *payload: bytes, version: int = 0, flags: int = 0) -> bytes:
    """A box with version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *payload)


@dataclass
class Rung:
    """A rendition to be made. `rate` in bit/s, `segment` and `idr` in seconds, `late` shifts its times by seconds.

    `boost` makes segments (by index) so many times larger; `raw` replaces what is in each; `gap` adds ticks to the
    decode time of segments; `not_idr` are segments that begin with another picture.
    """

    name: str
    kind: str
    rate: int
    width: int = 0
    height: int = 0
    fps: int = 24
    entry: bytes = b"avc1"
    profile: int = 100
    level: int = 31
    object_type: int = 2
    channels: int = 2
    sounds: int = 1
    muxed: bool = False
    ludt: bool = True
    segment: float = 6.0
    idr: float = 2.0
    late: float = 0.0
    first_sample: int = 0
    seconds: float | None = None
    boost: dict[int, float] = field(default_factory=dict)
    gap: dict[int, int] = field(default_factory=dict)
    not_idr: set[int] = field(default_factory=set)
    raw: bytes | None = None
    sealed: bool = True
    pictures_each: int = 1

    @property
    def timescale(self) -> int:
        return 48000 if self.kind == "audio" else self.fps * 1000

    @property
    def ticks(self) -> int:
        """A sample's duration."""
        return 1024 if self.kind == "audio" else 1000

    @property
    def codec(self) -> str:
        if self.entry in (b"avc1", b"avc3"):
            return f"{self.entry.decode()}.{self.profile:02x}00{self.level:02x}"
        if self.entry == b"mp4a":
            return f"mp4a.40.{self.object_type}"
        return {b"hvc1": "hvc1.1.6.L93.B0"}.get(self.entry, self.entry.decode())


def video(name: str, rate: int, width: int, height: int, **options: object) -> Rung:
    return Rung(name, "video", rate, width, height, **options)  # type: ignore[arg-type]


def audio(name: str, rate: int, *, entry: bytes = b"mp4a", **options: object) -> Rung:
    return Rung(name, "audio", rate, entry=entry, **options)  # type: ignore[arg-type]


@dataclass
class Stream:
    """What is to be served: rungs become files once `make` is called; then single files can be broken."""

    seconds: float = 15.0
    target: int = 6
    keys_every: int = 10
    rungs: list[Rung] = field(
        default_factory=lambda: [
            video("v720", 560_000, 1280, 720),
            video("v720-low", 280_000, 1280, 720),
            video("v360", 110_000, 640, 360, level=30),
            audio("a64", 40_000),
            Rung("v720-iframes", "iframes", 60_000, 1280, 720),
            Rung("v360-iframes", "iframes", 20_000, 640, 360, level=30),
            Rung("subs-1", "subtitles", 0),
        ]
    )
    files: dict[str, bytes] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    redirects: set[str] = field(default_factory=set)
    gzip: bool = True

    def rung(self, name: str) -> Rung:
        return next(rung for rung in self.rungs if rung.name == name)

    def of(self, kind: str) -> list[Rung]:
        return [rung for rung in self.rungs if rung.kind == kind]

    def drop(self, *names: str) -> None:
        self.rungs = [rung for rung in self.rungs if rung.name not in names]

    def make(self) -> Stream:
        """Write every file."""
        measured = {}
        for rung in self.rungs:
            measured[rung.name] = self._subtitles(rung) if rung.kind == "subtitles" else self._rung(rung)
        self._put("multivariant.m3u8", self._multivariant(measured).encode(), PLAYLIST)
        return self

    def edit(self, path: str, old: str, new: str, count: int = -1) -> None:
        """Replace text in a file; it must be there."""
        text = self.files[path].decode()
        assert old in text, f"{old!r} is not in {path}"
        self.files[path] = text.replace(old, new, count).encode()

    def playlists(self) -> list[str]:
        return [path for path in self.files if path.endswith("index.m3u8")]

    def _put(self, path: str, data: bytes, content_type: str) -> None:
        self.files[path], self.types[path] = data, content_type

    def _multivariant(self, measured: dict[str, tuple[int, int]]) -> str:
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
        subs, sounds = self.of("subtitles"), self.of("audio")
        films = self.of("video")
        for rung in sounds if films else []:
            lines.append(
                f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="{rung.name}",LANGUAGE="en",DEFAULT=YES,'
                f'AUTOSELECT=YES,CHANNELS="{rung.channels}",URI="{rung.name}/index.m3u8"'
            )
        lines += [
            f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="words",NAME="English",LANGUAGE="en",AUTOSELECT=YES,'
            f'URI="{rung.name}/index.m3u8"'
            for rung in subs
        ]
        sound = [max((measured[rung.name][n] for rung in sounds), default=0) for n in (0, 1)] if films else [0, 0]
        for rung in films or sounds:
            peak, average = measured[rung.name][0] + sound[0], measured[rung.name][1] + sound[1]
            codecs = [rung.codec, *dict.fromkeys(each.codec for each in sounds if films), *(["wvtt"] if subs else [])]
            line = f'#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS="{",".join(codecs)}"'
            if films:
                line += f',RESOLUTION={rung.width}x{rung.height},FRAME-RATE={rung.fps:.3f},PATHWAY-ID="."'
                line += ',AUDIO="sound"' if sounds else ""
                line += ',SUBTITLES="words"' if subs else ""
                line += ",HDCP-LEVEL=TYPE-0" if rung.height >= 720 else ""
            lines += [line, f"{rung.name}/index.m3u8"]
        for rung in self.of("iframes"):
            lines.append(
                f"#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={measured[rung.name][0]},"
                f"AVERAGE-BANDWIDTH={measured[rung.name][1]},"
                f'CODECS="{rung.codec}",RESOLUTION={rung.width}x{rung.height},URI="{rung.name}/index.m3u8"'
            )
        return "\n".join(lines) + "\n"

    def _rung(self, rung: Rung) -> tuple[int, int]:
        content_type = "audio/mp4" if rung.kind == "audio" else "video/mp4"
        self._put(f"{rung.name}/init.mp4", init(rung), content_type)
        names, sizes, seconds, at = [], [], [], 0
        for number, count in enumerate(_counts(rung, rung.seconds or self.seconds)):
            clear = segment(rung, number, at, count) if rung.raw is None else rung.raw
            name = f"{number + 1:05}.m4s"
            data = self._sealed(clear, number + 1) if rung.sealed else clear
            self._put(f"{rung.name}/{name}", data, "video/iso.segment")
            names.append(name)
            sizes.append(len(data))
            seconds.append(count * rung.ticks / rung.timescale)
            at += count
        if rung.kind == "iframes":  # each picture lasts until the next
            spread = (rung.seconds or self.seconds) / len(names)
            seconds = [spread] * len(names)
        head = ["#EXT-X-I-FRAMES-ONLY"] if rung.kind == "iframes" else []
        self._playlist(rung, names, seconds, [*head, '#EXT-X-MAP:URI="init.mp4"'])
        return _rates(sizes, seconds, self.target)

    def _subtitles(self, rung: Rung) -> tuple[int, int]:
        names, seconds, at = [], [], 0.0
        end = rung.seconds or self.seconds
        while at < end - 1e-9:
            length = min(rung.segment, end - at)
            name = f"{len(names) + 1:05}.vtt"
            cue = f"00:00:{at:06.3f} --> 00:00:{at + length:06.3f}\nHush\n" if at < 60 else ""
            data = rung.raw if rung.raw is not None else f"WEBVTT\n{VTT_MAP}\n\n{cue}".encode()
            self._put(f"{rung.name}/{name}", self._sealed(data, len(names) + 1), "text/vtt")
            names.append(name)
            seconds.append(length)
            at += length
        self._playlist(rung, names, seconds, [])
        return 0, 0

    def _playlist(self, rung: Rung, names: list[str], seconds: list[float], head: list[str]) -> None:
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:7",
            f"#EXT-X-TARGETDURATION:{self.target}",
            "#EXT-X-MEDIA-SEQUENCE:1",
            "#EXT-X-PLAYLIST-TYPE:VOD",
            *head,
        ]
        for number, (name, length) in enumerate(zip(names, seconds, strict=True)):
            if rung.sealed and number % self.keys_every == 0:
                key = f"key/{number // self.keys_every}.key"
                self._put(key, _key(number // self.keys_every), "application/octet-stream")
                lines.append(f'#EXT-X-KEY:METHOD=AES-128,URI="../{key}"')
            lines += [f"#EXTINF:{length:.6f},", name]
        text = "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"
        self._put(f"{rung.name}/index.m3u8", text.encode(), PLAYLIST)

    def _sealed(self, clear: bytes, sequence: int) -> bytes:
        return seal(clear, _key((sequence - 1) // self.keys_every), sequence)


def seal(clear: bytes, key: bytes, sequence: int) -> bytes:
    """AES-128-CBC with PKCS#7."""
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(sequence.to_bytes(16, "big"))).encryptor()
    return encryptor.update(padder.update(clear) + padder.finalize()) + encryptor.finalize()


def _key(number: int) -> bytes:
    return bytes([number + 1]) * 16


def _counts(rung: Rung, seconds: float) -> Iterator[int]:
    """Samples of each segment."""
    if rung.kind == "iframes":
        for _ in range(round(seconds / min(rung.idr, 1.0) if rung.idr < 2 else seconds)):
            yield rung.pictures_each
        return
    total, done, number = round(seconds * rung.timescale / rung.ticks), 0, 1
    while done < total:
        end = min(total, round(number * rung.segment * rung.timescale / rung.ticks))
        yield end - done
        done, number = end, number + 1


def _rates(sizes: list[int], seconds: list[float], target: int) -> tuple[int, int]:
    average = 8 * sum(sizes) / sum(seconds)
    peak = average
    for first, last in itertools.combinations(range(len(sizes) + 1), 2):
        span = sum(seconds[first:last])
        if 0.5 * target <= span <= 1.5 * target:
            peak = max(peak, 8 * sum(sizes[first:last]) / span)
    return round(peak), round(average)


def init(rung: Rung) -> bytes:
    """An init section."""
    traks, trexes = [_trak(rung, 1)], [full(b"trex", struct.pack(">5I", 1, 1, rung.ticks, 0, 0))]
    extra = rung.sounds - 1 if rung.kind == "audio" else int(rung.muxed)
    for n in range(extra):
        traks.append(_trak(audio("extra", 0), 2 + n))
        trexes.append(full(b"trex", struct.pack(">5I", 2 + n, 1, 1024, 0, 0)))
    mvhd = full(b"mvhd", struct.pack(">4I", 0, 0, 1000, 0), bytes(80))
    return box(b"ftyp", b"iso6", bytes(4)) + box(b"moov", mvhd, *traks, box(b"mvex", *trexes))


def _trak(rung: Rung, number: int) -> bytes:
    tkhd = full(b"tkhd", struct.pack(">5I", 0, 0, number, 0, 0), bytes(60))
    mdhd = full(b"mdhd", struct.pack(">4I", 0, 0, rung.timescale, 0), bytes(4))
    handler = b"soun" if rung.kind == "audio" else b"vide"
    stsd = full(b"stsd", struct.pack(">I", 1), _entry(rung))
    minf = box(b"minf", box(b"stbl", stsd))
    mdia = box(b"mdia", mdhd, full(b"hdlr", bytes(4), handler, bytes(13)), minf)
    return box(b"trak", tkhd, mdia, box(b"udta", box(b"ludt")) if rung.ludt else b"")


def _entry(rung: Rung) -> bytes:
    if rung.kind == "audio":
        sound = bytes(16) + struct.pack(">HHI", rung.channels, 16, 0) + struct.pack(">I", 48000 << 16)
        if rung.entry != b"mp4a":
            return box(rung.entry, sound)
        specific = b"\x05\x02" + bytes([rung.object_type << 3, 0])
        config = b"\x04" + bytes([13 + len(specific)]) + b"\x40" + bytes(12) + specific
        return box(b"mp4a", sound, full(b"esds", b"\x03" + bytes([3 + len(config)]) + bytes(3) + config))
    picture = bytes(24) + struct.pack(">HH", rung.width, rung.height) + bytes(50)
    if rung.entry in (b"avc1", b"avc3"):
        return box(rung.entry, picture, box(b"avcC", bytes([1, rung.profile, 0, rung.level, 0xFF, 0xE0, 0])))
    if rung.entry == b"hvc1":
        return box(rung.entry, picture, box(b"hvcC", bytes(21) + b"\x03" + bytes(1)))
    return box(rung.entry, picture)


def segment(rung: Rung, number: int, first: int, count: int) -> bytes:
    """A segment of so many samples, the first being number `first` of the rung."""
    every = max(1, round(rung.idr * rung.timescale / rung.ticks))
    size = max(24, round(rung.rate / 8 * rung.ticks / rung.timescale * rung.boost.get(number, 1.0)))
    if rung.kind == "iframes":
        size = max(24, rung.rate // 8)
    sizes, flags, data = [], [], bytearray()
    for n in range(count):
        sync = rung.kind != "video" or ((first + n) % every == 0 and not (n == 0 and number in rung.not_idr))
        length = rung.first_sample if rung.first_sample and not n and not number else size
        idr, other = (19 << 1, 1 << 1) if rung.entry == b"hvc1" else (0x65, 0x41)
        data += struct.pack(">IB", length - 4, idr if sync else other) + bytes(length - 5)
        sizes.append(length)
        flags.append(0 if sync else 0x10000)
    spread = rung.timescale if rung.kind == "iframes" else rung.ticks
    decode = first * spread + round(rung.late * rung.timescale) + rung.gap.get(number, 0)

    def moof(offset: int) -> bytes:
        samples = b"".join(struct.pack(">III", spread, s, f) for s, f in zip(sizes, flags, strict=True))
        trun = full(b"trun", struct.pack(">Ii", count, offset), samples, flags=0x1 | 0x100 | 0x200 | 0x400)
        tfdt = full(b"tfdt", struct.pack(">Q", decode), version=1)
        traf = box(b"traf", full(b"tfhd", struct.pack(">I", 1), flags=0x20000), tfdt, trun)
        return box(b"moof", full(b"mfhd", struct.pack(">I", number + 1)), traf)

    return moof(len(moof(0)) + 8) + box(b"mdat", bytes(data))


Sites = dict[str, Stream]


@contextmanager
def serving() -> Iterator[tuple[str, Callable[[Stream], str]]]:
    """A server on loopback; the function takes a stream in and says where its multivariant playlist is."""
    sites: Sites = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            _, site, path = self.path.split("/", 2)
            stream = sites[site]
            data = stream.files.get(path.removeprefix("moved/"))
            if path in stream.redirects:
                self._answer(302, b"", [("Location", f"/{site}/moved/{path}")])
            elif data is None:
                self._answer(404, b"", [])
            else:
                headers = [("Content-Type", stream.types[path.removeprefix("moved/")])]
                if path.endswith(".m3u8") and stream.gzip and "gzip" in self.headers.get("Accept-Encoding", ""):
                    data = gzip.compress(data)
                    headers.append(("Content-Encoding", "gzip"))
                self._answer(200, data, headers)

        def _answer(self, status: int, data: bytes, headers: list[tuple[str, str]]) -> None:
            self.send_response(status)
            for name, value in [*headers, ("Content-Length", str(len(data)))]:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    numbers = itertools.count(1)

    def serve(stream: Stream) -> str:
        name = f"s{next(numbers)}"
        sites[name] = stream
        return f"{base}/{name}/multivariant.m3u8"

    try:
        yield base, serve
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
