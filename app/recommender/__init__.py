"""Recommender: the mathematics of taste over sparse matrices, for arrays that somebody else read and will store.

Owns: nothing. Called by: discovery, shelves, bench.
May call: numpy, scipy and implicit, the heavy ones only where used.
Never: the database, Flask, the clock, another room.
"""
