"""The sources there are."""

from collections.abc import Callable, Mapping

import aiohttp

from meshkit.clock import Clock
from meshkit.log import get_logger
from services.aggregator.config import AggregatorConfig
from services.aggregator.sources.binance import BinanceSource
from services.aggregator.sources.client import SourceClient
from services.aggregator.sources.coinbase import CoinbaseSource
from services.aggregator.sources.kraken import KrakenSource
from services.aggregator.sources.source import Declaration, Source

log = get_logger(__name__)

_CLASSES: tuple[type[BinanceSource | CoinbaseSource | KrakenSource], ...] = (
    BinanceSource,
    CoinbaseSource,
    KrakenSource,
)
MAKERS: Mapping[str, Callable[[SourceClient, Clock], Source]] = {made.DECLARATION.config_key: made for made in _CLASSES}
DECLARATIONS: Mapping[str, Declaration] = {made.DECLARATION.config_key: made.DECLARATION for made in _CLASSES}


def open_sources(session: aiohttp.ClientSession, config: AggregatorConfig, clock: Clock) -> list[Source]:
    """Return the configured sources that are enabled; one that this version does not have is logged and left out."""
    sources = []
    for settings in config.sources.values():
        if settings.enabled and settings.name not in MAKERS:
            log.warning("source_not_available", source=settings.name, available=sorted(MAKERS))
        elif settings.enabled:
            client = SourceClient(
                session,
                DECLARATIONS[settings.name],
                clock,
                base_url=settings.base_url,
                timeout_ms=settings.timeout_ms,
            )
            sources.append(MAKERS[settings.name](client, clock))
    return sources
