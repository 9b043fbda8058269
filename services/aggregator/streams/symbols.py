"""Which name on a provider's stream is which pair: by its listing; without one by the name, if only one pair has it."""

from typing import Protocol

from services.aggregator.prices.pair import Pair
from services.aggregator.streams.protocol import Dialect


class Markets(Protocol):
    """What a source's REST API lists; streams ask it which symbol a pair is, and tell it which markets are halted."""

    @property
    def is_known(self) -> bool:
        """Tell whether a listing has been loaded."""
        ...

    def symbol(self, pair: Pair) -> str | None:
        """Return the provider's name of a pair, None if it lists no such pair."""
        ...

    def halt(self, pair: Pair) -> str:
        """Return the status in which nobody trades a pair, empty if somebody may."""
        ...

    def tell(self, pair: Pair, status: str) -> None:
        """Note what a stream says of a pair: a status in which nobody trades it, or an empty one."""
        ...

    def tell_all(self, status: str) -> None:
        """Note what a stream says of all pairs, likewise."""
        ...


def symbol_of(pair: Pair, dialect: Dialect, markets: Markets | None) -> str | None:
    """
    Return the name of a pair on a stream, None if the provider has no such pair or it cannot be told which it is.

    BTCUSDT may be BTC/USDT, BTCU/SDT or B/TCUSDT: only the listing says which. Without one, as while REST is refused,
    a name counts that has a single way to be divided into an asset and one of those that the provider quotes in.
    """
    rules = dialect.RULES
    if markets is not None and markets.is_known:
        listed = markets.symbol(pair)
        return listed if listed is None or rules.has_listed_names else dialect.symbol(pair)
    if rules.quotes:
        upper = pair.upper()
        return dialect.symbol(pair) if [upper.quote] == _quotes(upper.base + upper.quote, rules.quotes) else None
    return None if any(rules.separator in asset for asset in pair) else dialect.symbol(pair)


def _quotes(name: str, quotes: frozenset[str]) -> list[str]:
    return [quote for quote in quotes if name.endswith(quote) and name != quote]
