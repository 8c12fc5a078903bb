"""Studio: what editors do. Upload masters, edit metadata, set prices, publish; and import folders.

Owns: upload. Called by: cli, demo. May call: media, pricing (which states a name
stands for), catalog, accounts, audit, core, media_store, transcoder.probe.
Never: orders, licenses.
"""
