"""The ledger: every movement of money, in double entry, written once and never changed.

Owns: ledger_entry, ledger_posting. Called by: orders, factory (its page for staff). May call: core.
Never: payments, or any room above; flask.request outside routes.
"""
