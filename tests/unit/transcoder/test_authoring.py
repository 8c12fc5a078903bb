"""The authoring lint: a stream without a fault passes every rule, and for each rule there is one that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.streams import VTT_MAP, Rung, Stream, audio, serving, video

from transcoder.authoring.lint import RULES, FetchFailed, Report, Status, lint

# What no stream on loopback, sealed with plain keys, can pass.
ALWAYS = {"11.1", "13.1"}
TOP = "multivariant.m3u8"

Serve = Callable[[Stream], str]
Change = Callable[[Stream], object]


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    with serving() as (_, each):
        yield each


def failed(report: Report) -> dict[str, str]:
    return {verdict.rule.id: verdict.found for verdict in report.verdicts if verdict.status == Status.FAILED}


def test_a_film_without_a_fault(serve: Serve) -> None:
    report = lint(serve(Stream().make()))
    assert failed(report).keys() == ALWAYS, failed(report)
    assert not report.failed
    assert not report.incomplete
    rest = {v.rule.id: v.status for v in report.verdicts if v.status != Status.PASSED and v.rule.id not in ALWAYS}
    assert rest == dict.fromkeys(["2.4", "2.13", "4.6", "9.16", "9.19"], Status.NOT_APPLICABLE)


def test_an_album_without_a_fault(serve: Serve) -> None:
    sounds = [audio("aac-64", 64_000), audio("aac-128", 128_000), audio("flac", 800_000, entry=b"fLaC")]
    report = lint(serve(Stream(rungs=sounds).make()))
    assert failed(report).keys() == ALWAYS | {"10.2"}, failed(report)
    assert {v.status for v in report.verdicts if v.rule.id in ("6.1", "9.9", "8.10")} == {Status.NOT_APPLICABLE}


def test_a_film_that_is_still_being_made(serve: Serve) -> None:
    stream = Stream().make()
    for path in stream.playlists():
        stream.edit(path, "TYPE:VOD", "TYPE:EVENT")
        stream.edit(path, "#EXT-X-ENDLIST\n", "")
    report = lint(serve(stream))
    assert failed(report).keys() == ALWAYS, failed(report)
    assert {v.status for v in report.verdicts if v.rule.id in ("1.26", "1.27")} == {Status.NOT_APPLICABLE}


def every(kind: str, **options: object) -> Change:
    """Change every rung of a kind."""

    def change(stream: Stream) -> None:
        for rung in stream.of(kind):
            for name, value in options.items():
                setattr(rung, name, value)

    return change


def one(name: str, **options: object) -> Change:
    """Change one rung."""

    def change(stream: Stream) -> None:
        for option, value in options.items():
            setattr(stream.rung(name), option, value)

    return change


def slow(stream: Stream) -> None:
    every("video", segment=10.0)(stream)
    every("audio", segment=10.0)(stream)
    stream.target, stream.seconds = 10, 30.0


# What to change before a stream is made, by the rule that it breaks.
MADE: dict[str, Change] = {
    "1.1": one("v360", entry=b"vp09"),
    "1.3a": every("video", level=52),
    "1.3b": one("v720", profile=110),
    "1.4": one("v720", profile=77),
    "1.10": one("v720", entry=b"avc3"),
    "1.11": one("v360", level=41),
    "1.12": every("video", entry=b"hvc1"),
    "1.13": every("video", idr=6.0),
    "1.18": every("video", fps=15),
    "1.19": one("v360", fps=120),
    "1.25": lambda stream: stream.drop("v720-low"),
    "1.30": lambda stream: (setattr(stream, "seconds", 42.0), one("v360", boost={1: 6.0})(stream)),
    "1.32": lambda stream: stream.rungs.sort(key=lambda rung: rung.rate),
    "1.33": one("v360", width=480),
    "2.1": one("a64", raw=b"\x47" + bytes(187)),
    "2.3": one("a64", entry=b"fLaC"),
    "2.4": one("a64", object_type=5, rate=96_000),
    "2.9": one("a64", rate=256_000),
    "2.17": one("a64", sounds=2),
    "2.19": one("a64", ludt=False),
    "4.1": lambda stream: stream.drop("subs-1"),
    "5.2": one("subs-1", raw=b"1\n00:00:00,000 --> 00:00:06,000\nHush\n"),
    "5.3": one("subs-1", raw=b"WEBVTT\n\n"),
    "5.5": one("subs-1", seconds=6.0),
    "6.1": lambda stream: stream.drop("v720-iframes", "v360-iframes"),
    "6.6": lambda stream: stream.drop("v360-iframes"),
    "6.10": every("iframes", pictures_each=2),
    "7.3": one("v720", gap={1: 7}),
    "7.4": one("v720", not_idr={1}),
    "7.5": slow,
    "7.6": slow,
    "8.3": one("v720", seconds=12.0),
    "8.7": one("a64", seconds=14.0),
    "8.22": one("a64", segment=4.0),
    "9.5": one("v720", muxed=True),
    "9.9": lambda stream: stream.drop("v720-low", "v360"),
    "9.10": lambda stream: stream.drop("v720-low"),
    "9.16": every("video", entry=b"hvc1"),
    "9.21": one("v360", rate=200_000),
    "RFC 3.1.4": one("subs-1", raw=f"WEBVTT\n{VTT_MAP}\n\n00:00:01.000 --> 00:00:02.000\nHush\n".encode()),
    "RFC 4.4.4.4": one("v360", sealed=False),
    "RFC 6.2.4": one("v360", late=0.25),
    "W1": one("a64", first_sample=100_000),
    "W2": one("v360", idr=3.0),
    "W3": lambda stream: (setattr(stream, "seconds", 78.0), setattr(stream, "keys_every", 100)),
    "W4": one("a64", rate=256_000),
}


def text(path: str, old: str, new: str, count: int = -1) -> Change:
    """Change a file's text."""
    return lambda stream: stream.edit(path, old, new, count)


