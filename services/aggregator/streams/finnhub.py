"""Finnhub stream: trades, several a message; needs a key; one symbol a message and no acknowledgements."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.streams.protocol import Alive, Complaint, Event, Price, Rules, dump

FIATS = frozenset({"AUD", "CAD", "CHF", "CNY", "EUR", "GBP", "JPY", "MXN", "NZD", "SEK", "SGD", "TRY", "USD", "ZAR"})


class FinnhubStream:
    """Speak Finnhub's trades."""

    RULES: ClassVar[Rules] = Rules(
        source="finnhub",
        url="wss://ws.finnhub.io",
        key_parameter="token",
        acknowledges=False,
        batch=1,
        symbols_per_connection=50,  # of a free key
        most_connections=1,
        message_gap_s=0.1,
        connect_gap_s=5.0,
        silence_s=120.0,  # it pings about once a minute
    )

    def symbol(self, pair: Pair) -> str:
        """Return the name at Oanda for two currencies of states, else the name at Binance."""
        base, quote = pair.upper()
        return f"OANDA:{base}_{quote}" if {base, quote} <= FIATS else f"BINANCE:{base}{quote}"

    def subscribe(self, symbols: Sequence[str], request_id: int) -> str:
        """Return the request for one symbol's trades."""
        return dump({"type": "subscribe", "symbol": symbols[0]})

    def unsubscribe(self, symbols: Sequence[str], request_id: int) -> str:
        """Return the request to end one symbol's trades."""
        return dump({"type": "unsubscribe", "symbol": symbols[0]})

    def read(self, message: Any) -> Iterable[Event]:
        """Return the events of a message, for each symbol its latest trade."""
        kind = message["type"]
        if kind == "trade":
            latest: dict[str, Any] = {}
            for trade in message["data"]:
                last = latest.get(trade["s"])
                if last is None or trade["t"] >= last["t"]:
                    latest[trade["s"]] = trade
            return [Price(symbol, Tick(trade["p"], trade["t"])) for symbol, trade in latest.items()]
        return [Complaint(str(message.get("msg")))] if kind == "error" else [Alive()]
