"""Upkeep: compares what the rows need with what the store has, repairs what can be, and clears away what is over.

Owns: unneeded. Called by: cli, worker. May call: studio, playback, downloads, media, catalog, core, media_store.
Never: decides by itself what a room needs; each room tells, in its `holdings.py`.
"""
