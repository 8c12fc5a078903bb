"""Media: masters, transcode jobs and renditions as rows; publishes what the transcoder reports.

Owns: master, stream_key, transcode_job, film_chunk, rendition, inspection, sound_alike, sound.
Called by: studio, playback, downloads, storefront, shelves, discovery, cli.
May call: catalog, core, media_store, transcoder.
Never: licenses, orders.
"""
