"""Children stay within their limits and never outlive the one who started them."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import psutil
import pytest

from transcoder import sandbox
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
