"""Hostile files of every class: nothing leaks, nobody connects, nothing hangs, and each refusal says why.

The short form of `bench/malice.py`, which has more files of each class and transcodes what is accepted.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import malice
from support.hostile import Hostile, Target, classes, generate, plant

from transcoder import isolation, probe, sandbox
from transcoder.errors import EncodeFailed, NotMedia

_NAMING = ("HLS playlists", "concat playlists", "DASH and other playlists", "polyglots", "external references")


@dataclass(frozen=True)
class Set:
    folder: Path
    files: list[Hostile]
    listener: malice.Listener
    watch: malice.Watch
    children: malice.Children

    def naming(self) -> list[Hostile]:
        """Two of each class that names the canary."""
        return [file for kind in _NAMING for file in [f for f in self.files if f.kind == kind][:2]]

    def attempt(self, name: str) -> Path:
        work = self.folder / "attempts" / name
        work.mkdir(parents=True)
        return work

    def untouched(self) -> bool:
        return self.listener.connections == 0 and not self.watch.was_read() and self.children.left() == []


@pytest.fixture(scope="module")
def hostile_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Set]:
    folder = tmp_path_factory.mktemp("malice")
    listener, children = malice.Listener(), malice.Children()
    canary = plant(folder / "tenant")
    files = list(generate(folder / "files", 4 * len(classes()), Target(canary, listener.port)))
    yield Set(folder, files, listener, malice.Watch(canary), children)
    listener.close()


def test_every_class_is_refused_with_a_reason_or_found_harmless(hostile_set: Set) -> None:
    assert {file.kind for file in hostile_set.files} == set(classes())
    for file in hostile_set.files:
        outcome = malice.looked_over(file)
        assert not outcome.hung, file
        if outcome.probe is None:
            assert outcome.reason, file
            assert str(file.path.parent) not in outcome.reason  # a reason never tells where the file lies
    assert hostile_set.untouched()


@pytest.mark.parametrize("kind", ["HLS playlists", "concat playlists", "DASH and other playlists", "XML and SVG"])
def test_what_only_names_media_is_never_taken(hostile_set: Set, kind: str) -> None:
    refused = [malice.looked_over(file) for file in hostile_set.files if file.kind == kind]
    assert all(outcome.probe is None for outcome in refused)


def _without_bubblewrap(file: Hostile, work: Path) -> malice.Outcome:
    with malice.without_bubblewrap():
        return malice.past_the_sniff(file, work)


@pytest.mark.parametrize(
    ("layers", "run"),
    [("all", malice.past_the_sniff), ("no bubblewrap", _without_bubblewrap), ("only bubblewrap", malice.naively)],
)
def test_nothing_leaks_where_sniffing_was_fooled(
    hostile_set: Set, layers: str, run: Callable[[Hostile, Path], malice.Outcome]
) -> None:
    if layers == "only bubblewrap" and isolation.missing():
        pytest.skip(f"this machine gives no namespaces: {isolation.missing()}")
    for number, file in enumerate(hostile_set.naming()):
        work = hostile_set.attempt(f"{layers}-{number}")
        outcome = run(file, work)
        assert not outcome.hung
        assert not malice.leaked(work), file
    assert hostile_set.untouched()


def test_the_files_would_leak_without_all_this(tmp_path: Path) -> None:
    """The test has teeth: a plain FFmpeg puts the other tenant's master into its output."""
    listener = malice.Listener()
    canary = plant(tmp_path / "tenant")
    watch = malice.Watch(canary)
    playlist = tmp_path / "upload.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{canary}\n#EXT-X-ENDLIST\n")
    work = tmp_path / "work"
    work.mkdir()
    malice.unprotected(Hostile("control", playlist, playlist.name), work)
    listener.close()
    assert malice.leaked(work)
    assert watch.was_read() or not watch.keeps_account


def test_a_child_left_behind_is_seen_and_another_tests_servers_are_not() -> None:
    another = subprocess.Popen(["/bin/sleep", "60"])
    children = malice.Children()
    assert children.left() == []
    left = subprocess.Popen(["/bin/sleep", "60"])
    assert children.left() == ["sleep"]
    for mine in (another, left):
        mine.kill()
        mine.wait()
    assert children.left() == []


