"""What a source is: a declaration of how the provider behaves, and one verb."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from meshkit.errors import MeshError
from services.aggregator.pair import Pair
from services.aggregator.quote import Tick


@dataclass(frozen=True, slots=True)
class Declaration:
    """
    State how a provider behaves.

    Attributes:
        name: The name in routes, metrics and feeds.
        base_url: The provider's own address; configuration may set another.
        max_batch: How many pairs one fetch may carry; 1 for a provider without batches.
        max_concurrent: How many requests may be under way at once, unless configuration says otherwise.
        cool_down_ms: How long to be silent after a limit answer that does not say how long.
        folds_case: Whether btc/usd is the same pair as BTC/USD there.
        max_age_ms: How old a price may be by the provider's clock.
    """

    name: str
    base_url: str
    max_batch: int
    max_concurrent: int = 10
    cool_down_ms: int = 5_000
    folds_case: bool = True
    max_age_ms: int = 3_600_000

    @property
    def config_key(self) -> str:
        """Return the name in the configuration, which has no dash: exchangeratehost."""
        return self.name.replace("-", "")


TickOutcome = Tick | MeshError


class Source(Protocol):
    """Fetch prices from one provider."""

    @property
    def DECLARATION(self) -> Declaration:
        """Return how the provider behaves."""
        ...

    async def fetch(self, pairs: Sequence[Pair]) -> Mapping[Pair, TickOutcome]:
        """
        Return a tick or an error for each of up to `max_batch` distinct pairs.

        An UnknownPair is among the outcomes only where the provider itself says that it does not have the pair.
        Raises a MeshError that concerns all of them: SourceRateLimited, AccessRefused, ProviderFault, SourceTimeout,
        MalformedAnswer.
        """
        ...
