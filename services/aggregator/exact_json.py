"""JSON with exact numbers."""

import json
from decimal import Decimal

import orjson

_DECODER = json.JSONDecoder(parse_float=Decimal)


def loads(text: str | bytes) -> object:
    """
    Return the value of a JSON text from a provider, numbers with a fraction as Decimal; raise ValueError for any other.

    Binary floats would change digits. orjson reads the text first: it bounds the nesting, whatever the interpreter's
    recursion limit is, and refuses NaN and what else the json module lets pass.
    """
    orjson.loads(text)
    return _DECODER.decode(text if isinstance(text, str) else text.decode())
