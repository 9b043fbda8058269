"""Binance spot stream: mini tickers, last trade at most once a second, unknown symbols accepted in silence."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.streams.protocol import Alive, Confirmed, Event, Failed, Leave, Price, Rules, dump


class BinanceStream:
    """Speak Binance's raw stream; the server pings on the level of the protocol."""

    RULES: ClassVar[Rules] = Rules(
        source="binance",
        url="wss://stream.binance.com:9443/ws",
        regions={"api.binance.us": "wss://stream.binance.us:9443/ws"},
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
        if "stream" in message:
            message = message["data"]
        kind = message.get("e")
        if kind == "24hrMiniTicker":
            return [Price(message["s"], Tick(message["c"], message["E"]))]
        if kind == "serverShutdown":
            return [Leave("server shutdown")]
        if message.get("id") is not None:
            request_id = str(message["id"])
            if "result" in message:
                return [Confirmed(request_id=request_id)]
            error = message.get("error", message)
            return [Failed(request_id, f"{error.get('code')} {error.get('msg')}")]
        return [Alive()]

    @staticmethod
    def _request(method: str, symbols: Sequence[str], request_id: int) -> str:
        return dump(
            {"method": method, "params": [f"{symbol.lower()}@miniTicker" for symbol in symbols], "id": request_id}
        )
