"""Payments: the gateway to Stripe, and the events it sends.

Owns: payment_event. Called by: orders. May call: core, and pricing for its words.
Only `stripe_gateway` imports stripe, and `stripe_reading` says in our words what came back; `sandbox/` is a server of
its own that speaks the part of Stripe's API the shop uses.
Never: orders, licenses.
"""