def everywhere(old: str, new: str) -> Change:
    """Change every media playlist."""
    return lambda stream: [stream.edit(path, old, new) for path in stream.playlists() if old in str(stream.files[path])]


def sparse(stream: Stream) -> None:
    """Every other I-frame is left out, so that each stands for two seconds."""
    for path in ("v720-iframes/index.m3u8", "v360-iframes/index.m3u8"):
        lines = stream.files[path].decode().splitlines()
        media = [n for n, line in enumerate(lines) if line.startswith("#EXTINF")]
        for n in reversed(media[1::2]):
            del lines[n : n + 2]
        stream.files[path] = "\n".join(lines).replace("#EXTINF:1.0", "#EXTINF:2.0").encode()


# What to change in the files of a stream without a fault, by the rule that it breaks.
CHANGED: dict[str, Change] = {
    "1.26": text(TOP, "AVERAGE-BANDWIDTH=", "AVERAGE-BANDWIDTH=9", 1),
    "1.27": text(TOP, ":BANDWIDTH=", ":BANDWIDTH=9", 1),
    "2.13": text(TOP, "AUTOSELECT=YES,CHANNELS", 'CHARACTERISTICS="public.accessibility.describes-video",CHANNELS'),
    "4.6": text(TOP, 'LANGUAGE="en",AUTOSELECT=YES,URI', 'LANGUAGE="en",FORCED=YES,AUTOSELECT=NO,URI'),
    "5.10": text(TOP, ",wvtt", ""),
    "6.2": sparse,
    "6.8": text("v720-iframes/index.m3u8", "#EXT-X-I-FRAMES-ONLY\n", ""),
    "6.14": lambda stream: [
        stream.edit(TOP, f'CODECS="{c}",R', 'CODECS="mjpg",R') for c in ("avc1.64001f", "avc1.64001e")
    ],
    "7.7": everywhere("TARGETDURATION:6", "TARGETDURATION:5"),
    "8.1": text("v720/index.m3u8", "#EXTINF:6.0", "#EXTINF:6.3", 1),
    "8.2": text("v360/index.m3u8", "TARGETDURATION:6", "TARGETDURATION:7"),
    "8.6": text("v360/index.m3u8", "#EXT-X-PLAYLIST-TYPE:VOD\n", ""),
    "8.10": text(TOP, ',LANGUAGE="en"', "", 1),
    "8.15": text("a64/index.m3u8", "#EXTINF", "#EXT-X-DISCONTINUITY\n#EXTINF"),
    "8.18": lambda stream: stream.redirects.add("v360/00002.m4s"),
    "8.20": text("v360/index.m3u8", '#EXT-X-MAP:URI="init.mp4"\n', ""),
    "9.1": text(TOP, "CODECS=", "X-CODECS=", 1),
    "9.2": text(TOP, "RESOLUTION=", "X-RESOLUTION=", 1),
    "9.12": text(TOP, "#EXT-X-INDEPENDENT-SEGMENTS\n", ""),
    "9.14": text(TOP, "AVERAGE-BANDWIDTH=", "X-AVERAGE=", 1),
    "9.15": text(TOP, "FRAME-RATE=", "X-FRAME-RATE=", 1),
    "9.19": text(TOP, "AVERAGE-BANDWIDTH=", "SCORE=1.5,AVERAGE-BANDWIDTH=", 1),
    "10.1": lambda stream: setattr(stream, "gzip", False),
    "10.2": text(TOP, ',PATHWAY-ID="."', ""),
    "10.4": lambda stream: stream.types.update({"subs-1/00001.vtt": "application/octet-stream"}),
    "13.5": text(TOP, ",HDCP-LEVEL=TYPE-0", ""),
    "RFC 3": lambda stream: stream.files.pop("v360/00002.m4s"),
    "RFC 4": text(TOP, "#EXTM3U", "#EXTM3U "),
    "RFC 4.4.3.1": text("v360/index.m3u8", "#EXTINF:6.0", "#EXTINF:6.5", 1),
    "RFC 4.4.6.1": text(TOP, 'AUDIO="sound"', 'AUDIO="silence"', 1),
    "RFC 4.4.6.1 CHANNELS": text(TOP, 'CHANNELS="2"', 'CHANNELS="6"'),
    "RFC 4.4.6.2 CODECS": text(TOP, "mp4a.40.2", "mp4a.40.5", 1),
    "RFC 4.4.6.2 FRAME-RATE": text(TOP, "FRAME-RATE=24.000", "FRAME-RATE=25.000", 1),
    "RFC 4.4.6.2 RESOLUTION": text(TOP, "RESOLUTION=640x360", "RESOLUTION=640x362", 1),
    "RFC 8": text("v360/index.m3u8", "#EXT-X-VERSION:7", "#EXT-X-VERSION:5"),
}


