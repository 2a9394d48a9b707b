"""JSON as servers really send it."""

import json

import orjson


def loads(raw: bytes) -> object:
    """The value of a JSON text. Raises ValueError.

    orjson is quick but strict. What it refuses is tried once more with the standard library, which
    takes half a surrogate pair in a string: one odd text must not cost the whole answer.
    """
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        try:
            return json.loads(raw)
        except RecursionError as err:
            raise ValueError("nested too deeply") from err
