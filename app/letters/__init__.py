"""Letters: what the shop writes to people. Each is a row and a job; the worker renders it and hands it over.

Owns: letter. Called by: accounts, orders, licenses, and whoever has something to say to a person. May call: core.
Never: accounts, orders or any other room; a decision whether something is to be said.
"""
