"""Subtitles of any origin become cues that are safe to write."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcoder import captions
from transcoder.captions import Cue

SRT = """1
00:00:01,500 --> 00:00:03,000
Où est la {\\an8}<i>mer</i> ?

2
00:01:00,000 --> 01:00:00,000
Two
lines <font color="red">red</font>
"""


def test_srt() -> None:
    script = captions.read(SRT.encode())
    assert script.encoding == "UTF-8"
    assert script.cues == (
        Cue(1.5, 3.0, "Où est la <i>mer</i> ?", top=True),
        Cue(60.0, 180.0, "Two\nlines red"),
    )


def test_webvtt_with_everything_it_may_have() -> None:
    script = captions.read(
        "WEBVTT - made by hand\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n\n"
        "STYLE\n::cue { background: url(https://example.org/x) }\n\nNOTE nobody sees this\n\n"
        "first\n00:01.000 --> 00:02.000 line:5% align:start\n<v.loud Mira>Hush<00:01.500> &amp; listen & wait</v>\n\n"
        "00:03.000 --> 00:04.000 line:90%\n<ruby>汉<rt>hàn</rt></ruby>".encode()
    )
    assert script.cues == (
        Cue(1.0, 2.0, "<v Mira>Hush &amp; listen &amp; wait</v>", top=True),
        Cue(3.0, 4.0, "<ruby>汉<rt>hàn</rt></ruby>"),
    )


@pytest.mark.parametrize(
    ("encoding", "called", "said"),
    [
        ("utf-8", "UTF-8", "Où est la mer ? 海在哪里"),
        ("utf-8-sig", "UTF-8", "Où est la mer ?"),
        ("utf-16", "UTF-16", "海在哪里?"),
        ("utf-16-le", "UTF-16", "Where is the sea? 海"),
        ("utf-16-be", "UTF-16", "海在哪里?"),
        ("gb18030", "GB18030", "海在哪里? 我们走吧, OK"),
        ("latin-1", "Latin-1", "Où êtes-vous allés, Zoë? Ça m'étonne"),
        ("cp1252", "Latin-1", "L’été – “déjà vu”"),
        ("latin-1", "Latin-1", "Größe, Übermut, Füße, äöü"),
    ],
)
def test_encodings(encoding: str, called: str, said: str) -> None:
    script = captions.read(f"1\n00:00:01,000 --> 00:00:02,000\n{said}\n".encode(encoding))
    assert (script.cues[0].text, script.encoding) == (said, called)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("<script>alert(1)</script>", "alert(1)"),
        ("<img src=x onerror=alert(1)>Hi", "Hi"),
        ("a < b && c > d", "a &lt; b &amp;&amp; c &gt; d"),
        ("<i>open <b>both", "<i>open <b>both</b></i>"),
        ("</i>stray</b>", "stray"),
        ("<i>crossed <b>over</i> here</b>", "<i>crossed <b>over</b></i> here"),
        ("<v ><i></i>", ""),
        ("<v A<b>c>x", "&lt;v A<b>c&gt;x</b>"),
        ("00:00 --&gt; 1", "00:00 --&gt; 1"),
        ("\u202eevil\u0007", "evil"),
        ("<c.yellow>gold</c>", "gold"),
        ("<rt>no ruby</rt>", "no ruby"),
    ],
)
def test_markup_is_webvtts_own_balanced_and_escaped(said: str, shown: str) -> None:
    assert captions.plain_markup(said) == shown


@given(st.text(max_size=300))
def test_no_text_breaks_out_of_its_cue(said: str) -> None:
    shown = captions.plain_markup(said)
    assert "-->" not in shown
    assert "\n\n" not in shown
    assert captions.plain_markup(shown) == shown


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(captions.BadSubtitles):
        assert captions.read(data).cues


def test_without_empty_lines_cues_are_still_told_apart() -> None:
    sloppy = "1\n00:00:01,000 --> 00:00:02,000\nOne\n2\n00:00:03,000 --> 00:00:04,000\nTwo\n"
    assert [cue.text for cue in captions.read(sloppy.encode()).cues] == ["One", "Two"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no subtitles"),
        (b"Dear label,\nhere they are.", "no subtitles"),
        (b"00:00:05,000 --> 00:00:01,000\nbackwards", "no subtitles"),
        (b"99:00:05,000 --> 99:00:06,000\nnever", "no subtitles"),
        (b"\xff\xfe\x00\xd8", "not the UTF-16"),
        (b"x" * (captions.MAX_BYTES + 1), "larger than 1 MB"),
        (b"00:00:01,000 --> 00:00:02,000\na\n\n" * (captions.MAX_CUES + 1), "more than 20000"),
    ],
)
def test_what_is_no_subtitles_is_refused_with_a_reason(data: bytes, says: str) -> None:
    with pytest.raises(captions.BadSubtitles, match=says):
        captions.read(data)


def test_what_is_written_is_read_again_alike() -> None:
    cues = captions.read(SRT.encode()).cues
    assert captions.read(captions.write(cues).encode()).cues == cues
    assert captions.timestamp(3661.0075) == "01:01:01.008"
