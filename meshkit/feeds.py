"""
The price feeds we know: name, decimals, and the pair each source prices it by.

Three kinds: a `direct` feed is the median of its sources, a `cross` feed the quotient of two pairs that have sources
of their own, and the `market_cap` feed the value of all coins, which is a figure of CoinGecko and not a pair.
`feeds.json` has one feed a line, and the pairs that are only legs of cross feeds (`legs`). It gives no heartbeat and
no deviation yet: the job templates it was made from have none, and the list of contracts that they go with has none for
half of its feeds; of those it has, the defaults below are the most common. A feed with figures of its own there
(`heartbeatMs`, `deviationPpb`) has them instead.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from meshkit.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["direct", "cross", "market_cap"]
CanonicalPair = tuple[str, str]

DEFAULT_HEARTBEAT_MS: Final = 24 * 3600 * 1000
DEFAULT_DEVIATION_PPB: Final = 5_000_000  # 0.5 %


@dataclass(frozen=True, slots=True)
class Correction:
    """
    One change against the job templates of existing deployments, where they price another asset than they say.

    Attributes:
        source: The source's name; of a cross feed also `cross`.
        was: Base and quote in the templates, for `cross` numerator and denominator; None for an addition.
        now: The same now; None for what was taken out.
        reason: What was wrong.
    """

    source: str
    was: CanonicalPair | None
    now: CanonicalPair | None
    reason: str


@dataclass(frozen=True, slots=True)
class Feed:
    """
    One feed.

    Attributes:
        name: For example `BTC / USD`. Never folded: `USDe / USD` and `USDE / USD` are two feeds.
        base: The priced asset.
        quote: The asset the price is in.
        decimals: The contract's answer is the price times ten to this power.
        sources: Base and quote in each source's own spelling, by source name; empty unless the kind is `direct`.
        kind: How the price comes about.
        cross: Of a cross feed the canonical pairs, base and quote, of numerator and denominator: each the pair of a
            direct feed or one of `legs()`.
        heartbeat_ms: After this time the answer is renewed even if the price stands still.
        deviation_ppb: A change of the price by this many parts in a thousand million renews the answer at once.
        corrections: What differs from the job templates, and why.
    """

    name: str
    base: str
    quote: str
    decimals: int
    sources: "Mapping[str, tuple[str, str]]"
    kind: Kind = "direct"
    cross: tuple[CanonicalPair, CanonicalPair] | None = None
    heartbeat_ms: int = DEFAULT_HEARTBEAT_MS
    deviation_ppb: int = DEFAULT_DEVIATION_PPB
    corrections: tuple[Correction, ...] = ()


@cache
def load() -> "Mapping[str, Feed]":
    """Return all known feeds by name."""
    return MappingProxyType({row["name"]: _feed(row) for row in _document()["feeds"]})


@cache
def legs() -> "Mapping[CanonicalPair, Mapping[str, tuple[str, str]]]":
    """Return the sources of the canonical pairs that cross feeds need and that are no feeds themselves."""
    return MappingProxyType({(row["base"], row["quote"]): _sources(row) for row in _document()["legs"]})


@cache
def _document() -> Any:
    return orjson.loads(Path(__file__).with_suffix(".json").read_bytes())


def _feed(row: Any) -> Feed:
    cross = row.get("cross")
    return Feed(
        name=row["name"],
        base=row["base"],
        quote=row["quote"],
        decimals=row["decimals"],
        sources=_sources(row),
        kind=row.get("kind", "direct"),
        cross=None if cross is None else (_pair(cross[0]), _pair(cross[1])),
        heartbeat_ms=row.get("heartbeatMs", DEFAULT_HEARTBEAT_MS),
        deviation_ppb=row.get("deviationPpb", DEFAULT_DEVIATION_PPB),
        corrections=tuple(
            Correction(
                each["source"],
                None if each["was"] is None else _pair(each["was"]),
                None if each["now"] is None else _pair(each["now"]),
                each["reason"],
            )
            for each in row.get("corrections", ())
        ),
    )


def _sources(row: Any) -> "Mapping[str, tuple[str, str]]":
    return MappingProxyType({source: _pair(spelled) for source, spelled in row.get("sources", {}).items()})


def _pair(texts: list[str]) -> CanonicalPair:
    base, quote = texts
    return base, quote


def nearest(name: str) -> str | None:
    """Return the known feed whose name is most like another, if one is like it."""
    import difflib

    # People forget case and spaces; the comparison does too, the feeds do not.
    folded = {known.casefold().replace(" ", ""): known for known in load()}
    found = difflib.get_close_matches(name.casefold().replace(" ", ""), folded, n=1, cutoff=0.5)
    return folded[found[0]] if found else None


def unknown(name: str) -> str:
    """Return the sentence that says a feed is unknown and which known one is nearest."""
    near = nearest(name)
    hint = f"; did you mean {near!r}?" if near else ""
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
