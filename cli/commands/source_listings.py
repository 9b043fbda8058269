"""
What sources say that they have prices of, asked for at the addresses of a configuration or at their own.

The rest of the sources have no list that is free for all to read.
"""

import asyncio
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from meshkit.feeds import CanonicalPair

if TYPE_CHECKING:
    import aiohttp

    from meshkit.configuration.aggregator import PriceAggregatorConfig

TIMEOUT_S: Final = 10.0
# What Kraken calls by names of its own.
_KRAKEN_NAMES: Final = {"XBT": "BTC", "XDG": "DOGE"}


@dataclass(frozen=True, slots=True)
class Listing:
    """
    Hold what a source has: pairs, or any of the bases in any of the quotes.

    Attributes:
        problem: Why there is nothing to look at; empty for a listing that was read.
    """

    pairs: frozenset[CanonicalPair] = frozenset()
    bases: frozenset[str] = frozenset()
    quotes: frozenset[str] = frozenset()
    problem: str = ""

    def __contains__(self, pair: CanonicalPair) -> bool:
        return pair in self.pairs or (pair[0] in self.bases and pair[1] in self.quotes)

    @property
    def summary(self) -> str:
        """Return in a few words what it is."""
        return self.problem or f"{len(self.pairs or self.bases)} listed"


@dataclass(frozen=True, slots=True)
class Book:
    """State where a source lists what it has, and how to read that."""

    base_url: str
    paths: tuple[str, ...]
    read: Callable[..., Listing]


def _traded(rows: Any, base: str, quote: str, is_traded: Callable[[Any], bool]) -> Listing:
    return Listing(frozenset((row[base], row[quote]) for row in rows if is_traded(row)))


def _kraken(answer: Any) -> Listing:
    # Some entries have no name of this kind, and are not for everybody.
    rows = [row for row in answer["result"].values() if "/" in row.get("wsname", "") and row["status"] == "online"]
    names = [row["wsname"].split("/") for row in rows]
    return Listing(frozenset((_KRAKEN_NAMES.get(b, b), _KRAKEN_NAMES.get(q, q)) for b, q in names))


BOOKS: Final[Mapping[str, Book]] = {
    "binance": Book(
        "https://api.binance.com",
        ("/api/v3/exchangeInfo",),
        lambda answer: _traded(
            answer["symbols"], "baseAsset", "quoteAsset", lambda row: bool(row["status"] == "TRADING")
        ),
    ),
    "bybit": Book(
        "https://api.bybit.com",
        ("/v5/market/instruments-info?category=spot",),
        lambda answer: _traded(
            answer["result"]["list"], "baseCoin", "quoteCoin", lambda row: bool(row["status"] == "Trading")
        ),
    ),
    "coinbase": Book(
        "https://api.exchange.coinbase.com",
        ("/products",),
        lambda answer: _traded(answer, "base_currency", "quote_currency", lambda row: bool(row["status"] == "online")),
    ),
    "coingecko": Book(
        "https://api.coingecko.com",
        ("/api/v3/coins/list", "/api/v3/simple/supported_vs_currencies"),
        lambda coins, currencies: Listing(
            bases=frozenset(coin["id"] for coin in coins), quotes=frozenset(name.upper() for name in currencies)
        ),
    ),
    "frankfurter": Book(
        "https://api.frankfurter.dev",
        ("/v1/currencies",),
        lambda answer: Listing(bases=frozenset(answer), quotes=frozenset(answer)),
    ),
    "kraken": Book("https://api.kraken.com", ("/0/public/AssetPairs",), _kraken),
    "kucoin": Book(
        "https://api.kucoin.com",
        ("/api/v2/symbols",),
        lambda answer: _traded(answer["data"], "baseCurrency", "quoteCurrency", lambda row: bool(row["enableTrading"])),
    ),
    "okx": Book(
        "https://www.okx.com",
        ("/api/v5/public/instruments?instType=SPOT",),
        lambda answer: _traded(answer["data"], "baseCcy", "quoteCcy", lambda row: bool(row["state"] == "live")),
    ),
}


async def fetch(
    config: "PriceAggregatorConfig | None", names: Container[str] = BOOKS, egress: Iterable[str] | None = None
) -> dict[str, Listing]:
    """
    Return the listing of each source that has one, asked for all at once; one not reached says so.

    Args:
        config: Where the sources are asked; None for their own addresses.
        names: Which sources are asked.
        egress: The hosts beyond this one that may be asked; None for any.
    """
    # Here, since who asks nobody is not to pay for it.
    import aiohttp

    from meshkit.egress.connector import EgressConnector

    books = {name: book for name, book in BOOKS.items() if name in names}
    async with aiohttp.ClientSession(
        connector=EgressConnector(egress),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        headers={"User-Agent": "feedmesh"},
    ) as session:
        found = await asyncio.gather(*(_listing(session, name, book, config) for name, book in books.items()))
    return dict(zip(books, found, strict=True))


async def _listing(
    session: "aiohttp.ClientSession", name: str, book: Book, config: "PriceAggregatorConfig | None"
) -> Listing:
    import aiohttp

    from meshkit.http.failure_words import in_words

    given = next((source for key, source in config.sources.items() if key == name), None) if config else None
    base_url, proxy = book.base_url, None
    if config is not None and given is not None:
        base_url = (given.base_url or book.base_url).rstrip("/")
        proxy = config.proxy if given.use_proxy is True else given.use_proxy or None
    try:
        answers = [await _get(session, base_url + path, proxy) for path in book.paths]
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Listing(problem=f"not reachable ({in_words(error, base_url)})")
    try:
        listing = book.read(*map(orjson.loads, answers))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Listing(problem="not reachable (what answered is no listing)")
    if not listing.pairs and not listing.bases:
        return Listing(problem="not reachable (the listing is empty)")
    return listing


async def _get(session: "aiohttp.ClientSession", url: str, proxy: str | None) -> bytes:
    async with session.get(url, proxy=proxy, raise_for_status=True) as response:
        return await response.read()
