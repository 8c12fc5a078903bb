"""What the authoring lint reads is a stranger's: playlists of every malformation, broken boxes, endless answers."""

from __future__ import annotations

import gzip
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.streams import audio, init, segment, video

from transcoder.authoring import fragments, reader, webvtt
from transcoder.authoring.fetch import Fetcher, FetchFailed
from transcoder.authoring.playlists import Media, Multivariant

MEDIA = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:1
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MAP:URI="init.mp4"
#EXT-X-KEY:METHOD=AES-128,URI="../key/0.key"
#EXTINF:6.0,
00001.m4s
#EXT-X-KEY:METHOD=AES-128,URI="../key/1.key"
#EXTINF:3.5,a title
00002.m4s
#EXT-X-ENDLIST
"""
TOP = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,URI="a/index.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,AUDIO="a"
v/index.m3u8
"""
URL = "https://media.example/streams/x/"


def test_a_media_playlist_is_read() -> None:
    playlist = reader.parse(MEDIA.encode(), URL + "v/index.m3u8")
    assert isinstance(playlist, Media)
    assert playlist.problems == []
    first, second = playlist.segments
    assert (first.sequence, first.seconds, first.part.url) == (1, 6.0, URL + "v/00001.m4s")
    assert first.key.url == URL + "key/0.key"
    assert second.key.url == URL + "key/1.key"
    assert first.map.url == URL + "v/init.mp4"
    assert first.map_key is None, "the init section stands before the key"
    assert (playlist.type, playlist.ended, playlist.needs_version) == ("VOD", True, (6, "EXT-X-MAP"))


def test_a_multivariant_playlist_is_read() -> None:
    playlist = reader.parse(TOP.encode(), URL + "multivariant.m3u8")
    assert isinstance(playlist, Multivariant)
    assert playlist.problems == []
    [variant] = playlist.variants
    assert (variant.bandwidth, variant.codecs, variant.resolution) == (1000, ("avc1.64001f", "mp4a.40.2"), (640, 360))
    assert [each.url for each in playlist.group("AUDIO", "a")] == [URL + "a/index.m3u8"]


