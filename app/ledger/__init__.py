"""The ledger: every movement of money, in double entry, written once and never changed.

Owns: ledger_entry, ledger_posting. Called by: orders. May call: core.
Never: payments, flask.request.
"""
