"""Make the sources that the configuration asks for."""

from collections.abc import Iterable
from urllib.parse import quote, urlsplit

import aiohttp

from meshkit.clock import Clock
from meshkit.log import add_secret, get_logger
from services.aggregator.own_clock import OwnClock
from services.aggregator.sources.catalog import MAKERS
from services.aggregator.sources.client import SourceClient
from services.aggregator.sources.settings import SourceConfig
from services.aggregator.sources.source import Source

_log = get_logger(__name__)


def open_sources(
    session: aiohttp.ClientSession,
    configs: Iterable[SourceConfig],
    clock: Clock,
    own_clock: OwnClock | None = None,
) -> list[Source]:
    """Return the configured sources that are enabled; one whose required key is missing is logged and left out."""
    sources = []
    for settings in configs:
        if not settings.enabled:
            continue
        declared = MAKERS[settings.name].DECLARATION
        api_key = (settings.api_key or "").strip() or None  # keys are pasted with line ends
        if declared.key is not None and declared.key.required and api_key is None:
            _log.warning("source_off", source=declared.name, reason="it needs a key and apiKey is not set")
            continue
        _hide(api_key, settings.proxy)
        client = SourceClient(
            session,
            declared,
            clock,
            base_url=settings.base_url,
            timeout_ms=settings.timeout_ms,
            api_key=api_key,
            proxy=settings.proxy,
            own_clock=own_clock,
        )
        sources.append(MAKERS[settings.name](client, clock))
    return sources


def _hide(api_key: str | None, proxy: str | None) -> None:
    """Keep a key and a proxy's password out of the logs, also as they stand in a URL."""
    for secret in (api_key, urlsplit(proxy).password if proxy else None):
        if secret:
            add_secret(secret)
            add_secret(quote(secret, safe=""))
