"""Engines: the servers one machine runs for itself (PostgreSQL, SeaweedFS, web, worker, sandbox).

Owns: `var/`. Called by: cli, tests. May call: settings.
Never: a feature.
"""
