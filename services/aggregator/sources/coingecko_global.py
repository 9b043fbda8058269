"""CoinGecko API v3, `/global`: the value of all coins together and what belongs to it, computed every ten minutes."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from meshkit.clock import Clock
from services.aggregator.sources.client import SourceClient
from services.aggregator.sources.source import UNLIMITED

# Clocks differ; a time further ahead than this is no time.
_AHEAD_MS = 5 * 60_000
_PATH = "/api/v3/global"


def _finite(number: Decimal) -> Decimal:
    if not number.is_finite() or abs(number.adjusted()) > 40:
        raise ValueError("not a plausible number")
    return number


Figure = Annotated[Decimal, AfterValidator(_finite)]
Money = Annotated[Figure, Field(ge=0)]


class GlobalFigures(BaseModel):
    """What CoinGecko answers, as far as it is passed on; `updated_at` is a Unix time in seconds."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    total_market_cap: dict[str, Money]
    total_volume: dict[str, Money]
    market_cap_percentage: dict[str, Money]
    market_cap_change_percentage_24h_usd: Figure
    active_cryptocurrencies: Annotated[int, Field(ge=0)]
    markets: Annotated[int, Field(ge=0)]
    updated_at: Annotated[int, Field(gt=0)]


class CoinGeckoGlobal:
    """Fetch the figures of all coins."""

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def fetch(self) -> GlobalFigures:
        """Return the figures, with a value in dollars; raise as the client, MalformedAnswer for impossible ones."""
        answer = await self._client.get(_PATH, limiter=UNLIMITED)
        if answer.status != 200:
            raise self._client.fault(f"HTTP {answer.status}")
        try:
            figures = GlobalFigures.model_validate(answer.fields.get("data"))
        except ValidationError as error:
            first: Any = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise self._client.malformed(f"global data: {where}: {first['msg']}") from None
        if not figures.total_market_cap.get("usd"):
            raise self._client.malformed("global data without a market capitalisation in usd")
        if figures.updated_at * 1000 > self._clock.time_ms() + _AHEAD_MS:
            raise self._client.malformed(f"global data of the future: updated_at is {figures.updated_at}")
        return figures
