"""CoinDesk Data streamer: the CADLI index by subscription, everything told by TYPE numbers."""

from collections.abc import Iterable
from typing import Final

from aiohttp import web

from devkit.market.dialects.cryptocompare import value
from devkit.market.dialects.dialect import REFUSED_KEY
from devkit.market.streams.stream import Hangup, Message, Session, Stream
from devkit.market.venue import Market

INDEX_TICK: Final = "1101"


class CryptocompareStream(Stream):
    """Speak the data streamer."""

    push_ms = 1000
    beat_s = 30

    def welcome(self, session: Session, request: web.Request) -> Iterable[Message]:
        """Return the welcome, or close on a bad key."""
        if request.query.get("api_key", "") in ("", REFUSED_KEY):
            raise Hangup(1008, "unauthorized", self._note(4011, "UNAUTHORIZED", INFO="API key is missing or invalid"))
        return [self._note(4000, "SESSION_WELCOME", SESSION_ID=session.id)]

    def handle(self, session: Session, message: dict[str, object]) -> Iterable[Message]:
        """Answer SUB_ADD and SUB_REMOVE, one answer a subscription, then the first value of each."""
        action, wanted = message.get("action"), message.get("subscriptions")
        if action not in ("SUB_ADD", "SUB_REMOVE") or not isinstance(wanted, list):
            return [self._note(4003, "INVALID_MESSAGE", INFO="action or subscriptions is invalid")]
        if message.get("type") != INDEX_TICK:
            return [self._note(4004, "SUBSCRIPTION_TYPE_INVALID", INFO="type is invalid", PARAMETER="type")]
        answers: list[Message] = []
        first: list[Message] = []
        for entry in wanted:
            fields = entry if isinstance(entry, dict) else {}
            name = str(fields.get("instrument", ""))
            listed = self.dialect.markets.get(name)
            told = {"SUBSCRIPTION": f"{INDEX_TICK}~{fields.get('market')}~{name}"}
            if fields.get("market") != "cadli" or listed is None:
                answers.append(self._note(4006, "SUBSCRIPTION_REJECTED", INFO="instrument not found", **told))
            elif action == "SUB_ADD":
                session.topics[name] = listed
                answers.append(self._note(4005, "SUBSCRIPTION_ACCEPTED", **told))
                first.append(self.update(session, name, listed))
            else:
                session.topics.pop(name, None)
                # The number of this acknowledgement is not documented in public.
                answers.append(self._note(4008, "SUBSCRIPTION_REMOVED", **told))
        return [*answers, *first]

    def misunderstood(self, _session: Session, _text: str) -> Iterable[Message]:
        """Return the error for what is no JSON object."""
        return [self._note(4003, "INVALID_JSON", INFO="message is not valid JSON")]

    def heartbeat(self, _session: Session) -> Iterable[Message]:
        """Return the heartbeat."""
        return [self._note(4013, "HEARTBEAT")]

    def update(self, _session: Session, topic: str, listed: Market) -> Message:
        """Return an index value."""
        return {**value(topic, listed, self.tick(listed)), "TYPE": INDEX_TICK}

    def _note(self, kind: int, message: str, **fields: str) -> dict[str, object]:
        return {"TYPE": str(kind), "MESSAGE": message, "TIMESTAMP_MS": self.dialect.clock.time_ms(), **fields}
