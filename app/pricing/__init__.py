"""Pricing: what a buyer pays for what they want: price lists, coupons, tax, and the quote an order is made of.

Owns: coupon, coupon_terms, coupon_scope, coupon_code, coupon_use, coupon_tally, tax_evidence.
Called by: cart, orders, discovery, studio, storefront. May call: catalog, accounts, audit, core. Never: licenses, cart,
orders, payments: what a buyer owns, has paid and has ordered comes as plain values from the caller.
"""
