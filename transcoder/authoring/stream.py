"""A stream as it was served: playlists read, and every segment fetched, opened and measured, but none kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from transcoder.authoring import fragments, reader, webvtt
from transcoder.authoring.fetch import MAX_INIT, Answer, Fetcher, FetchFailed
from transcoder.authoring.playlists import Key, Media, Multivariant, Part, Rendition, Segment, Variant

MAX_PLAYLISTS = 200
_AT_ONCE = 6

OnProgress = Callable[[int, int], None]


@dataclass(slots=True, eq=False)
class Piece:
    """One segment as it came. `size` is what went over the wire; times are seconds of presentation.

    `wrong` says why it could not be opened; then everything below is as it was. `first_sound` is how many bytes of
    the segment a player needs for its first audio frame; `idr` and `pictures` are the times of each.
    """

    announced: Segment
    size: int = 0
    content_type: str = ""
    redirects: int = 0
    container: str = ""
    wrong: str = ""
    start: float = 0.0
    seconds: float = 0.0
    decode_start: int = 0
    decode_end: int = 0
    timescale: int = 0
    longest_sample: float = 0.0
    streams: int = 0
    first_is_idr: bool | None = None
    idr: tuple[float, ...] = ()
    pictures: int = 0
    last_picture_ends: float = 0.0
    first_sound: int = 0
    has_moof: bool = False
    vtt: webvtt.Text | None = None

    @property
    def good(self) -> bool:
        """Whether it was opened as fMP4."""
        return self.container == "fmp4" and not self.wrong


@dataclass(eq=False)
class Line:
    """A media playlist with all that it leads to. `role` is video, audio, subtitles, iframes or unknown."""

    name: str
    role: str
    answer: Answer
    playlist: Media
    tracks: tuple[fragments.Track, ...] = ()
    init: Answer | None = None
    pieces: list[Piece] = field(default_factory=list)
    refused_key: str = ""
    whole: bool = True

    @cached_property
    def track(self) -> fragments.Track | None:
        """The track that the line is about: its picture, else its sound."""
        for handler in ("vide", "soun"):
            for track in self.tracks:
                if track.handler == handler:
                    return track
        return None

    @property
    def opened(self) -> list[Piece]:
        """The segments that could be opened as fMP4, in order."""
        return [piece for piece in self.pieces if piece.good]

    @property
    def announced_seconds(self) -> float:
        """The sum of EXTINF."""
        return sum(segment.seconds for segment in self.playlist.segments)

    @property
    def frame(self) -> float:
        """Seconds of the longest sample of any segment: one picture, or one audio frame."""
        return max((piece.longest_sample for piece in self.opened), default=0.0)

    def rates(self) -> tuple[float, float]:
        """Peak and average bit/s as measured.

        The peak is the largest rate of any run of segments that lasts 0.5 to 1.5 target durations (the "peak
        segment bit rate" of RFC 4.4.6.2); where no run does, the average.
        """
        sizes = [(piece.size * 8, piece.announced.seconds) for piece in self.pieces]
        seconds = sum(each[1] for each in sizes)
        if not seconds:
            return 0.0, 0.0
        average = sum(each[0] for each in sizes) / seconds
        low, high, peak = 0.5 * self.playlist.target, 1.5 * self.playlist.target, 0.0
        for first in range(len(sizes)):
            bits, span = 0, 0.0
            for size, length in sizes[first:]:
                bits, span = bits + size, span + length
                if span > high:
                    break
                if span >= low and span > 0:
                    peak = max(peak, bits / span)
        return peak or average, average


@dataclass
class Stream:
    """All of it. `multivariant` is None where the URL named a media playlist; `lines` are by URL."""

    url: str
    answer: Answer
    multivariant: Multivariant | None
    lines: dict[str, Line]
    failures: list[str] = field(default_factory=list)

    def role(self, *roles: str) -> list[Line]:
        """The lines of these roles."""
        return [line for line in self.lines.values() if line.role in roles]

    @property
    def played(self) -> list[Line]:
        """Pictures and sound, trick play apart."""
        return self.role("video", "audio")

    @property
    def variants(self) -> list[Variant]:
        """The regular variants."""
        return self.multivariant.variants if self.multivariant else []

    @property
    def renditions(self) -> list[Rendition]:
        """Every EXT-X-MEDIA."""
        return self.multivariant.renditions if self.multivariant else []

    @property
    def vod(self) -> bool:
        """Whether all of it is there and none will be added."""
        return bool(self.lines) and all(line.playlist.ended for line in self.lines.values())

    def with_sound(self, variant: Variant) -> list[tuple[Line, ...]]:
        """Every combination that a player may play of a variant: its own line, with each of its sounds."""
        own = self.lines.get(variant.url)
        sounds = [
            self.lines[each.url]
            for each in (self.multivariant.group("AUDIO", variant.attributes.get("AUDIO")) if self.multivariant else [])
            if each.url in self.lines and each.url != variant.url
        ]
        if own is None:
            return []
        if own.role == "audio":  # a variant of sound alone: another language is played instead of it, not beside it
            return [(own,), *((sound,) for sound in sounds)]
        return [(own, sound) for sound in sounds] or [(own,)]


def load(url: str, fetcher: Fetcher, *, segments: int | None = None, on_progress: OnProgress | None = None) -> Stream:
    """Fetch a stream and everything in it, or the first `segments` of each playlist.

    Raises FetchFailed where the playlist at `url` itself does not come; what else fails is in `failures` and in the
    pieces.
    """
    answer = fetcher.playlist(url)
    top = reader.parse(answer.body, answer.url)
    if isinstance(top, Media):
        stream = Stream(url, answer, None, {answer.url: Line(_short(url), "unknown", answer, top)})
    else:
        stream = Stream(url, answer, top, {})
        for each, role in _named(top):
            if len(stream.lines) >= MAX_PLAYLISTS:
                stream.failures.append(f"more than {MAX_PLAYLISTS} playlists; the rest is not read")
                break
            _line(stream, fetcher, each, role)
    loader = _Loader(fetcher)
    wanted = [(line, line.playlist.segments[:segments]) for line in stream.lines.values()]
    total, done = sum(len(each) for _, each in wanted), 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for line, announced in wanted:
            line.whole = len(announced) == len(line.playlist.segments)
            opener = loader.prepare(line, announced)
            for piece in pool.map(opener, announced):
                line.pieces.append(piece)
                done += 1
                if on_progress:
                    on_progress(done, total)
            if line.role == "unknown":
                line.role = _role(line)
    return stream


def _named(top: Multivariant) -> Iterable[tuple[str, str]]:
    """Each playlist once, with what it is: a variant is video, unless its codecs are all sound."""
    seen = set()
    for variant in top.variants:
        picture = variant.resolution or any(is_picture(codec) for codec in variant.codecs)
        if variant.url not in seen:
            seen.add(variant.url)
            yield variant.url, "video" if picture else ("audio" if variant.codecs else "unknown")
    for rendition in top.renditions:
        role = {"AUDIO": "audio", "VIDEO": "video", "SUBTITLES": "subtitles"}.get(rendition.type)
        if rendition.url and role and rendition.url not in seen:
            seen.add(rendition.url)
            yield rendition.url, role
    for variant in top.iframes:
        if variant.url not in seen:
            seen.add(variant.url)
            yield variant.url, "iframes"


def is_picture(codec: str) -> bool:
    """Whether an entry of CODECS is a picture's."""
    return codec[:4] in ("avc1", "avc3", "hvc1", "hev1", "dvh1", "dvhe", "av01", "mjpg", "vp09", "vp08")


def _line(stream: Stream, fetcher: Fetcher, url: str, role: str) -> None:
    try:
        answer = fetcher.playlist(url)
    except FetchFailed as error:
        stream.failures.append(str(error))
        return
    playlist = reader.parse(answer.body, answer.url)
    if isinstance(playlist, Multivariant):
        stream.failures.append(f"{url} is a multivariant playlist where a media playlist should be")
        return
    stream.lines[url] = Line(_short(url), role, answer, playlist)


def _short(url: str) -> str:
    return "/".join(url.partition("?")[0].rsplit("/", 2)[1:])


def _role(line: Line) -> str:
    if line.playlist.iframes_only:
        return "iframes"
    if any(piece.vtt for piece in line.pieces):
        return "subtitles"
    return {"vide": "video", "soun": "audio"}.get(line.track.handler if line.track else "", "video")


class _Loader:
    """Fetches segments, with the keys and init sections they need, each of those once."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._keys: dict[str, bytes | str] = {}
        self._inits: dict[Part, tuple[fragments.Track, ...] | str] = {}
        self._init_answers: dict[Part, Answer] = {}

    def prepare(self, line: Line, announced: list[Segment]) -> Callable[[Segment], Piece]:
        """What opens a segment of the line; its keys and init sections are fetched now, one after the other."""
        for segment in announced:
            if segment.key and segment.key.method == "AES-128" and (why := self._key(segment.key)):
                line.refused_key = line.refused_key or why
            if segment.map:
                self._init(line, segment.map, segment.map_key)
        return lambda segment: self._open(line, segment)

    def _key(self, key: Key) -> str:
        """Fetch a key; why it isn't there, or nothing."""
        if key.url not in self._keys:
            try:
                self._keys[key.url] = self._fetcher.key(key.url)
            except FetchFailed as error:
                self._keys[key.url] = str(error)
        found = self._keys[key.url]
        return found if isinstance(found, str) else ""

    def _init(self, line: Line, part: Part, key: Key | None) -> None:
        if part not in self._inits:
            try:
                answer = self._fetcher.media(part.url, part.byterange, most=MAX_INIT)
                self._init_answers[part] = answer
                self._inits[part] = fragments.read_init(self._decrypted(answer.body, key, 0))
            except (FetchFailed, fragments.BadFragment, ValueError) as error:
                self._inits[part] = f"init section {_short(part.url)}: {error}"
        found = self._inits[part]
        if isinstance(found, tuple) and not line.tracks:
            line.tracks, line.init = found, self._init_answers[part]

    def _decrypted(self, data: bytes, key: Key | None, sequence: int) -> bytes:
        if key is None or key.method != "AES-128":
            return data
        secret = self._keys.get(key.url)
        if not isinstance(secret, bytes):
            raise FetchFailed(secret or "its key was not fetched")
        if not data or len(data) % 16:
            raise FetchFailed("its length is not a multiple of 16, as AES-128-CBC leaves it")
        decryptor = Cipher(algorithms.AES(secret), modes.CBC(key.iv or sequence.to_bytes(16, "big"))).decryptor()
        unpadder = PKCS7(128).unpadder()
        try:
            return unpadder.update(decryptor.update(data) + decryptor.finalize()) + unpadder.finalize()
        except ValueError:
            raise FetchFailed("it does not decrypt to PKCS#7 padding: another key or another IV sealed it") from None

    def _open(self, line: Line, segment: Segment) -> Piece:
        piece = Piece(segment)
        try:
            answer = self._fetcher.media(segment.part.url, segment.part.byterange)
            piece.size, piece.content_type, piece.redirects = len(answer.body), answer.content_type, answer.redirects
            self._look(line, piece, self._decrypted(answer.body, segment.key, segment.sequence))
        except (FetchFailed, fragments.BadFragment) as error:
            piece.wrong = str(error)
        return piece

    def _look(self, line: Line, piece: Piece, data: bytes) -> None:
        segment = piece.announced
        if data[:1] == b"\x47":
            piece.container = "ts"
        elif data[4:8] in (b"moof", b"styp", b"sidx", b"emsg", b"prft", b"ftyp", b"mdat"):
            piece.container = "fmp4"
            tracks = self._inits.get(segment.map) if segment.map else "there is no EXT-X-MAP"
            if isinstance(tracks, tuple):
                _measure(piece, data, tracks)
            else:
                piece.wrong = tracks or "its init section was not fetched"
        elif webvtt.looks_so(data):
            piece.container, piece.vtt = "webvtt", webvtt.read(data)
        elif data[:3] == b"ID3" or data[:2] in (b"\xff\xf1", b"\xff\xf9", b"\xff\xfb"):
            piece.container = "packed audio"
        else:
            piece.container = "unknown"


def _measure(piece: Piece, data: bytes, tracks: tuple[fragments.Track, ...]) -> None:
    samples = fragments.read_segment(data, tracks)
    piece.streams = sum(1 for each in samples.values() if each)
    piece.has_moof = bool(piece.streams)
    sound = [each for track in tracks if track.handler == "soun" for each in samples[track.id][:1]]
    if sound:
        sealed = piece.announced.key is not None and piece.announced.key.method == "AES-128"
        piece.first_sound = max(each.offset + each.size for each in sound)
        if sealed:  # a block is 16 bytes, and only whole ones decrypt
            piece.first_sound = min(piece.size, -(-piece.first_sound // 16) * 16)
    main = next((track for handler in ("vide", "soun") for track in tracks if track.handler == handler), None)
    if main is None or not samples[main.id]:
        if main is None:
            return
        raise fragments.BadFragment("it holds no sample")
    own = samples[main.id]
    piece.timescale = main.timescale
    piece.decode_start, piece.decode_end = own[0].decode, own[-1].decode + own[-1].duration
    piece.start = (min(each.shown for each in own) - main.shift) / main.timescale
    piece.seconds = sum(each.duration for each in own) / main.timescale
    if main.handler == "soun" and main.shift > 0 > piece.start:  # the encoder's priming, which nobody hears
        piece.start, piece.seconds = 0.0, max(0.0, piece.seconds + piece.start)
    piece.longest_sample = max(each.duration for each in own) / main.timescale
    if main.handler == "vide":
        known = [(each, fragments.holds_idr(data, each, main)) for each in own]
        piece.first_is_idr = known[0][1]
        piece.idr = tuple((each.shown - main.shift) / main.timescale for each, idr in known if idr)
        piece.pictures = len(own)
        piece.last_picture_ends = max(each.shown + each.duration - main.shift for each in own) / main.timescale
