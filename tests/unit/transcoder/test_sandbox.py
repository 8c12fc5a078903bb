"""Children stay within their limits and never outlive the one who started them."""

from __future__ import annotations

import dataclasses
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from support import malice

from transcoder import isolation, sandbox
from transcoder.errors import DiskFull, EncodeFailed, TimedOut


def python(code: str, cost: float = 1.0, seconds: float = 10.0) -> sandbox.Command:
    library = Path(sys.base_prefix) / "lib"
    return sandbox.Command((sys.executable, "-I", "-c", code), cost=cost, seconds=seconds, reads=(library,))


def test_what_children_say_comes_back_in_order(tmp_path: Path) -> None:
    said = sandbox.run_all(
        [python(f"import sys; sys.stderr.write('child {n}')") for n in range(4)],
        cwd=tmp_path,
        at_once=2,
        wall_seconds=30,
    )
    assert said == [f"child {n}" for n in range(4)]


def test_progress_is_weighted_by_cost_and_ends_at_one(tmp_path: Path) -> None:
    half = "print('out_time_us=N/A'); print('out_time_us=5000000', flush=True)"
    seen: list[float] = []
    sandbox.run_all(
        [python(half, cost=3), python(half, cost=1)], cwd=tmp_path, at_once=1, wall_seconds=30, on_progress=seen.append
    )
    assert 0.375 in seen
    assert 0.75 in seen
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_one_failure_ends_the_others_and_says_its_last_words(tmp_path: Path) -> None:
    lingers = f"import os, time; print('{tmp_path}'); open('there', 'w').close(); time.sleep(600)"
    fails = "import os, sys, time\nwhile not os.path.exists('there'): time.sleep(0.01)\nsys.exit('no such codec')"
    with pytest.raises(EncodeFailed, match=r"exit status 1.*no such codec"):
        sandbox.run_all([python(lingers), python(fails)], cwd=tmp_path, at_once=2, wall_seconds=60)
    assert not running(str(tmp_path))


def running(word: str) -> list[psutil.Process]:
    """Every process of this machine that has the word in its command line, whatever namespace it runs in."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if process.info["status"] != psutil.STATUS_ZOMBIE
        and process.pid != os.getpid()
        and any(word in part for part in process.info["cmdline"] or ())
    ]


def test_a_child_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(TimedOut):
        sandbox.run_all([python("import time; time.sleep(600)")], cwd=tmp_path, at_once=1, wall_seconds=0.5)


def test_whoever_asks_for_progress_can_end_the_children(tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    before = set(psutil.Process().children())

    def stop(_done: float) -> None:
        raise Enough

    code = "import time; print('out_time_us=1', flush=True); time.sleep(600)"
    with pytest.raises(Enough):
        sandbox.run_all([python(code)], cwd=tmp_path, at_once=1, wall_seconds=60, on_progress=stop)
    assert not set(psutil.Process().children()) - before


def test_a_child_cannot_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_FILE_BYTES", 4096)
    with pytest.raises(EncodeFailed):
        sandbox.run_all([python("open('big', 'wb').write(bytes(100000))")], cwd=tmp_path, at_once=1, wall_seconds=30)
    assert (tmp_path / "big").stat().st_size <= 4096


def test_a_full_disk_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match="Free some space"):
        sandbox.run_all(
            [python("import sys; sys.exit('av_interleaved_write_frame(): No space left on device')")],
            cwd=tmp_path,
            at_once=1,
            wall_seconds=30,
        )
    free = shutil.disk_usage(tmp_path).free
    sandbox.require_disk(tmp_path, 1)
    with pytest.raises(DiskFull, match="MiB free"):
        sandbox.require_disk(tmp_path, free * 2)


def test_a_child_has_none_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "not for you")
    (said,) = sandbox.run_all(
        [python("import os, sys; sys.stderr.write(str(os.environ.get('SECRET_KEY')))")],
        cwd=tmp_path,
        at_once=1,
        wall_seconds=30,
    )
    assert said == "None"


@pytest.fixture(params=["with bubblewrap", "without"])
def layers(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "without":
        with malice.without_bubblewrap():
            yield request.param
    else:
        if isolation.missing():
            pytest.skip(f"this machine gives no namespaces: {isolation.missing()}")
        yield request.param


def say(tmp_path: Path, code: str, **more: Any) -> str:
    """What a child that runs this code writes to stderr."""
    command = dataclasses.replace(python(f"import os, sys\n{code}"), **more)
    (said,) = sandbox.run_all([command], cwd=tmp_path, at_once=1, wall_seconds=60)
    return said


def test_a_child_sees_its_own_directory_and_nobody_elses(tmp_path: Path) -> None:
    if isolation.missing():
        pytest.skip(f"this machine gives no namespaces: {isolation.missing()}")
    other = tmp_path / "other"
    work = tmp_path / "work"
    for folder in (other, work):
        folder.mkdir()
    (other / "master").write_text("theirs")
    code = f"""
