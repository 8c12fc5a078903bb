"""Audit: who did what to what, in a log that can be added to and never changed.

Owns: audit_entry. Called by: every room where staff act, cli. May call: core.
Never: accounts, or any room above; no personal data but ids in `facts`.
"""
