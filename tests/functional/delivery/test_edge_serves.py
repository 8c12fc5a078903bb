"""What nginx answers by itself, and what it asks the shop."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.functional.delivery.conftest import SEGMENT, Delivery


def test_a_play_through_the_edge_asks_the_shop_for_the_play_and_the_key_alone(delivery: Delivery) -> None:
    folder = delivery.play()
    delivery.asked.clear()
    for name in ("multivariant.m3u8", "aac-64/index.m3u8", "aac-64/init.mp4", "aac-64/00001.m4s", "aac-64/00002.m4s"):
        whole = delivery.get(folder + name)
        assert (whole.status, whole.body) == (200, delivery.store.get_bytes(delivery.stream.key + name)), name
    assert delivery.asked == []
    key = delivery.ask("edge", "GET", folder + "key/0.key")
    assert (key.status, len(key.body), key.headers["Cache-Control"]) == (200, 16, "no-store")
    assert delivery.asked == [folder + "key/0.key"]


def test_types_and_caching(delivery: Delivery) -> None:
    folder = delivery.play()
    for name, content_type, cache_control in (
        ("multivariant.m3u8", "application/vnd.apple.mpegurl", "private, no-cache"),
        ("aac-64/init.mp4", "video/mp4", "private, max-age=86400, immutable"),
        ("aac-64/00002.m4s", "video/iso.segment", "private, max-age=86400, immutable"),
    ):
        for front in ("edge", "app"):
            answer = delivery.ask(front, "GET", folder + name)
            assert answer.headers["Content-Type"] == content_type, (front, name)
            assert answer.headers["Cache-Control"] == cache_control, (front, name)
            assert answer.headers["X-Content-Type-Options"] == "nosniff", (front, name)
            assert "Set-Cookie" not in answer.headers, (front, name)
            assert answer.headers["Etag"], (front, name)
            assert "X-Align" not in answer.headers
            assert not [header for header in answer.headers if header.startswith("X-Amz")]


@pytest.mark.parametrize("front", ["edge", "app"])
def test_ranges_head_and_known_etags(delivery: Delivery, front: str) -> None:
    address = delivery.play() + "aac-64/00002.m4s"
    for _cold_then_warm in range(2):
        for header, status, body in (
            ("bytes=4-9", 206, SEGMENT[4:10]),
            ("bytes=196000-", 206, SEGMENT[196000:]),
            ("bytes=-5", 206, SEGMENT[-5:]),
            ("bytes=0-999999", 206, SEGMENT),
            ("bytes=0-1,5-6", 200, SEGMENT),
            ("apples=1-2", 200, SEGMENT),
        ):
            part = delivery.ask(front, "GET", address, {"Range": header})
            assert (part.status, part.body) == (status, body), header
        assert delivery.ask(front, "GET", address, {"Range": "bytes=999999-"}).status == 416
        head = delivery.ask(front, "HEAD", address)
        assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(SEGMENT)))
        again = delivery.ask(front, "GET", address, {"If-None-Match": head.headers["Etag"]})
        assert (again.status, again.body) == (304, b"")
        ranged = {"Range": "bytes=0-3", "If-Range": head.headers["Etag"]}
        assert delivery.ask(front, "GET", address, ranged).body == SEGMENT[:4]
        assert delivery.ask(front, "GET", address, ranged | {"If-Range": '"another"'}).body == SEGMENT


def test_a_range_across_slices(delivery: Delivery) -> None:
    film = bytes(range(251)) * 12_000  # 3 MB: three slices
    delivery.store.put_bytes(delivery.stream.key + "v1080/00001.m4s", film, "application/octet-stream")
    address = delivery.play() + "v1080/00001.m4s"
    part = delivery.get(address, Range="bytes=1048570-2097160")
    assert (part.status, part.body) == (206, film[1048570:2097161])
    assert part.headers["Content-Range"] == f"bytes 1048570-2097160/{len(film)}"
    assert delivery.get(address).body == film
    assert delivery.get(address, Range="bytes=-3").body == film[-3:]
    assert delivery.get(address, method="HEAD").headers["Content-Length"] == str(len(film))


@pytest.mark.parametrize("front", ["edge", "app"])
def test_playlists_are_packed_where_the_player_unpacks(delivery: Delivery, front: str) -> None:
    lines = "".join(f"#EXTINF:6.0,\n{number:05}.m4s\n" for number in range(1, 400))
    text = ("#EXTM3U\n" + lines).encode()
    delivery.store.put_bytes(delivery.stream.key + "long/index.m3u8", text, "application/octet-stream")
    address = delivery.play() + "long/index.m3u8"
    packed = delivery.ask(front, "GET", address, {"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert len(packed.body) < len(text) / 4
    assert gzip.decompress(packed.body) == text
    assert delivery.ask(front, "GET", address).body == text
    known = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["Etag"]}
    assert delivery.ask(front, "GET", address, known).status == 304
    segment = delivery.ask(front, "GET", delivery.play() + "aac-64/00002.m4s", {"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in segment.headers


def test_segments_come_from_the_cache_once_the_store_is_gone(delivery: Delivery) -> None:
    folder = delivery.play()
    assert delivery.get(folder + "aac-64/00002.m4s").body == SEGMENT
    delivery.store.delete(delivery.stream.key + "aac-64/00002.m4s")
    assert delivery.get(folder + "aac-64/00002.m4s").body == SEGMENT
    assert delivery.get(delivery.play() + "aac-64/00002.m4s").body == SEGMENT  # another play, the same cached bytes
    assert delivery.get(folder + "aac-64/00003.m4s").status == 404


def test_cached_bodies_begin_on_a_page(delivery: Delivery) -> None:
    """What the edge's throughput stands on: see ADR 10."""
    folder = delivery.play()
    sizes = (5, 999, 196608, 1_048_576, 3_000_000)
    for number, size in enumerate(sizes, 10):
        body = bytes(range(97, 123)) * (size // 26 + 1)
        name = f"aac-64/{number:05}.m4s"
        delivery.store.put_bytes(delivery.stream.key + name, body[:size], "application/octet-stream")
        assert delivery.get(folder + name).body == body[:size]
    cached = [path.read_bytes() for path in (delivery.edge.directory / "cache" / "media").rglob("*") if path.is_file()]
    assert len(cached) == 7
    offsets = {one.index(b"\r\n\r\n") + 4 for one in cached}
    assert {offset % 4096 for offset in offsets} == {0}


def test_a_playlist_grows_while_the_film_is_on_air(delivery: Delivery) -> None:
    address = delivery.play() + "v480/index.m3u8"
    key = delivery.stream.key + "v480/index.m3u8"
    seen = []
    for text in (b"#EXTM3U\n#first\n", b"#EXTM3U\n#first\n#second\n"):
        delivery.store.delete(key)
        delivery.store.put_bytes(key, text, "application/octet-stream")
        while (found := delivery.get(address).body) != text:  # within the second that a playlist is cached
            seen.append(found)
    assert set(seen) <= {b"#EXTM3U\n#first\n"} | {body for body in seen if b"404" in body}


def test_pictures_and_previews_come_from_the_edge(delivery: Delivery) -> None:
    name = f"{'ab' * 32}.jpg"
    delivery.store.put_bytes(f"images/{name}", b"a picture", "image/jpeg")
    delivery.asked.clear()
    answer = delivery.get(f"/images/{name}")
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, b"a picture", "image/jpeg")
    assert "immutable" in answer.headers["Cache-Control"]
    for path in (f"/images/../masters/{'ab' * 32}", f"/images//{name}", f"/images/%2e%2e/{name}", "/images/x"):
        assert delivery.get(path).status in (400, 404), path
    assert delivery.get(f"/previews/{'cd' * 32}.m4a").status == 404
    assert f"/images/{name}" not in delivery.asked


