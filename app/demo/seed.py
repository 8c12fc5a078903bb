"""Fill the demo shop: compose masters, import them as an editor would, wait for the streams, write a history."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from app.core import progress
from app.core.db import db, transaction
from app.core.money import Money
from app.demo import build, history
from app.demo.catalogue import RECIPE
from app.engines import processes
from app.engines.processes import EngineError
from app.factory import create_app
from app.media import queries as media
from app.settings import load_settings, var_dir
from app.studio import importer


def run_in_child(environ: Mapping[str, str], var: Path) -> None:
    """Seed in a process group of its own, so that Ctrl-C ends it in the middle of anything; raise if it failed."""
    env = dict(environ) | {"WAVECRATE_VAR": str(var)}
    child = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "demo-seed"],
        env=env,
        start_new_session=True,
        preexec_fn=processes.die_with_parent,
    )
    try:
        if child.wait() != 0:
            raise EngineError(
                "The demo catalogue could not be filled (see above). Run it again: it goes on from there."
            )
    finally:
        processes.stop(child, signal.SIGKILL, grace=5)


def run() -> None:
    """Bring the demo catalogue to its finished state; what is already there is left alone."""
    settings = load_settings()
    masters, stamp = var_dir() / "demo" / "masters", var_dir() / "demo" / "seeded"
    with create_app(settings).app_context():
        # Once done it is done: what people import or upload later must not hold up the next start.
        if stamp.exists() and stamp.read_text() == RECIPE and media.job_counts().done:
            return
    with progress.bar("Composing the catalogue") as report:
        build.write_masters(masters, workers=settings.cpu_count, on_progress=report)
    with create_app(settings).app_context():
        with progress.bar("Importing masters") as report:
            done = importer.import_paths(
                [masters], price=Money(900, "EUR"), track_price=None, publish=True, on_progress=report
            )
        if done.refused:
            raise EngineError("\n".join(f"{path}: {reason}" for path, reason in done.refused))
        with transaction():
            build.apply_details()
            history.ensure_logins()
        _wait_for_streams()
        with transaction():
            history.write_history()
    stamp.write_text(RECIPE)


def _wait_for_streams() -> None:
    with progress.bar("Transcoding") as report:
        while True:
            counts = media.job_counts()
            db.session.rollback()  # the next look must see new rows
            report(counts.finished, counts.jobs, f"{counts.done} of {counts.jobs}")
            if counts.failed:
                raise EngineError(
                    f"{counts.failed} of the demo's masters could not be transcoded: see var/log/worker.log"
                )
            if counts.done == counts.jobs:
                return
            time.sleep(0.3)


def announce(base_url: str) -> None:
    """Say where the shop is, who can sign in, and what to try."""
    lines = [f"\nThe shop is open at {base_url}\n", "Sign in as:"]
    lines += [f"  {role:<9} {email:<30} password: {password}" for role, email, password in history.LOGINS]
    lines += [
        "\nTry: listen to a preview, buy it (no money moves), play it, download it as FLAC;",
        "     as the editor, upload a master in the studio; as the admin, refund an order.",
        "\nCtrl-C closes the shop.",
    ]
    print("\n".join(lines), flush=True)
