"""Authoring: whether a stream at a URL is what Apple's HLS Authoring Specification and RFC 8216bis ask for.

Owns: nothing. Called by: the terminal (`wavecrate hls lint`). May call: requests, cryptography.
Never: app, the database, the store, FFmpeg, nor anything else of the transcoder: what checks the packager shares no
code with it, so that a mistake in one cannot hide in the other. Everything it reads is untrusted.
"""
