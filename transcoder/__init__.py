"""Transcoder: a master in, renditions out. Knows its message and the store, nothing of the shop.

Owns: its working directory. Called by: app.media (worker), app.studio (probe, tags). May call: media_store.
Never: app, the database. Only `encode` and `probe` touch FFmpeg.
"""