for path in ({str(other / "master")!r}, {sandbox.__file__!r}, '/etc/passwd', '/proc/1/environ', '/tmp/.X11-unix'):
    try:
        os.stat(path)
        sys.stderr.write(path)
    except FileNotFoundError:
        pass
for path in ('/written', '/lib/written', '/dev/shm/written'):
    try:
        open(path, 'w')
        sys.stderr.write(path)
    except OSError:
        pass
open('mine', 'w').write(str(os.getpid()))
"""
    assert say(work, code) == ""
    assert (work / "mine").read_text() == "1"  # nobody else is in its world


def test_a_child_has_no_network(tmp_path: Path) -> None:
    if isolation.missing():
        pytest.skip(f"this machine gives no namespaces: {isolation.missing()}")
    listener = malice.Listener()
    code = f"""
import socket
try:
    socket.create_connection(('127.0.0.1', {listener.port}))
    sys.stderr.write('connected')
except OSError:
    pass
# Its loopback is its own: what it sends there, nobody else hears.
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {listener.port}))
"""
    assert say(tmp_path, code) == ""
    assert listener.connections == 0
    listener.close()


def test_inputs_are_open_files_each_with_a_place_of_its_own(tmp_path: Path, layers: str) -> None:
    secret = tmp_path / "elsewhere" / "master"
    secret.parent.mkdir()
    secret.write_bytes(b"0123456789")
    work = tmp_path / "work"
    work.mkdir()
    code = f"""
first, second = {sandbox.FIRST_INPUT}, {sandbox.FIRST_INPUT + 1}
told = os.read(first, 4) + os.read(second, 6) + os.read(first, 4)
try:
    os.write(first, b'x')
except OSError:
    told += b' not writable'
sys.stderr.write(told.decode())
"""
    assert say(work, code, inputs=(secret, secret)) == "01230123454567 not writable"


def test_limits_hold(tmp_path: Path, layers: str) -> None:
    code = """
import resource
names = 'CORE NOFILE DATA AS FSIZE NPROC CPU'.split()
sys.stderr.write(' '.join(str(resource.getrlimit(getattr(resource, 'RLIMIT_' + name))[1]) for name in names))
"""
    core, files, data, space, size, tasks, cpu = map(int, say(tmp_path, code, memory=1 << 30).split())
    assert (core, files, data) == (0, 128, 1 << 30)
    assert data < space < 1 << 40
    assert 0 < size < 1 << 40
    assert 0 < tasks < 1 << 17
    assert 0 < cpu < 60 * 1000


def test_memory_is_not_given_beyond_the_limit(tmp_path: Path, layers: str) -> None:
    with pytest.raises(EncodeFailed, match="MemoryError"):
        say(tmp_path, "bytearray(2 << 30)", memory=1 << 30)


def test_processor_time_ends(tmp_path: Path, layers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_CORES", 0)  # leaves one second
    with pytest.raises(EncodeFailed, match=r"SIGXCPU|SIGKILL"):
        say(tmp_path, "while True: pass")


def test_processor_time_of_children_is_ours_to_know(tmp_path: Path, layers: str) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    say(tmp_path, "import time\nwhile time.process_time() < 0.5: pass")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime >= 0.5


def test_an_input_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncodeFailed, match="No such file"):
        say(tmp_path, "", inputs=(tmp_path / "gone",))


def test_children_end_with_a_worker_that_is_killed(tmp_path: Path, layers: str) -> None:
    """SIGKILL leaves the worker no time to end anybody; the kernel does it, through bubblewrap too."""
    (tmp_path / "work").mkdir()
    tests = Path(__file__).parents[2]
    program = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(tests)!r})
import contextlib
from support import malice
from transcoder import sandbox
library = Path(sys.base_prefix) / "lib"
code = "import os, time; open('there', 'w').close(); os.fork(); print({str(tmp_path)!r}); time.sleep(600)"
command = sandbox.Command((sys.executable, "-I", "-c", code), reads=(library,))
with malice.without_bubblewrap() if {layers == "without"} else contextlib.nullcontext():
    sandbox.run_all([command], cwd=Path({str(tmp_path / "work")!r}), at_once=1, wall_seconds=600)
"""
    worker = subprocess.Popen([sys.executable, "-c", program])
    until(lambda: (tmp_path / "work" / "there").exists())
    assert running(str(tmp_path))
    worker.kill()
    worker.wait()
    # Without namespaces a process that the child itself started outlives it; FFmpeg starts none.
    until(lambda: len(running(str(tmp_path))) <= (0 if layers == "with bubblewrap" else 1))
    for process in running(str(tmp_path)):
        process.kill()


def until(true: Callable[[], bool]) -> None:
    while not true():
        time.sleep(0.02)


def test_a_host_without_namespaces_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "NAMESPACES", ("--no-such-option",))
    isolation.tried.cache_clear()
    try:
        assert "no-such-option" in (isolation.missing() or "")
        assert "docs/operations.md" in (isolation.notice() or "")
        assert isolation.wrap(["true"], reads=(), work=None) == ["true"]
    finally:
        isolation.tried.cache_clear()
