"""What the edge costs against raw nginx on the same files, measured with wrk side by side. `--json` prints the goals.

Several rounds go over all the ways in turn, and medians are compared, so that whatever else the machine does falls on
all of them. wrk and nginx share the machine, and wrk copies every byte, so it works harder than nginx does; the last
column is therefore nginx's own time on a core for a request. The edge is the production configuration, started by
nginx/start, its cache filled from a real S3 server, two secrets in force; every request carries a signature that it
verifies. "The same with HMAC-SHA256 by njs" is that configuration with nothing but the verdict exchanged. All of them,
raw nginx too, run with as many workers as cores, `sendfile`, `tcp_nopush` and an open-file cache, and log no hit.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import getpass
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.engines import processes
from app.engines.s3 import SeaweedFS
from app.settings import ROOT
from media_store import keys, signing
from media_store.s3 import S3Store

SEGMENT_BYTES = 192 * 1024
SEGMENTS = 60
SECRET = "the-secret-in-force"  # noqa: S105
PREVIOUS = "the-secret-before-it"
SESSION = "bcdfghjkmnpqrstv"
PREFIX = keys.stream_prefix("ab" * 32)
GOAL = 0.95

RAW = "raw nginx"
EDGE = "the edge: secure_link"


@dataclass(frozen=True)
class Way:
    """A way to the same files: where it answers, and what stands before a segment's name."""

    port: int
    prefix: str


@dataclass(frozen=True)
class Round:
    """What wrk saw in one round."""

    requests: float  # per second
    bytes: float  # per second
    core: float  # microseconds of a core that nginx spent on a request