def test_static_files_come_from_the_edge(delivery: Delivery) -> None:
    delivery.asked.clear()
    answer = delivery.get("/static/css/base.css", Accept_Encoding="gzip")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/css")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert delivery.get("/static/vendor/hls.mjs").headers["Content-Type"] == "text/javascript"
    assert answer.headers["Cache-Control"] == "no-cache"  # an upgrade must not mix old modules with new ones
    known = delivery.get("/static/css/base.css", Accept_Encoding="gzip", If_None_Match=answer.headers["Etag"])
    assert (known.status, known.body) == (304, b"")
    assert delivery.get("/static/../settings.py").status == 404
    assert delivery.get("/static/%2e%2e/settings.py").status == 404
    assert "/static/css/base.css" not in delivery.asked


def test_pages_are_the_shops(delivery: Delivery) -> None:
    page = delivery.get("/", Accept="text/html")
    assert page.status == 200
    assert b"Tides" in page.body
    assert page.headers["Server"] == "nginx"


def test_how_the_shop_is_watched_is_nobodys_business_outside(delivery: Delivery) -> None:
    delivery.asked.clear()
    for path in ("/metrics", "/readyz", "/%72eadyz", "/./readyz", "/readyz?x"):
        assert delivery.get(path).status == 404, path
    assert delivery.asked == []
    assert delivery.ask("app", "GET", "/readyz").status == 200  # probes ask the shop itself


def test_the_logs_keep_no_token(delivery: Delivery) -> None:
    folder = delivery.play()
    token = folder.split("/")[2]
    for name in ("multivariant.m3u8", "aac-64/00002.m4s", "aac-64/00002.m4s", "nothing.m4s", "..", "key/7.key"):
        delivery.ask("edge", "GET", folder + name)
        delivery.ask("edge", "GET", f"/?next={folder}{name}")
    doubled = f"/{folder.replace('/media/', '/media//')}a.m4s"
    for path in (f"/{folder}a.m4s", doubled, f"/elsewhere{folder}a.m4s", f"/media/{token}"):
        delivery.ask("edge", "GET", path)
    logged = delivery.edge.log
    assert token not in logged + (delivery.edge.directory / "nginx.log").read_text()
    lines = [json.loads(line) for line in logged.splitlines()]
    assert {"time", "request_id", "method", "path", "status", "cache"} <= set(lines[0])
    paths = [line["path"] for line in lines]
    assert f"/media/-/{delivery.stream.key}nothing.m4s" in paths
    assert paths.count(f"/media/-/{delivery.stream.key}aac-64/00002.m4s") == 1  # the miss; a hit is not worth a line