def test_every_rule_has_a_stream_that_breaks_it() -> None:
    assert {rule.id for rule in RULES} - MADE.keys() - CHANGED.keys() - ALWAYS == set()
    assert len({rule.id for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule_id", MADE)
def test_a_stream_made_otherwise_is_caught(serve: Serve, rule_id: str) -> None:
    stream = Stream()
    MADE[rule_id](stream)
    report = lint(serve(stream.make()))
    assert rule_id in failed(report), [v for v in report.verdicts if v.rule.id == rule_id]


@pytest.mark.parametrize("rule_id", CHANGED)
def test_a_stream_changed_afterwards_is_caught(serve: Serve, rule_id: str) -> None:
    stream = Stream().make()
    CHANGED[rule_id](stream)
    report = lint(serve(stream))
    assert rule_id in failed(report), [v for v in report.verdicts if v.rule.id == rule_id]


def test_a_must_that_is_broken_fails_the_report_and_a_should_does_not(serve: Serve) -> None:
    stream = Stream().make()
    stream.gzip = False
    assert lint(serve(stream)).failed
    stream = Stream().make()
    stream.edit(TOP, ",wvtt", "")
    assert not lint(serve(stream)).failed


def test_without_the_key_what_is_sealed_is_unchecked_not_passed(serve: Serve) -> None:
    stream = Stream().make()
    stream.files.pop("key/0.key")
    report = lint(serve(stream))
    assert report.incomplete
    assert not report.failed, failed(report)
    by_id = {verdict.rule.id: verdict for verdict in report.verdicts}
    assert by_id["7.4"].status == by_id["RFC 3"].status == by_id["5.2"].status == Status.UNCHECKED
    assert "404" in by_id["RFC 3"].found
    assert by_id["1.27"].status == Status.PASSED, "bandwidths are measured on what is sent"


def test_a_wrong_key_is_said_to_be_one(serve: Serve) -> None:
    stream = Stream().make()
    stream.files["key/0.key"] = bytes(16)
    assert "another key or another IV" in failed(lint(serve(stream)))["RFC 3"]


def test_a_media_playlist_by_itself(serve: Serve) -> None:
    url = serve(Stream().make()).replace(TOP, "v720/index.m3u8")
    report = lint(url)
    by_id = {verdict.rule.id: verdict.status for verdict in report.verdicts}
    assert by_id["9.1"] == Status.NOT_APPLICABLE
    assert by_id["7.4"] == by_id["8.1"] == by_id["10.1"] == Status.PASSED


def test_transport_streams_are_not_opened_and_not_stumbled_over(serve: Serve) -> None:
    stream = Stream()
    for rung in (*stream.of("video"), *stream.of("audio")):
        rung.raw, rung.sealed = b"\x47" + bytes(187), False
    report = lint(serve(stream.make()))
    by_id = {verdict.rule.id: verdict for verdict in report.verdicts}
    assert by_id["7.3"].status != Status.FAILED
    assert by_id["W2"].status == by_id["8.1"].status == Status.UNCHECKED
    assert "ts" in by_id["8.1"].found


def test_only_the_first_segments(serve: Serve) -> None:
    report = lint(serve(Stream().make()), segments=1)
    by_id = {verdict.rule.id: verdict for verdict in report.verdicts}
    assert by_id["7.4"].status == Status.PASSED
    assert by_id["1.27"].status == Status.UNCHECKED
    assert not report.failed, failed(report)


def test_what_is_no_playlist_is_refused(serve: Serve) -> None:
    with pytest.raises(FetchFailed, match="404"):
        lint(serve(Stream()))
    stream = Stream()
    stream.files[TOP], stream.types[TOP] = b"<html>Hello</html>", "text/html"
    report = lint(serve(stream))
    assert {"RFC 4"} <= failed(report).keys()


def test_our_own_streams_are_explained_and_others_are_not(serve: Serve) -> None:
    stream = Stream().make()
    folder = f"streams/{'0a' * 32}/"
    for path in list(stream.files):
        stream.files[folder + path], stream.types[folder + path] = stream.files[path], stream.types[path]
    stream.edit(folder + TOP, ",HDCP-LEVEL=TYPE-0", "")
    report = lint(serve(stream).replace(TOP, folder + TOP))
    by_id = {verdict.rule.id: verdict.status for verdict in report.verdicts}
    assert by_id["13.5"] == by_id["13.1"] == by_id["11.1"] == Status.EXPLAINED
    assert failed(report) == {}


def test_the_report_as_json(serve: Serve) -> None:
    import json

    stream = Stream().make()
    stream.gzip = False
    told = json.loads(lint(serve(stream)).to_json())
    assert told["failed"] is True
    [rule] = [each for each in told["rules"] if each["id"] == "10.1"]
    assert rule["level"] == "MUST"
    assert rule["status"] == "failed"
    assert rule["remedy"]
    assert len(rule["faults"]) == 8


def test_rungs_of_the_test_are_what_they_say() -> None:
    assert video("v", 1, 2, 2).codec == "avc1.64001f"
    assert Rung("a", "audio", 1, entry=b"mp4a").codec == "mp4a.40.2"
