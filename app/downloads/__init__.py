"""Downloads: formats, whole-release ZIPs, signed and resumable files.

Owns: archive. Called by: nobody. May call: licenses, media, discovery, catalog, accounts, core, media_store.
Never: orders, payments.
"""
