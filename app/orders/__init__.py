"""Orders: cart → checkout → order → paid → fulfilled → given back; and what is claimed, and what a person must look at.

Owns: customer_order, order_line, order_refund, claim, payment_case. Called by: shelves, storefront, cli, demo.
May call: cart, payments, licenses, ledger, pricing, letters, discovery, catalog, accounts, audit, core.
Never: stripe, media.
"""
