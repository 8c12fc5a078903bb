"""Discovery: what people do becomes events, events become a model, the model ranks for shelves.

Owns: event, taste, opinion, recommender_model, release_vector, account_vector.
Called by: orders, playback, downloads, cart, wishlist, shelves, storefront.
May call: catalog, licenses, media, accounts, core.
Never: trains inside a request.
"""
