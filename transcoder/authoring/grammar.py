"""The words of a playlist and the shape of their values, after draft-pantos-hls-rfc8216bis (below: RFC)."""

from __future__ import annotations

import re

MAX_LINES = 200_000

# Attribute types, RFC 4.2.
_INTEGER = r"[0-9]{1,20}"
_HEX = r"0[xX][0-9A-Fa-f]+"
_DECIMAL = r"[0-9]{1,20}(?:\.[0-9]+)?"
_SIGNED = r"-?[0-9]{1,20}(?:\.[0-9]+)?"
_STRING = r'"[^"\r\n]*"'
_WORD = r'[^",\s]+'
_RESOLUTION = r"[0-9]{1,9}x[0-9]{1,9}"
_YES_NO = r"YES|NO"
TYPES: dict[str, dict[str, str]] = {
    "EXT-X-STREAM-INF": {
        "BANDWIDTH": _INTEGER,
        "AVERAGE-BANDWIDTH": _INTEGER,
        "SCORE": _DECIMAL,
        "CODECS": _STRING,
        "SUPPLEMENTAL-CODECS": _STRING,
        "RESOLUTION": _RESOLUTION,
        "FRAME-RATE": _DECIMAL,
        "HDCP-LEVEL": r"TYPE-0|TYPE-1|NONE",
        "ALLOWED-CPC": _STRING,
        "VIDEO-RANGE": r"SDR|HLG|PQ",
        "REQ-VIDEO-LAYOUT": _STRING,
        "STABLE-VARIANT-ID": _STRING,
        "AUDIO": _STRING,
        "VIDEO": _STRING,
        "SUBTITLES": _STRING,
        "CLOSED-CAPTIONS": rf"{_STRING}|NONE",
        "PATHWAY-ID": _STRING,
        "URI": _STRING,
    },
    "EXT-X-MEDIA": {
        "TYPE": r"AUDIO|VIDEO|SUBTITLES|CLOSED-CAPTIONS",
        "URI": _STRING,
        "GROUP-ID": _STRING,
        "LANGUAGE": _STRING,
        "ASSOC-LANGUAGE": _STRING,
        "NAME": _STRING,
        "STABLE-RENDITION-ID": _STRING,
        "DEFAULT": _YES_NO,
        "AUTOSELECT": _YES_NO,
        "FORCED": _YES_NO,
        "INSTREAM-ID": _STRING,
        "BIT-DEPTH": _INTEGER,
        "SAMPLE-RATE": _INTEGER,
        "CHARACTERISTICS": _STRING,
        "CHANNELS": _STRING,
    },
    "EXT-X-KEY": {
        "METHOD": r"NONE|AES-128|SAMPLE-AES|SAMPLE-AES-CTR",
        "URI": _STRING,
        "IV": _HEX,
        "KEYFORMAT": _STRING,
        "KEYFORMATVERSIONS": _STRING,
    },
    "EXT-X-MAP": {"URI": _STRING, "BYTERANGE": _STRING},
    "EXT-X-START": {"TIME-OFFSET": _SIGNED, "PRECISE": _YES_NO},
    "EXT-X-SESSION-DATA": {"DATA-ID": _STRING, "VALUE": _STRING, "URI": _STRING, "FORMAT": _WORD, "LANGUAGE": _STRING},
    "EXT-X-CONTENT-STEERING": {"SERVER-URI": _STRING, "PATHWAY-ID": _STRING},
    "EXT-X-DATERANGE": {"ID": _STRING, "CLASS": _STRING, "START-DATE": _STRING, "END-DATE": _STRING},
    "EXT-X-DEFINE": {"NAME": _STRING, "VALUE": _STRING, "IMPORT": _STRING, "QUERYPARAM": _STRING},
    "EXT-X-SKIP": {"SKIPPED-SEGMENTS": _INTEGER},
}
TYPES["EXT-X-I-FRAME-STREAM-INF"] = TYPES["EXT-X-STREAM-INF"]
TYPES["EXT-X-SESSION-KEY"] = TYPES["EXT-X-KEY"]
REQUIRED = {
    "EXT-X-STREAM-INF": ("BANDWIDTH",),
    "EXT-X-I-FRAME-STREAM-INF": ("BANDWIDTH", "URI"),
    "EXT-X-MEDIA": ("TYPE", "GROUP-ID", "NAME"),
    "EXT-X-KEY": ("METHOD",),
    "EXT-X-SESSION-KEY": ("METHOD", "URI"),
    "EXT-X-MAP": ("URI",),
    "EXT-X-START": ("TIME-OFFSET",),
    "EXT-X-SESSION-DATA": ("DATA-ID",),
    "EXT-X-DATERANGE": ("ID",),
    "EXT-X-SKIP": ("SKIPPED-SEGMENTS",),
}
MULTIVARIANT = {
    "EXT-X-STREAM-INF",
    "EXT-X-I-FRAME-STREAM-INF",
    "EXT-X-MEDIA",
    "EXT-X-SESSION-DATA",
    "EXT-X-SESSION-KEY",
    "EXT-X-CONTENT-STEERING",
}
MEDIA = {
    "EXTINF": _DECIMAL + r",.*",
    "EXT-X-TARGETDURATION": _INTEGER,
    "EXT-X-MEDIA-SEQUENCE": _INTEGER,
    "EXT-X-DISCONTINUITY-SEQUENCE": _INTEGER,
    "EXT-X-BYTERANGE": r"[0-9]{1,20}(?:@[0-9]{1,20})?",
    "EXT-X-DISCONTINUITY": "",
    "EXT-X-ENDLIST": "",
    "EXT-X-I-FRAMES-ONLY": "",
    "EXT-X-GAP": "",
    "EXT-X-PLAYLIST-TYPE": r"EVENT|VOD",
    "EXT-X-PROGRAM-DATE-TIME": r"\S+",
    "EXT-X-BITRATE": _INTEGER,
    "EXT-X-KEY": None,
    "EXT-X-MAP": None,
    "EXT-X-DATERANGE": None,
    "EXT-X-SKIP": None,
    "EXT-X-PART-INF": r".+",
    "EXT-X-PART": r".+",
    "EXT-X-SERVER-CONTROL": r".+",
    "EXT-X-PRELOAD-HINT": r".+",
    "EXT-X-RENDITION-REPORT": r".+",
}
EITHER = {"EXT-X-VERSION": _INTEGER, "EXT-X-INDEPENDENT-SEGMENTS": "", "EXT-X-START": None, "EXT-X-DEFINE": None}
ONCE = {
    "EXT-X-VERSION",
    "EXT-X-TARGETDURATION",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-DISCONTINUITY-SEQUENCE",
    "EXT-X-PLAYLIST-TYPE",
    "EXT-X-I-FRAMES-ONLY",
    "EXT-X-INDEPENDENT-SEGMENTS",
    "EXT-X-START",
    "EXT-X-ENDLIST",
}
ATTRIBUTE = re.compile(r'(?P<name>[A-Z0-9-]+)=(?P<value>"[^"\r\n]*"|[^",\s]+)(?P<end>,|$)')
