"""Cart: what a person, or a guest, means to buy.

Owns: cart, cart_item. Called by: orders, shelves, storefront. May call: pricing, catalog, licenses, discovery,
accounts, core, and payments for rates of tax. Never: orders.
"""
