"""Binance spot stream: mini tickers, last trade at most once a second, unknown symbols accepted in silence."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.streams.protocol import (
    Complaint,
    Confirmed,
    Event,
    Failed,
    Leave,
    Price,
    Rules,
    dump,
    dump_shown,
    other,
    request_of,
    words,
)

_KIND = "@miniTicker"
_QUOTES = """
    AEUR ARS BIDR BNB BRL BTC BUSD COP CZK DAI DOGE ETH EUR EURI FDUSD GBP IDR IDRT JPY MXN NGN PLN RON RUB SOL TRX TRY
    TUSD UAH USD USD1 USDC USDE USDP USDT VAI XRP XUSD ZAR
"""
BINANCE_QUOTES = frozenset(_QUOTES.split())


class BinanceStream:
    """Speak Binance's raw stream; the server pings on the level of the protocol."""

    RULES: ClassVar[Rules] = Rules(
        source="binance",
        price_frame=re.compile(r'\{"e":"24hrMiniTicker",[^{}]*?"s":"([A-Z0-9]+)"[^{}]*\}'),
        url="wss://stream.binance.com:9443/ws",
        regions={"api.binance.us": "wss://stream.binance.us:9443/ws"},
        quotes=BINANCE_QUOTES,
        batch=200,
        symbols_per_connection=1_000,  # of 1024
        message_gap_s=0.25,  # 5 messages a second, our pongs among them
        connect_gap_s=1.0,  # 300 in 5 minutes
        silence_s=60.0,  # it pings every 20 s
        lifetime_s=23 * 3_600.0,  # it closes after 24 hours
    )

    def symbol(self, pair: Pair) -> str:
        """Return the name without a separator."""
        return f"{pair.base}{pair.quote}".upper()

    def subscribe(self, symbols: Sequence[str], request_id: int) -> str:
        """Return the request for the mini tickers."""
        return self._request("SUBSCRIBE", symbols, request_id)

    def unsubscribe(self, symbols: Sequence[str], request_id: int) -> str:
        """Return the request to end the mini tickers."""
        return self._request("UNSUBSCRIBE", symbols, request_id)

    def read(self, message: Any) -> Iterable[Event]:
        """Return the events of a raw or combined message."""
        fields, stream = shapes.record(message, "message"), None
        if "stream" in fields:
            stream, fields = shapes.text(fields, "stream"), shapes.record(fields.get("data"), "data")
        kind = fields.get("e")
        if kind == "24hrMiniTicker":
            symbol = shapes.text(fields, "s")
            if stream is not None:
                shapes.expect({"stream": stream}, "stream", symbol.lower() + _KIND)
            return [Price(symbol, Tick(shapes.price(fields, "c"), shapes.time_ms(fields, "E")))]
        if kind == "serverShutdown":
            return [Leave("server shutdown")]
        if request_of(fields, "id") and "result" in fields:
            return [Confirmed(request_id=request_of(fields, "id"))]
        return [self._error(fields)] if "error" in fields or "code" in fields else [other(fields)]

    @staticmethod
    def _error(fields: shapes.Record) -> Event:
        found = fields.get("error", fields)
        reason = words(f"{found.get('code')} {found.get('msg')}" if isinstance(found, dict) else dump_shown(fields))
        request_id = request_of(fields, "id")
        return Failed(request_id, reason) if request_id else Complaint(reason)

    @staticmethod
    def _request(method: str, symbols: Sequence[str], request_id: int) -> str:
        return dump({"method": method, "params": [symbol.lower() + _KIND for symbol in symbols], "id": request_id})