def main() -> None:
    """Measure, print, exit 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=3, help="of one way in one round")
    parser.add_argument("--connections", type=int, default=16)
    arguments = parser.parse_args()
    for program, package in (("nginx", "nginx libnginx-mod-http-js"), ("wrk", "wrk")):
        if not shutil.which(program):
            raise SystemExit(f"{program} is not installed. Debian, Ubuntu: apt install {package}")
    directory = Path(tempfile.mkdtemp(prefix="wavecrate-bench-"))
    try:
        with _serving(directory) as ways:
            seen = _measure(ways, directory, arguments.rounds, arguments.seconds, arguments.connections)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    rows = []
    for name, rounds in seen.items():
        rows.append(
            {
                "way": name,
                "requests_per_second": round(statistics.median(r.requests for r in rounds)),
                "megabytes_per_second": round(statistics.median(r.bytes for r in rounds) / 1e6),
                "core_microseconds": round(statistics.median(r.core for r in rounds), 1),
                "requests_of_raw": round(_share(rounds, seen[RAW], "requests"), 3),
                "bytes_of_raw": round(_share(rounds, seen[RAW], "bytes"), 3),
            }
        )
    [edge] = [row for row in rows if row["way"] == EDGE]
    goals = [
        {"name": f"edge, {what} of raw nginx's", "value": edge[of], "goal": f">= {GOAL}", "met": edge[of] >= GOAL}
        for what, of in (("requests per second", "requests_of_raw"), ("bytes per second", "bytes_of_raw"))
    ]
    if arguments.json:
        print(json.dumps({"goals": goals, "ways": rows, "cores": os.cpu_count()}))
    else:
        print(f"{SEGMENT_BYTES // 1024} KB segments, {os.cpu_count()} cores, wrk beside nginx on the same machine")
        print(f"{'':<38} {'requests/s':>10} {'MB/s':>7} {'of raw':>7} {'core µs':>8}")
        for row in rows:
            figures = (
                f"{row['requests_per_second']:>10} {row['megabytes_per_second']:>7} {row['requests_of_raw']:>7.3f}"
            )
            print(f"{row['way']:<38} {figures} {row['core_microseconds']:>8}")
        for goal in goals:
            print(f"{goal['name']:<46} {goal['value']:>6}   goal {goal['goal']}  {'met' if goal['met'] else 'MISSED'}")
    sys.exit(not all(goal["met"] for goal in goals))


def _share(rounds: list[Round], raw: list[Round], of: str) -> float:
    return statistics.median(getattr(r, of) for r in rounds) / statistics.median(getattr(r, of) for r in raw)


def _measure(
    ways: dict[str, Way], directory: Path, rounds: int, seconds: int, connections: int
) -> dict[str, list[Round]]:
    scripts = {name: _script(directory / f"{way.port}.lua", way) for name, way in ways.items()}
    seen: dict[str, list[Round]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        order = list(ways) if number % 2 else list(reversed(ways))
        for name in order:
            found = _wrk(ways[name], scripts[name], seconds if number else 1, connections)
            if number:  # the first round only warms
                seen[name].append(found)
    return seen


def _script(path: Path, way: Way) -> Path:
    path.write_text(
        "local n = 0\nrequest = function()\n"
        f'  n = n % {SEGMENTS} + 1\n  return wrk.format("GET", string.format("{way.prefix}aac-256/%05d.m4s", n))\nend\n'
    )
    return path


def _wrk(way: Way, script: Path, seconds: int, connections: int) -> Round:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), f"http://127.0.0.1:{way.port}/"]
    before = _core_seconds()
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"Port {way.port} did not serve every segment:\n{said}")
    count, took = re.search(r"(\d+) requests in ([\d.]+)s", said).groups()  # type: ignore[union-attr]
    amount, unit = re.search(r"Transfer/sec:\s+([\d.]+)(\w+)", said).groups()  # type: ignore[union-attr]
    core = (_core_seconds() - before) / int(count) * 1e6
    return Round(int(count) / float(took), float(amount) * {"KB": 2**10, "MB": 2**20, "GB": 2**30}[unit], core)


def _core_seconds() -> float:
    """What all our servers have spent on a core so far (Linux counts it in nanoseconds)."""
    spent = 0
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(OSError):
            spent += int(Path(f"/proc/{child.pid}/schedstat").read_text().split()[0])
    return spent / 1e9


@contextmanager
def _serving(directory: Path) -> Iterator[dict[str, Way]]:
    """Every way up and its cache filled."""
    bodies = {f"{PREFIX}aac-256/{n:05}.m4s": os.urandom(SEGMENT_BYTES) for n in range(1, SEGMENTS + 1)}
    for name, body in bodies.items():
        path = directory / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    raw, own, scripted, cached, flask = processes.free_ports(5)
    ways = {
        RAW: Way(raw, f"/{PREFIX}"),
        EDGE: Way(own, _signed(SECRET)),
        "the same, signed by the secret before": Way(own, _signed(PREVIOUS)),
        "the same with HMAC-SHA256 by njs": Way(scripted, _signed_by_hmac(SECRET)),
        "no signature, cached without alignment": Way(cached, f"/{PREFIX}"),
        "through Flask (gunicorn, 2 workers)": Way(flask, _signed(SECRET)),
    }
    s3 = SeaweedFS(directory)
    servers: list[tuple[subprocess.Popen[bytes], signal.Signals]] = []

    def start(name: str, command: list[str], env: dict[str, str], address: str) -> None:
        log = directory / "log" / f"{name}.log"
        process = processes.start(command, log=log, env={"PATH": os.environ["PATH"]} | env, death_signal=signal.SIGTERM)
        servers.append((process, signal.SIGTERM))
        processes.wait_for_http(address, process, name=name, log=log, seconds=30)

    try:
        s3.start()
        store = S3Store(
            endpoint_url=s3.endpoint_url, bucket="wavecrate", access_key=s3.access_key, secret_key=s3.secret_key
        )
        store.ensure_bucket()
        for name, body in bodies.items():
            store.put_bytes(name, body, "video/iso.segment")
        for name, home, port in (("edge", ROOT / "nginx", own), ("hmac", _with_hmac(directory), scripted)):
            env = _edge_env(s3, port, directory / f"{name}-run")
            start(name, ["sh", str(home / "start")], env, _at(port, "/edge/healthz"))
        conf = _comparison(directory, raw=raw, cached=cached)
        start("nginx", ["nginx", "-e", "stderr", "-p", str(directory), "-c", str(conf)], {}, _at(raw))
        start("gunicorn", _gunicorn(flask), _shop_env(s3), _at(flask, "/healthz"))
        for name, way in ways.items():
            for number in range(1, SEGMENTS + 1):
                address = _at(way.port, f"{way.prefix}aac-256/{number:05}.m4s")
                with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310
                    if answer.read() != bodies[f"{PREFIX}aac-256/{number:05}.m4s"]:
                        raise SystemExit(f"{name} does not serve what was stored.")
        time.sleep(1)
        yield ways
    finally:
        for process, number in reversed(servers):
            processes.stop(process, number, grace=5)
        s3.stop()


def _at(port: int, path: str = "/") -> str:
    return f"http://127.0.0.1:{port}{path}"


def _signed(secret: str) -> str:
    return signing.sign(secret, prefix=PREFIX, session=SESSION, expires=int(time.time()) + 24 * 3600)


def _signed_by_hmac(secret: str) -> str:
    last = int(time.time()) + 24 * 3600
    digest = hmac.digest(secret.encode(), f"{last}\n{SESSION}\n{PREFIX}".encode(), hashlib.sha256)
    return f"/media/{last}.{SESSION}.{'0' * 8}{base64.urlsafe_b64encode(digest).decode().rstrip('=')}/{PREFIX}"


def _with_hmac(directory: Path) -> Path:
    """The edge's configuration with the verdict by njs: a copy of nginx/ in which nothing else is exchanged."""
    home = directory / "hmac" / "nginx"
    shutil.copytree(ROOT / "nginx", home)
    shutil.copy(ROOT / "bench" / "edge_hmac.js", home)
    template = (home / "nginx.conf.template").read_text()
    for ours, theirs in (
        ("env S3_ACCESS_KEY;", "env S3_ACCESS_KEY; env BENCH_SECRET;"),
        (
            "    js_import media",
            "    js_import hmac from ${EDGE_HOME}/edge_hmac.js; js_set $media_open hmac.open;\n    js_import media",
        ),
        ("[A-Za-z0-9_-]{21}[AQgw]", "[A-Za-z0-9_-]{43}"),
        ("if ($secure_link != 1)", 'if ($media_open = "")'),
    ):
        if ours not in template:
            raise SystemExit(f"nginx.conf.template has changed: it no longer says {ours!r}.")
        template = template.replace(ours, theirs)
    (home / "nginx.conf.template").write_text(template)
    return home


