"""Playback: play sessions, playlists, keys and resume positions.

Owns: play_session, resume_position. Called by: nobody.
May call: licenses, media, discovery, catalog, accounts, core, media_store.
Never: orders, payments.
"""
