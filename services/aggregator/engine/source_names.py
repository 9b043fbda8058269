"""The names of sources: which there are, which of them are asked, and how each spells a pair."""

from collections.abc import Callable, Collection, Mapping

from services.aggregator.config import AggregatorConfig
from services.aggregator.prices.errors import SourceDisabled, UnknownSource
from services.aggregator.prices.pair import Pair
from services.aggregator.sources.catalog import DECLARATIONS


class SourceNames:
    """
    Know the configured sources, and those that are asked.

    Args:
        folds: The names of those that are asked, each with what returns its one spelling of a pair.
    """

    def __init__(self, config: AggregatorConfig, folds: Mapping[str, Callable[[Pair], Pair]]) -> None:
        self._folds = folds
        # The configuration spells a source without the dash that its route has.
        named = (DECLARATIONS[key].name if key in DECLARATIONS else key for key in config.sources)
        self.known = sorted({*named, *self._folds})

    @property
    def enabled(self) -> Collection[str]:
        """Return the sources that are asked."""
        return self._folds.keys()

    def fold(self, source: str, pair: Pair) -> Pair:
        """Return an enabled source's one spelling of all those that are the same pair there."""
        return self._folds[source](pair)

    def require_known(self, source: str) -> None:
        """Raise UnknownSource for a source that is not configured."""
        if source not in self.known:
            raise UnknownSource(source, ", ".join(self.known))

    def require_enabled(self, source: str) -> None:
        """Raise UnknownSource for a source that is not configured, SourceDisabled for one that is not asked."""
        self.require_known(source)
        if source not in self._folds:
            raise SourceDisabled(source)
