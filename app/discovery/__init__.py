"""Discovery: what people do becomes events, events become a model, the model becomes shelves.

Owns: event, taste, opinion, recommender_model, release_vector, account_vector.
Called by: orders, playback, downloads, cart, wishlist, storefront.
May call: catalog, licenses, media, pricing, accounts, core.
Never: trains inside a request.
"""
