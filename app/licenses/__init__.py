"""Licenses: who may use which track, how, and until when.

Owns: license. Called by: orders, playback, downloads, discovery, shelves, storefront.
May call: catalog, accounts, core.
Never: payments, flask.request.
"""
