"""Which source's which pair prices which feed."""

from collections.abc import Collection, Iterable, Mapping

from meshkit.errors import InvalidInput
from services.aggregator.errors import UnknownPair
from services.aggregator.pair import Pair


class FeedMap:
    """
    Map the pairs of feeds to the pairs of enabled sources.

    Feeds whose names differ only by case are different feeds, so a pair is looked up as it stands first, and without
    regard to case only where that is unambiguous.
    """

    def __init__(self, feeds: Mapping[Pair, Mapping[str, Pair]], enabled: Collection[str]) -> None:
        self._sources = {
            pair: {source: sources[source] for source in sorted(sources) if source in enabled}
            for pair, sources in feeds.items()
        }
        self._folded: dict[Pair, list[Pair]] = {}
        self._users: dict[tuple[str, Pair], list[Pair]] = {}
        for pair, sources in self._sources.items():
            self._folded.setdefault(pair.upper(), []).append(pair)
            for source, spelled in sources.items():
                self._users.setdefault((source, spelled), []).append(pair)

    def resolve(self, pair: Pair) -> Pair:
        """Return the pair as its feed spells it; raise UnknownPair, or InvalidInput if several feeds differ by case."""
        if pair in self._sources:
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