def test_a_file_that_takes_too_long_is_refused(
    hostile_set: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "time_limit", lambda _size: 0.01)
    with pytest.raises(NotMedia, match="takes more than"):
        probe.probe_file(hostile_set.folder / "files" / "samples" / "f.mkv")
    assert hostile_set.children.left() == []


def test_a_child_that_runs_out_of_memory_is_a_refusal(hostile_set: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_MEMORY", 1 << 22)
    with pytest.raises(NotMedia, match="more memory than the shop allows"):
        probe.probe_file(hostile_set.folder / "files" / "samples" / "a.wav")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{}",
        b"[]\n",
        b'{"probe": {"container": "flac"}, "tags": {}, "cover_bytes": 0}\n',
        b'{"tags": [], "cover_bytes": 0}\n',
        b'{"refused": "%(x)s %n", "facts": {}}\n',
        b'{"refused": "%(x)s", "facts": {"y": 1}}\n',
        b'{"refused": "x", "facts": {"message": "x"}}\n',
        b'{"tags": {}, "cover_bytes": 5}\nno',
    ],
)
def test_an_answer_that_makes_no_sense_is_not_believed(
    hostile_set: Set, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    """A child that was taken over may say anything; its parent takes it for a refusal."""
    monkeypatch.setattr(sandbox, "ask", lambda _command, wall_seconds: answer)
    with pytest.raises(NotMedia):
        probe.probe_file(hostile_set.folder / "files" / "samples" / "a.wav")


def test_figures_that_cannot_be_are_not_believed(hostile_set: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = hostile_set.folder / "files" / "samples" / "a.wav"
    good = probe.probe_file(sample).to_dict()
    track = {"index": 0, "language": "en", "title": "x", "channels": 2}
    wrong: list[dict[str, object]] = [
        *({"duration": -1}, {"duration": "1;rm"}, {"duration": float("nan")}, {"kind": "film"}, {"container": "flac"}),
        *({"sounds": [track | bad]} for bad in ({"index": "0"}, {"language": "../x"}, {"title": "a\x1b"}, {"role": 1})),
        {"sounds": [track] * 5000},
        {"chapters": [{"start": 0, "end": 1e300, "title": ""}]},
    ]
    for bad in wrong:
        answer = json.dumps({"probe": good | bad, "tags": {}, "cover_bytes": 0}).encode() + b"\n"
        monkeypatch.setattr(sandbox, "ask", lambda _command, wall_seconds, answer=answer: answer)
        with pytest.raises(NotMedia, match="makes no sense"):
            probe.probe_file(sample)
    audio = good["audio"] | {"codec": "flac;movie=/etc/passwd"}
    answer = json.dumps({"probe": good | {"audio": audio}, "tags": {}, "cover_bytes": 0}).encode() + b"\n"
    monkeypatch.setattr(sandbox, "ask", lambda _command, wall_seconds: answer)
    with pytest.raises(NotMedia, match="makes no sense"):
        probe.probe_file(sample)


def test_a_sandbox_that_cannot_be_set_up_is_not_the_files_fault(
    hostile_set: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isolation.missing():
        pytest.skip(f"this machine gives no namespaces: {isolation.missing()}")
    broken = (isolation.tried()[0] or ("",))[0], "--no-such-option"
    monkeypatch.setattr(isolation, "tried", lambda: (broken, None))
    with pytest.raises(EncodeFailed, match="could not be set up"):
        probe.probe_file(hostile_set.folder / "files" / "samples" / "a.wav")


def test_tags_are_text_in_one_line(hostile_set: Set) -> None:
    for file in hostile_set.files:
        if file.kind == "tags":
            tags = probe.look_over(file.path, file.name).tags
            for text in (tags.title, tags.artist, tags.album):
                assert text is None or ((len(text) <= 300 and text.isprintable()) or "\u202e" in text), file
