#!/usr/bin/env python3
"""Writes ndjson with one column a line, as `name: value`, and a blank line after each record. Values keep their text."""

import json
import sys

decoder = json.JSONDecoder()
for line in sys.stdin:
    at = 0
    while line[at] != "}":  # at '{' or ',': a name, ':' and a value follow
        name, colon = decoder.raw_decode(line, at + 1)
        _, end = decoder.raw_decode(line, colon + 1)
        print("%s: %s" % (name, line[colon + 1:end]))
        at = end
    print()
