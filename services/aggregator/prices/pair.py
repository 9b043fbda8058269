"""An ordered pair of assets, and how callers spell it."""

import re
from typing import NamedTuple

from meshkit.errors import InvalidInput

# No slash, comma, quote or space: a pair goes into paths, comma lists and JSON arrays of other systems.
ASSET_PATTERN = r"[A-Za-z0-9+._$-]{1,50}"
_WITHOUT_DASH = ASSET_PATTERN.replace("-]", "]")
# With a slash, assets may contain a dash.
PAIR_PATTERN = f" ?{ASSET_PATTERN} ?/ ?{ASSET_PATTERN} ?| ?{_WITHOUT_DASH} ?- ?{_WITHOUT_DASH} ?"
_ASSET_RULE = "1 to 50 of the characters A-Z a-z 0-9 + . _ $ -"
PAIR_RULE = f"BASE-QUOTE or BASE/QUOTE, each asset of {_ASSET_RULE}"
_ASSET = re.compile(ASSET_PATTERN)
_PAIR = re.compile(PAIR_PATTERN)


class Pair(NamedTuple):
    """Name the asset that is priced and the asset the price is in."""

    base: str
    quote: str

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"

    def upper(self) -> "Pair":
        """Return the pair in upper case."""
        return Pair(self.base.upper(), self.quote.upper())


def pair_of(base: str, quote: str, field: str) -> Pair:
    """Return the pair of two assets; raise InvalidInput naming the field if one of them is not an asset's name."""
    for name, asset in (("base", base), ("quote", quote)):
        if not _ASSET.fullmatch(asset):
            raise InvalidInput(f"{field}.{name}", asset, _ASSET_RULE)
    return Pair(base, quote)


def parse_pair(text: str, field: str) -> Pair:
    """
    Return the pair of a text such as BTC-USD, BTC/USD or BTC / USD.

    A text with a slash is split there, so that assets may contain a dash; without one it must have exactly one dash.
    Raises InvalidInput naming the field and the text.
    """
    if not _PAIR.fullmatch(text):
        raise InvalidInput(field, text, PAIR_RULE)
    base, quote = text.split("/" if "/" in text else "-")
    return Pair(base.strip(), quote.strip())
