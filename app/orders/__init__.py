"""Orders: cart → checkout → order → paid → fulfilled.

Owns: customer_order, order_line. Called by: storefront, cli, demo.
May call: cart, payments, licenses, discovery, catalog, accounts, core.
Never: stripe, media.
"""