def test_byte_ranges_run_on() -> None:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", "#EXT-X-VERSION:4"]
    for offset in ("@100", "", "@0"):
        lines += ["#EXTINF:2,", f"#EXT-X-BYTERANGE:50{offset}", "all.ts"]
    playlist = reader.parse("\n".join(lines).encode(), URL)
    assert [each.part.byterange for each in playlist.segments] == [(100, 50), (150, 50), (0, 50)]
    assert playlist.problems == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("#EXTM3U\n", "", "is not #EXTM3U"),
        ("#EXTM3U", "\ufeff#EXTM3U", "byte order mark"),
        ("#EXTM3U", "#EXTM3U\n#\x07", "control characters"),
        ("#EXT-X-VERSION:7", "#EXT-X-VERSION:seven", "EXT-X-VERSION has no valid value"),
        ("#EXT-X-VERSION:7", "#EXT-X-VERSION:7\n#EXT-X-VERSION:7", "more than once"),
        ("#EXT-X-TARGETDURATION:6\n", "", "EXT-X-TARGETDURATION is missing"),
        ("#EXT-X-TARGETDURATION:6", "#EXT-X-TARGETDURATION:6.0", "EXT-X-TARGETDURATION has no valid value"),
        ("#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-PLAYLIST-TYPE:LIVE", "EXT-X-PLAYLIST-TYPE has no valid value"),
        ("#EXT-X-ENDLIST", "#EXT-X-MEDIA-SEQUENCE:9", "stands after the first segment"),
        ("#EXTINF:6.0,\n", "", "without EXTINF"),
        ("#EXTINF:6.0,", "#EXTINF:6.0", "EXTINF has no valid value"),
        ("#EXTINF:6.0,", "#EXTINF:-6.0,", "EXTINF has no valid value"),
        ("00002.m4s\n", "", "not followed by its URI"),
        ('METHOD=AES-128,URI="../key/0.key"', "METHOD=AES-128", "lacks URI"),
        ('METHOD=AES-128,URI="../key/0.key"', 'METHOD=NONE,URI="k"', "has other attributes"),
        ('METHOD=AES-128,URI="../key/0.key"', 'METHOD="AES-128",URI="k"', "not of its type"),
        ('METHOD=AES-128,URI="../key/0.key"', 'METHOD=AES-128, URI="k"', "no attribute list"),
        ('METHOD=AES-128,URI="../key/0.key"', 'METHOD=AES-128,METHOD=AES-128,URI="k"', "twice"),
        ('METHOD=AES-128,URI="../key/0.key"', 'METHOD=AES-128,URI="k",', "ends in a comma"),
        ('METHOD=AES-128,URI="../key/0.key"', f'METHOD=AES-128,URI="k",IV=0x{"f" * 33}', "longer than 128 bits"),
        ("#EXTINF:3.5", '#EXT-X-MAP:URI="again.mp4"\n#EXTINF:3.5', "has no IV"),
        ('#EXT-X-MAP:URI="init.mp4"', '#EXT-X-MAP:URI="init.mp4",BYTERANGE="10"', "not length@offset"),
        ("#EXTINF:6.0,", "#EXT-X-BYTERANGE:10\n#EXTINF:6.0,", "follows no other part"),
    ],
)
def test_malformed_media_playlists(old: str, new: str, said: str) -> None:
    assert old in MEDIA
    playlist = reader.parse(MEDIA.replace(old, new, 1).encode(), URL)
    assert any(said in each.text for each in playlist.problems), playlist.problems


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("v/index.m3u8\n", "", "not followed by its URI"),
        ("v/index.m3u8\n", '#EXT-X-SESSION-DATA:DATA-ID="x",VALUE="y"\nv/index.m3u8\n', "not followed by its URI"),
        ("#EXT-X-STREAM-INF:", "#EXT-X-TARGETDURATION:6\n#EXT-X-STREAM-INF:", "mixes EXT-X-TARGETDURATION"),
        ("BANDWIDTH=1000,", "", "lacks BANDWIDTH"),
        ("BANDWIDTH=1000,", "BANDWIDTH=1e3,", "not of its type"),
        ("RESOLUTION=640x360", "RESOLUTION=640X360", "not of its type"),
        ('CODECS="avc1.64001f,mp4a.40.2"', "CODECS=avc1.64001f", "not of its type"),
        ("TYPE=AUDIO,", "TYPE=SOUND,", "not of its type"),
        ('NAME="English",', "", "lacks NAME"),
        ("AUTOSELECT=YES", "AUTOSELECT=NO", "DEFAULT=YES with AUTOSELECT=NO"),
        ("AUTOSELECT=YES", "AUTOSELECT=YES,FORCED=YES", "FORCED of what is no subtitle"),
        ("v/index.m3u8", "v/index.m3u8\nw/index.m3u8", "no EXT-X-STREAM-INF speaks of"),
        ("v/index.m3u8", "http://[v/index.m3u8", "no URI"),
    ],
)
def test_malformed_multivariant_playlists(old: str, new: str, said: str) -> None:
    assert old in TOP
    playlist = reader.parse(TOP.replace(old, new, 1).encode(), URL)
    assert any(said in each.text for each in playlist.problems), playlist.problems


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("#EXTINF:6,", 1),
        ("#EXTINF:6.0,", 3),
        ('#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x1\n#EXTINF:6,', 2),
        ("#EXT-X-BYTERANGE:1@0\n#EXTINF:6,", 4),
        ("#EXT-X-I-FRAMES-ONLY\n#EXTINF:6,", 4),
        ('#EXT-X-I-FRAMES-ONLY\n#EXT-X-MAP:URI="i"\n#EXTINF:6,', 5),
        ('#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://k",KEYFORMAT="com.apple.streamingkeydelivery"\n#EXTINF:6,', 5),
        ('#EXT-X-MAP:URI="i"\n#EXTINF:6,', 6),
        ('#EXT-X-DEFINE:NAME="a",VALUE="b"\n#EXTINF:6,', 8),
        ("#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n#EXTINF:6,", 9),
        ('#EXT-X-DEFINE:QUERYPARAM="a"\n#EXTINF:6,', 11),
    ],
)
def test_the_version_that_a_playlist_needs(line: str, version: int) -> None:
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:6\n{line}\na.ts\n#EXT-X-ENDLIST\n"
    assert reader.parse(text.encode(), URL).needs_version[0] == version


@given(st.binary(max_size=400))
@example(MEDIA.encode())
@example(TOP.encode())
@settings(max_examples=300, deadline=None)
def test_a_playlist_of_any_bytes_is_read_to_its_end(data: bytes) -> None:
    for text in (data, b"#EXTM3U\n" + data, MEDIA.encode() + data, TOP.encode() + data):
        reader.parse(text, URL)


