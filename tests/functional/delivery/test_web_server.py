"""gunicorn as app.web_server configures it, beside what the edge expects of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from app.settings import ROOT


def test_gunicorn_keeps_a_connection_longer_than_the_edge_and_has_no_socket_in_the_home_directory() -> None:
    command = [sys.executable, "-m", "gunicorn", "--config=python:app.web_server", "--print-config", "app.wsgi"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    printed = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout
    said = dict(re.findall(r"^(\w+) += (.*)$", printed, re.M))
    upstream = (
        (ROOT / "nginx" / "nginx.conf.template").read_text().split("upstream app {")[1].split("}\n    upstream")[0]
    )
    edge = re.search(r"keepalive_timeout (\d+)s;", upstream)
    assert edge
    assert int(said["keepalive"]) > int(edge[1])
    assert said["control_socket_disable"] == "True"
