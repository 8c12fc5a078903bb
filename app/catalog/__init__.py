"""Catalog: artists, labels, releases, tracks, genres and the offers that sell them; search.

Owns: artist, label, genre, release, track, offer. Called by: nearly everyone above. May call: core.
Never: licenses, orders, media.
"""
