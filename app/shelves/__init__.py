"""Shelves: what is shown to whom, in which order, and why.

Owns: what editors put forward, trials of one way against another, and what was shown and followed.
Called by: storefront, cli. May call: orders, discovery, recommender, licenses, cart, media, catalog, accounts, audit,
core. Never: learns; that is discovery's, whose model it asks.
"""
