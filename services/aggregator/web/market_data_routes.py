"""Routes of the value of all coins: the figures as existing jobs read them, and how old they are."""

from collections.abc import Mapping
from decimal import Decimal

import orjson
from aiohttp import web

from services.aggregator.engine.market_data import MarketData
from services.aggregator.prices.price import plain_text
from services.aggregator.sources.coingecko_global import GlobalFigures
from services.aggregator.web.quote_json import Json, time_text


def routes(market: MarketData) -> list[web.RouteDef]:
    """Return `/market-data/global` and `/market-data/global/status`."""

    async def show(_request: web.Request) -> web.Response:
        return web.json_response(body=orjson.dumps(figures_json(market.figures())))

    async def status(_request: web.Request) -> web.Response:
        return web.json_response(body=orjson.dumps(status_json(market)))

    return [web.get("/market-data/global", show), web.get("/market-data/global/status", status)]


def figures_json(figures: GlobalFigures) -> Json:
    """Return the figures as existing jobs read them."""
    return {
        "totalMarketCap": _numbers(figures.total_market_cap),
        "totalVolume": _numbers(figures.total_volume),
        "marketCapPercentage": _numbers(figures.market_cap_percentage),
        "marketCapChangePercentage24h": _number(figures.market_cap_change_percentage_24h_usd),
        "activeCryptocurrencies": figures.active_cryptocurrencies,
        "markets": figures.markets,
        "updatedAt": time_text(figures.updated_at * 1000),
    }


def status_json(market: MarketData) -> Json:
    """Return whether there are figures that may be served, their age, and their time."""
    updated_ms = market.updated_ms
    return {
        "enabled": market.is_enabled,
        "available": market.is_available,
        "dataAgeMs": market.age_ms,
        "lastUpdateAt": None if updated_ms is None else time_text(updated_ms),
    }


def _number(number: Decimal) -> orjson.Fragment:
    """Return a JSON number with all its digits."""
    return orjson.Fragment(plain_text(number))


def _numbers(numbers: Mapping[str, Decimal]) -> dict[str, orjson.Fragment]:
    return {name: _number(number) for name, number in numbers.items()}
