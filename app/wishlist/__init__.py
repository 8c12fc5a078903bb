"""Wishlist: the releases a person would like to have.

Owns: wish. Called by: storefront. May call: catalog, accounts, core.
Never: cart, orders, licenses.
"""
