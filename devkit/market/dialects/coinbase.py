"""Coinbase Exchange REST: one product a call, the trade's own time, errors as a message with an HTTP status."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Final

from aiohttp import web

from devkit.market.assets import FIAT, TOKENS
from devkit.market.dialects.dialect import Dialect, answer, share
from devkit.market.dialects.dialect import text as _text
from devkit.market.process import Pair
from devkit.market.venue import Market, Venue, market
from meshkit.clock import Clock

_CROSS_BASES: Final = ("BTC", "ETH", "SOL", "LTC", "ADA", "DOT", "LINK")
_STAKED_IN_ETHER: Final = ("CBETH", "LSETH")


@cache
def _listing() -> dict[str, Market]:
    # The real exchange trades no state's money against the dollar. The feeds that deployments have ask this source for
    # many of them all the same; without them such a feed would have one simulated source or none.
    pairs = [Pair(symbol, "USD") for symbol in (*TOKENS, *sorted(FIAT)) if symbol != "USD"]
    pairs += [Pair(base, quote) for base in _CROSS_BASES for quote in ("EUR", "GBP", "USDT")]
    pairs += [Pair(base, "BTC") for base in _CROSS_BASES if base != "BTC"]
    pairs += [Pair(base, "ETH") for base in _STAKED_IN_ETHER]
    return {f"{pair.base}-{pair.quote}": market(pair, most_decimals=10) for pair in pairs}


class Coinbase(Dialect):
    """Speak Coinbase Exchange."""

    source = "coinbase"

    def __init__(self, venue: Venue, clock: Clock) -> None:
        super().__init__(venue, clock)
        self.markets = _listing()

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths and their handlers."""
        return (
            web.get("/time", self._time),
            web.get("/products", self._products),
            web.get("/products/{id}", self._product),
            web.get("/products/{id}/ticker", self._ticker),
        )

    def limit_answers(self) -> Mapping[str, web.Response]:
        """Return HTTP 429."""
        return {"public": answer({"message": "Public rate limit exceeded"}, status=429)}

    async def _time(self, _request: web.Request) -> web.Response:
        now_ms = self.clock.time_ms()
        return answer({"iso": _time_text(now_ms), "epoch": now_ms / 1000})

    async def _products(self, _request: web.Request) -> web.Response:
        return answer([_product_info(name, self.venue.listed(listed)) for name, listed in self.markets.items()])

    async def _product(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        listed = self.markets.get(name)
        return _not_found() if listed is None else answer(_product_info(name, self.venue.listed(listed)))

    async def _ticker(self, request: web.Request) -> web.Response:
        listed = self.markets.get(request.match_info["id"])
        if listed is None:
            return _not_found()
        tick = self.tick(listed)
        return answer(
            {
                "ask": _text(tick.ask),
                "bid": _text(tick.bid),
                "volume": _text(tick.volume),
                "trade_id": tick.trade_id,
                "price": _text(tick.last),
                "size": _text(share(tick.volume, 100_000)),
                "time": _time_text(tick.time_ms),
            }
        )


def _not_found() -> web.Response:
    return answer({"message": "NotFound"}, status=404)


def _time_text(t_ms: int) -> str:
    """Return RFC 3339 with milliseconds: 2020-03-20T00:22:57.833Z."""
    seconds, rest_ms = divmod(t_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ms:03d}Z"


def _product_info(name: str, listed: Market) -> dict[str, object]:
    pair = listed.pair
    return {
        "id": name,
        "base_currency": pair.base,
        "quote_currency": pair.quote,
        "quote_increment": _text(listed.increment),
        "base_increment": "0.00000001",
        "display_name": f"{pair.base}/{pair.quote}",
        "min_market_funds": "1",
        "margin_enabled": False,
        "post_only": False,
        "limit_only": False,
        "cancel_only": False,
        "status": "online",
        "status_message": "",
        "trading_disabled": not listed.trading,
        "fx_stablecoin": False,
        "auction_mode": False,
    }
