"""Wishlist: the releases a person would like to have.

Owns: wish. Called by: storefront. May call: discovery, catalog, accounts, core.
Never: cart, orders, licenses.
"""
