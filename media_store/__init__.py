"""Media store: masters, renditions, downloads and covers as objects in S3.

Owns: the bucket. Called by: app, transcoder. May call: nothing of ours.
Never: the database, Flask.
"""
