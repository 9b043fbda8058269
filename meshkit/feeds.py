"""
The price feeds we know: name, decimals, and the pair each source prices it by.

Feeds computed from two legs (ETH-priced ones) are not listed yet, nor are pairs known to price another asset.
"""

import difflib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import orjson

from meshkit.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Feed:
    """
    One feed.

    Attributes:
        name: For example `BTC / USD`. Never folded: `USDe / USD` and `USDE / USD` are two feeds.
        base: The priced asset.
        quote: The asset the price is in.
        decimals: The contract's answer is the price times ten to this power.
        sources: Base and quote in each source's own spelling, by source name.
    """

    name: str
    base: str
    quote: str
    decimals: int
    sources: "Mapping[str, tuple[str, str]]"


@cache
def load() -> "Mapping[str, Feed]":
    """Return all known feeds by name."""
    rows = orjson.loads(Path(__file__).with_suffix(".json").read_bytes())
    feeds = {
        row["name"]: Feed(
            name=row["name"],
            base=row["base"],
            quote=row["quote"],
            decimals=row["decimals"],
            sources=MappingProxyType({source: (base, quote) for source, (base, quote) in row["sources"].items()}),
        )
        for row in rows
    }
    return MappingProxyType(feeds)


def unknown(name: str) -> str:
    """Return the sentence that says a feed is unknown and which known one is nearest."""
    # People forget case and spaces; the comparison does too, the feeds do not.
    folded = {known.casefold().replace(" ", ""): known for known in load()}
    nearest = difflib.get_close_matches(name.casefold().replace(" ", ""), folded, n=1, cutoff=0.5)
    hint = f"; did you mean {folded[nearest[0]]!r}?" if nearest else ""
    return f"unknown feed {name!r}{hint} (`feedmesh feeds --known` lists the {len(load())} known ones)"


class UnknownFeed(NotFound):
    """No feed has this name."""

    reason = "UNKNOWN_FEED"

    def __init__(self, name: str) -> None:
        super().__init__("feed", name)

    def __str__(self) -> str:
        return unknown(self.name)


def get(name: str) -> Feed:
    """Return the feed of that name. Raises UnknownFeed, which suggests the nearest name."""
    if (feed := load().get(name)) is None:
        raise UnknownFeed(name)
    return feed
