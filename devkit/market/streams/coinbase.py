"""Coinbase Exchange feed: subscribe within five seconds, all subscriptions as the answer, errors in words."""

from collections.abc import Iterable
from typing import Final

from devkit.market.dialects.dialect import share, text
from devkit.market.streams.stream import Hangup, Message, Rate, Session, Stream, rfc3339, texts
from devkit.market.venue import Market

SUBSCRIBE_S: Final = 5
CHANNELS: Final = ("ticker", "ticker_batch", "heartbeat", "status")


class CoinbaseStream(Stream):
    """Speak the Exchange feed. Topics are a channel and a product; one bad product refuses the whole message."""

    push_ms = 250
    beat_s = 1
    rate = Rate(100, 1.0)
    connects = Rate(20, 2.5)

    def handle(self, session: Session, message: dict[str, object]) -> Iterable[Message]:
        """Answer subscribe and unsubscribe, then the first ticker of each new product."""
        kind = message.get("type")
        if kind not in ("subscribe", "unsubscribe"):
            return [_error("Malformed JSON", f"{kind!r} is not a valid type")]
        wanted: dict[str, Market] = {}
        products, channels = texts(message.get("product_ids")), message.get("channels")
        for entry in channels if isinstance(channels, list) else []:
            name = entry.get("name") if isinstance(entry, dict) else entry
            own = texts(entry.get("product_ids")) if isinstance(entry, dict) else []
            if name not in CHANNELS:
                return [_error(f"Failed to {kind}", f"{name} is not a valid channel")]
            for product in own or products:
                if product not in self.dialect.markets:
                    return [_error(f"Failed to {kind}", f"{product} is not a valid product")]
                wanted[f"{name} {product}"] = self.dialect.markets[product]
        if not wanted:
            return [_error(f"Failed to {kind}", "no channels or product_ids provided")]
        new = {topic: listed for topic, listed in wanted.items() if topic not in session.topics}
        if kind == "subscribe":
            session.marks["subscribed"] = "true"
            session.topics.update(new)
            first = [self.update(session, topic, listed) for topic, listed in new.items() if topic.startswith("ticker")]
            return [_subscriptions(session), *first]
        for topic in wanted:
            session.topics.pop(topic, None)
        return [_subscriptions(session)]

    def misunderstood(self, _session: Session, _text: str) -> Iterable[Message]:
        """Return the error for what is no JSON object."""
        return [_error("Malformed JSON", "unexpected character")]

    def too_fast(self, _session: Session) -> Iterable[Message]:
        """Return the error for too many messages a second."""
        return [_error("Rate limit exceeded", "too many messages")]

    def check(self, session: Session, now_s: float) -> None:
        """Close a client that subscribes to nothing."""
        if "subscribed" not in session.marks and now_s - session.opened_s >= SUBSCRIBE_S:
            raise Hangup(1008, "no subscription", _error("Failed to subscribe", "no subscription within 5 seconds"))

    def push(self, session: Session) -> Iterable[Message]:
        """Return the tickers."""
        return [self.update(session, t, listed) for t, listed in session.topics.items() if t.startswith("ticker")]

    def heartbeat(self, session: Session) -> Iterable[Message]:
        """Return the second's message of each product with the heartbeat channel."""
        beats: list[Message] = []
        for topic, listed in session.topics.items():
            channel, _, product = topic.partition(" ")
            if channel == "heartbeat":
                numbers = {"sequence": session.next(), "last_trade_id": self.tick(listed).trade_id}
                time = rfc3339(self.dialect.stamp_ms())
                beats.append({"type": "heartbeat", **numbers, "product_id": product, "time": time})
        return beats

    def update(self, session: Session, topic: str, listed: Market) -> Message:
        """Return a ticker."""
        tick = self.tick(listed)
        size = text(share(tick.volume, 10_000))
        return {
            "type": "ticker",
            "sequence": session.next(),
            "product_id": topic.partition(" ")[2],
            "price": text(tick.last),
            "open_24h": text(tick.open),
            "volume_24h": text(tick.volume),
            "low_24h": text(tick.low),
            "high_24h": text(tick.high),
            "best_bid": text(tick.bid),
            "best_bid_size": size,
            "best_ask": text(tick.ask),
            "best_ask_size": size,
            "side": "buy",
            "time": rfc3339(tick.time_ms),
            "trade_id": tick.trade_id,
            "last_size": text(share(tick.volume, 100_000)),
        }


def _subscriptions(session: Session) -> dict[str, object]:
    channels: dict[str, list[str]] = {}
    for topic in session.topics:
        name, _, product = topic.partition(" ")
        channels.setdefault(name, []).append(product)
    listed = [{"name": name, "product_ids": products, "account_ids": None} for name, products in channels.items()]
    return {"type": "subscriptions", "channels": listed}


def _error(message: str, reason: str) -> dict[str, object]:
    return {"type": "error", "message": message, "reason": reason}
