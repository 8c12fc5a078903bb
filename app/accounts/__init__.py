"""Accounts: people, sign-in and roles.

Owns: accounts. Called by: every room that knows a person. May call: core.
Never: catalog, orders, licenses.
"""
