"""Sandbox: a server of its own that speaks the part of Stripe's API the shop uses. No money moves.

Owns: its SQLite file. Called by: nobody; the shop reaches it over HTTP, through stripe-python, as it reaches Stripe.
May call: nothing of the shop's, so that a mistake in the shop can't hide in it.

`api` and `control` are the doors (Stripe's, and its own), `pages` the buyer's; `endpoints` is what the API can do,
`payments`, `refunds` and `disputes` what happens to money, `tax` what would be taxed, `bank` who hears of it, `state`
and `outbox` what is kept.
"""
