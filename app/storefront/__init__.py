"""Storefront: the pages a listener browses. Home, search, release, artist, library.

Owns: no table. Called by: nobody.
May call: shelves, catalog, licenses, media, discovery, playback, cart, orders, accounts, core.
Never: writes, but for telling discovery which release was looked at.
"""
