"""Accounts: people, how they come in and prove who they are, where they are signed in, and what they may do.

Owns: account and what stands beside it (sessions, letters' tokens, addresses, tries). Called by: every room that
knows a person. May call: letters (from `by_letter` alone), audit, core.
Never: catalog, orders, licenses.
"""
