"""Which feeds the embedded profile can run: those that the simulated market prices, and the sources they take."""

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Final

from cli.errors import UsageError
from meshkit import feeds

ALL: Final = "all"
SOURCES: Final = ("binance", "kraken", "coinbase")
# Asked only where a feed has too few of the above.
_ANY_COIN: Final = ("bitcoin", "usd")
MORE_SOURCES: Final = ("coingecko", "cryptocompare", "yahoofinance", "bybit", "frankfurter")
# What `mesh.aggregator.minimumSources` is where nobody says otherwise.
_FEWEST: Final = 2

_NOT_INSTALLED: Final = (
    "--profile embedded: the simulated market and the local chain are not installed here; "
    "the development image has them, and so has a checkout"
)


def parse(text: str) -> tuple[str, ...]:
    """Return the feed names of a comma-separated list, of `all` those of every feed the simulated market prices."""
    if text.strip() == ALL:
        return tuple(name for name in feeds.load() if not _obstacle(name))
    return tuple(name.strip() for name in text.split(",") if name.strip())


def check(names: Collection[str]) -> None:
    """Raise UsageError unless the names are those of different feeds that the simulated market prices."""
    if not names:
        raise UsageError(f"FEEDS (--feeds): found none, allowed: {ALL}, or feed names separated by commas")
    for name in names:
        if name not in feeds.load():
            raise UsageError(f"FEEDS (--feeds): {feeds.unknown(name)}")
        if obstacle := _obstacle(name):
            raise UsageError(f"FEEDS (--feeds): {name!r} {obstacle}")
    if any(one == other for one, other in pairwise(sorted(names))):
        raise UsageError("FEEDS (--feeds): a feed is named twice")


def sources(names: Collection[str]) -> tuple[str, ...]:
    """Return the sources that the mesh of these feeds asks, so that each feed has as many as it needs."""
    needed: set[str] = set()
    for name in names:
        for mapping in _mappings(name):
            lacking = min(_FEWEST, len(mapping)) - len({*SOURCES, *needed} & set(mapping))
            more = [source for source in MORE_SOURCES if source in mapping and source not in needed]
            needed |= set(more[: max(0, lacking)])
    return (*SOURCES, *(source for source in MORE_SOURCES if source in needed))


def reference(name: str) -> str | None:
    """Return the pair by whose simulated price a feed's answer can be judged, None where the names differ."""
    feed = feeds.get(name)
    base, quote = feed.base.upper(), feed.quote.upper()
    return f"{base}/{quote}" if {base, quote} <= _assets() else None


def _obstacle(name: str) -> str:
    if not all(any(_trades(*item) for item in mapping.items()) for mapping in _mappings(name)):
        return f"is priced by none of {', '.join((*SOURCES, *MORE_SOURCES))} on the simulated market"
    return ""


def _mappings(name: str) -> Iterator[Mapping[str, tuple[str, str]]]:
    """Give the sources of the feed, or of both legs of a computed one."""
    feed = feeds.get(name)
    if feed.kind == "market_cap":
        # CoinGecko's figure of the whole market, which asks for no coin.
        yield {"coingecko": _ANY_COIN}
        return
    if feed.cross is None:
        yield feed.sources
        return
    for leg in feed.cross:
        yield _direct().get(leg) or feeds.legs()[leg]


@cache
def _direct() -> Mapping[tuple[str, str], Mapping[str, tuple[str, str]]]:
    return {(feed.base, feed.quote): feed.sources for feed in feeds.load().values() if feed.kind == "direct"}


def _trades(source: str, symbols: tuple[str, str]) -> bool:
    base = symbols[0]
    if source == "coingecko":
        return base in _coins()
    if source == "yahoofinance":
        # Such as BTC-USD, or CSPX.L for the exchange in London.
        base = base.partition("-")[0].partition(".")[0]
    return source in (*SOURCES, *MORE_SOURCES) and base.upper() in _assets()


@cache
def _assets() -> frozenset[str]:
    """Return the assets of the simulated market; it is not there where only the product is installed."""
    try:
        from devkit.market.assets import ASSETS
    except ModuleNotFoundError:
        raise UsageError(_NOT_INSTALLED) from None
    return frozenset(ASSETS)


@cache
def _coins() -> frozenset[str]:
    try:
        from devkit.market.dialects.coins import COINS
    except ModuleNotFoundError:
        raise UsageError(_NOT_INSTALLED) from None
    return frozenset(COINS)