@given(st.integers(0, 400), st.binary(min_size=1, max_size=8), st.booleans())
@settings(max_examples=400, deadline=None)
def test_broken_boxes_are_refused_not_believed(at: int, data: bytes, cut: bool) -> None:
    rung = video("v", 20_000, 64, 36)
    good = fragments.read_init(init(rung))
    for whole, read in (
        (init(rung), fragments.read_init),
        (init(audio("a", 1)), fragments.read_init),
        (segment(rung, 0, 0, 3), lambda each: fragments.read_segment(each, good)),
    ):
        broken = whole[:at] if cut else whole[:at] + data + whole[at + len(data) :]
        with suppress(fragments.BadFragment):
            read(broken)


def test_a_count_that_no_segment_can_hold_is_refused() -> None:
    rung = video("v", 20_000, 64, 36)
    whole = bytearray(segment(rung, 0, 0, 3))
    at = whole.index(b"trun") + 4
    whole[at : at + 8] = struct.pack(">II", 0, 2**32 - 1)  # no per-sample fields: a count that costs nothing to claim
    with pytest.raises(fragments.BadFragment, match="more than 200000 samples"):
        fragments.read_segment(bytes(whole), fragments.read_init(init(rung)))


def test_idr_pictures_are_told_from_other_key_pictures() -> None:
    rung = video("v", 20_000, 64, 36, idr=2 / 24)
    [track] = fragments.read_init(init(rung))
    data = segment(rung, 0, 0, 3)
    samples = fragments.read_segment(data, (track,))[1]
    assert [fragments.holds_idr(data, each, track) for each in samples] == [True, False, True]
    assert [each.sync for each in samples] == [True, False, True]


def test_webvtt() -> None:
    text = (
        "\ufeffWEBVTT x\r\nX-TIMESTAMP-MAP=LOCAL:00:00:01.000,MPEGTS:900000\r\n\r\n1\r\n00:01.000 --> 00:02.500\r\nHi"
    )
    found = webvtt.read(text.encode())
    assert (found.offset, found.cues, found.bad_arrows) == (9.0, ((1.0, 2.5),), 0)
    assert webvtt.looks_so(text.encode())
    assert not webvtt.looks_so(b"WEBVTTX")
    assert webvtt.read(b"WEBVTT\n\n1 --> 2\nNo").bad_arrows == 1


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server that answers every GET so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(body: bytes, *headers: tuple[str, str], status: int = 200) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.end_headers()
        with suppress(OSError):  # the other side has heard enough
            handler.wfile.write(body)

    return answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (send(gzip.compress(bytes(50_000_000)), ("Content-Encoding", "gzip")), "more than 8388608 bytes"),
        (send(bytes(9_000_000)), "more than 8388608 bytes"),
        (send(gzip.compress(b"#EXTM3U" * 9)[:-12], ("Content-Encoding", "gzip")), "breaks off"),
        (send(b"#EXTM3U", ("Content-Encoding", "gzip")), "incorrect header"),
        (send(b"#EXTM3U", ("Content-Encoding", "br")), "which nobody asked for"),
        (send(b"", ("Location", "/again"), status=302), "redirected more than 5 times"),
        (send(b"", ("Location", "file:///etc/passwd"), status=302), "only http and https"),
        (send(b"#EXTM3U", ("Content-Length", "999")), "IncompleteRead"),
        (send(b"no", status=500), "answered 500"),
    ],
)
def test_answers_are_bounded(answer: Callable[[BaseHTTPRequestHandler], None], said: str) -> None:
    with answering(answer) as url, pytest.raises(FetchFailed, match=said):
        Fetcher().playlist(url)


def test_one_run_is_bounded_in_bytes_and_time() -> None:
    with answering(send(bytes(100_000))) as url:
        with pytest.raises(FetchFailed, match="more than is read in one run"):
            Fetcher(total=50_000).playlist(url)
        with pytest.raises(FetchFailed, match="longer than is allowed"):
            Fetcher(seconds=0).playlist(url)


def test_keys_have_sixteen_bytes_and_ranges_are_asked_for() -> None:
    with answering(send(bytes(15))) as url:
        with pytest.raises(FetchFailed, match="a key has 16 bytes, 15 came"):
            Fetcher().key(url)
        with pytest.raises(FetchFailed, match="answered 200"):
            Fetcher().media(url, (0, 15))
    with answering(send(bytes(15), status=206)) as url:
        assert Fetcher().media(url, (0, 15)).body == bytes(15)
        with pytest.raises(FetchFailed, match="asked for 16 bytes, 15 came"):
            Fetcher().media(url, (0, 16))
    with pytest.raises(FetchFailed, match="only http and https"):
        Fetcher().playlist("file:///etc/passwd")