def _edge_env(s3: SeaweedFS, port: int, run: Path) -> dict[str, str]:
    return {
        "SIGNING_SECRET": SECRET,
        "SIGNING_SECRET_PREVIOUS": PREVIOUS,
        "BENCH_SECRET": SECRET,
        "S3_ENDPOINT_URL": s3.endpoint_url,
        "S3_ACCESS_KEY": s3.access_key,
        "S3_SECRET_KEY": s3.secret_key,
        "EDGE_APP": "127.0.0.1:9",
        "EDGE_LISTEN": f"127.0.0.1:{port}",
        "EDGE_RUN": str(run),
        "EDGE_LOG": str(run / "access.log"),
        "EDGE_USER": getpass.getuser(),
    }


def _gunicorn(port: int) -> list[str]:
    gunicorn = [sys.executable, "-m", "gunicorn", "--worker-class=gthread", "--workers=2", "--threads=16"]
    return [*gunicorn, "--no-control-socket", f"--bind=127.0.0.1:{port}", "app.wsgi:application()"]


def _shop_env(s3: SeaweedFS) -> dict[str, str]:
    """A shop that is asked for media alone: it reaches the store and needs no database for it."""
    return {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
        "S3_ENDPOINT_URL": s3.endpoint_url,
        "S3_ACCESS_KEY": s3.access_key,
        "S3_SECRET_KEY": s3.secret_key,
        "SECRET_KEY": "a-bench-secret-key",
        "SIGNING_SECRET": SECRET,
        "SIGNING_SECRET_PREVIOUS": PREVIOUS,
        "STRIPE_WEBHOOK_SECRET": "whsec_bench_0123456789",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _comparison(directory: Path, *, raw: int, cached: int) -> Path:
    """Raw nginx, and a cache as the edge's before it that verifies nothing and aligns nothing."""
    rendered = (directory / "edge-run" / "nginx.conf").read_text()
    file = re.search(r"\(\?<media_file>.+?\)(?=/|\(\?:\\\?)", rendered)[0]  # type: ignore[index]
    location = f"""location ~ "^/(?<media_prefix>streams/[0-9a-f]{{64}}/){file}$" {{
            slice 1m; proxy_cache plain; proxy_cache_key $media_prefix$media_file$slice_range;
            proxy_cache_valid 200 206 1d;
            proxy_pass_request_headers off; proxy_set_header Connection ""; proxy_set_header Range $slice_range;
            add_header Cache-Control "private, max-age=86400, immutable";
            proxy_pass http://127.0.0.1:{raw}/$media_prefix$media_file;
        }}"""
    user = f"user {getpass.getuser()};" if os.getuid() == 0 else ""
    temps = "".join(
        f"{kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    conf = directory / "comparison.conf"
    conf.write_text(
        f"""{user} daemon off; pid {directory}/nginx.pid; worker_processes auto; pcre_jit on; error_log stderr crit;
events {{ worker_connections 8192; }}
http {{
    sendfile on; tcp_nopush on; request_pool_size 16k; keepalive_requests 100000; access_log off;
    server_tokens off; {temps}
    open_file_cache max=20000 inactive=60s; open_file_cache_valid 60s;
    default_type video/iso.segment;
    proxy_cache_path {directory}/plain levels=1:2 keys_zone=plain:16m use_temp_path=off;
    proxy_http_version 1.1; proxy_buffer_size 8k; proxy_buffers 16 16k; proxy_busy_buffers_size 32k;
    server {{ listen 127.0.0.1:{raw}; root {directory}/files; }}
    server {{ listen 127.0.0.1:{cached}; {location} }}
}}
"""
    )
    return conf


if __name__ == "__main__":
    main()
