"""Which source's which pair prices which feed, and which feeds are computed from others."""

from collections.abc import Callable, Iterable, Mapping

from meshkit.errors import InvalidInput
from services.aggregator.prices.errors import UnknownPair
from services.aggregator.prices.pair import Pair

# Coins meant to be worth a dollar, which exchanges quote in.
STABLECOINS = frozenset({"USDT", "USDC", "DAI", "BUSD", "FDUSD", "TUSD"})


class FeedMap:
    """
    Map the pairs of feeds to the pairs of enabled sources.

    Feeds whose names differ only by case are different feeds, so a pair is looked up as it stands first, and without
    regard to case only where that is unambiguous.

    Args:
        feeds: The pairs with sources of their own, each with the pair every source prices it by.
        folds: The names of the sources there are, each with what returns its one spelling of a pair.
        crosses: The pairs computed as the quotient of two of the above.
        convert: Whether a price in a stablecoin is converted by the coin's own price where the feed is in dollars;
            without it, the mapping of such a pair to the feed says that the coin counts as a dollar.
    """

    def __init__(
        self,
        feeds: Mapping[Pair, Mapping[str, Pair]],
        folds: Mapping[str, Callable[[Pair], Pair]],
        crosses: Mapping[Pair, tuple[Pair, Pair]] | None = None,
        *,
        convert: bool = False,
    ) -> None:
        self._crosses = dict(crosses or {})
        self._convert = convert
        self._sources = {
            pair: {source: folds[source](sources[source]) for source in sorted(sources) if source in folds}
            for pair, sources in feeds.items()
            if pair not in self._crosses
        }
        self._folded: dict[Pair, list[Pair]] = {}
        self._users: dict[tuple[str, Pair], list[Pair]] = {}
        self._dependents: dict[Pair, list[Pair]] = {}
        for pair in (*self._sources, *self._crosses):
            self._folded.setdefault(pair.upper(), []).append(pair)
            for source, spelled in self.sources(pair).items():
                self._users.setdefault((source, spelled), []).append(pair)
            for leg in self.legs(pair):
                self._dependents.setdefault(leg, []).append(pair)

    def resolve(self, pair: Pair) -> Pair:
        """Return the pair as its feed spells it; raise UnknownPair, or InvalidInput if several feeds differ by case."""
        if pair in self._sources or pair in self._crosses:
            return pair
        candidates = self._folded.get(pair.upper(), [])
        if len(candidates) > 1:
            raise InvalidInput("pair", str(pair), "one of " + ", ".join(str(candidate) for candidate in candidates))
        if not candidates:
            raise UnknownPair(pair)
        return candidates[0]

    def sources(self, feed: Pair) -> Mapping[str, Pair]:
        """Return the enabled sources of a feed's pair in the order of their names, each with its own spelling."""
        return self._sources.get(feed, {})

    def users(self, source: str, pair: Pair) -> Iterable[Pair]:
        """Return the feeds' pairs that a source's pair is mapped to."""
        return self._users.get((source, pair), ())

    def cross(self, feed: Pair) -> tuple[Pair, Pair] | None:
        """Return the pairs whose quotient the feed is, numerator first, or None for one with sources of its own."""
        return self._crosses.get(feed)

    def conversion(self, feed: Pair, spelled: Pair) -> Pair | None:
        """Return the pair whose price turns a source's price into the feed's quote asset; None to take it as it is."""
        coin = spelled.quote.upper()
        if not self._convert or coin not in STABLECOINS or feed.quote.upper() != "USD":
            return None
        # A coin's own price in itself, or converted by itself, would say nothing.
        return None if feed.base.upper() == coin else Pair(coin, feed.quote)

    def legs(self, feed: Pair) -> tuple[Pair, ...]:
        """Return the other pairs whose prices the feed's price is computed with."""
        cross = self.cross(feed)
        if cross is not None:
            return cross
        rates = (self.conversion(feed, spelled) for spelled in self.sources(feed).values())
        return tuple(dict.fromkeys(rate for rate in rates if rate is not None))

    def dependents(self, leg: Pair) -> Iterable[Pair]:
        """Return the feeds whose prices are computed with this pair's."""
        return self._dependents.get(leg, ())
