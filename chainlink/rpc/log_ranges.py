"""Reading logs over more blocks than an endpoint answers for at once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from chainlink.rpc.answers import quantity
from chainlink.rpc.errors import Malformed, RpcRefused
from chainlink.rpc.refusals import Refusal, of_question

Logs = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Hold which logs are wanted: those of one event (its topic) that any of these contracts emitted."""

    addresses: tuple[str, ...]
    topic: bytes

    def params(self, first: int, last: int) -> dict[str, object]:
        """Return the argument of `eth_getLogs` for a range of blocks."""
        addresses: object = self.addresses[0] if len(self.addresses) == 1 else self.addresses
        topics = ["0x" + self.topic.hex()]
        return {"address": addresses, "topics": topics, "fromBlock": hex(first), "toBlock": hex(last)}

    def read(self, answer: object, first: int, last: int) -> Logs:
        """Return the logs of an answer in chain order; Malformed if one is not what was asked for."""
        if not isinstance(answer, list):
            raise Malformed(f"eth_getLogs answered {type(answer).__name__}")
        ordered = sorted(((self._place(log, first, last), log) for log in answer), key=lambda pair: pair[0])
        return [log for _, log in ordered]

    def _place(self, log: object, first: int, last: int) -> tuple[int, int]:
        if not isinstance(log, dict):
            raise Malformed("eth_getLogs answered what is no log")
        block, address, topics = quantity(log.get("blockNumber")), log.get("address"), log.get("topics")
        if not first <= block <= last:
            raise Malformed(f"eth_getLogs answered a log of block {block}, asked was {first} to {last}")
        if str(address).lower() not in {wanted.lower() for wanted in self.addresses}:
            raise Malformed(f"eth_getLogs answered a log of {str(address)[:42]}")
        if not isinstance(topics, list) or not topics or topics[0] != "0x" + self.topic.hex():
            raise Malformed("eth_getLogs answered a log of another event")
        return block, quantity(log.get("logIndex"))


async def in_pieces(
    ask: Callable[[int, int], Awaitable[Logs]], first: int, last: int, most: int | None
) -> tuple[Logs, int | None]:
    """
    Read the logs of the blocks from `first` to `last` in pieces of at most `most` blocks, smaller ones where refused.

    Endpoints limit ranges in many words and with many codes, so every refusal of more than one block counts as one of
    its length, unless it clearly is another. Return the logs and the size of the pieces that were answered.

    Raises:
        RpcRefused: when even a single block is refused, or the refusal is not about the range.
    """
    found: Logs = []
    position = first
    while position <= last:
        end = last if most is None else min(last, position + most - 1)
        try:
            found += await ask(position, end)
        except RpcRefused as error:
            if end == position or of_question(error) in (Refusal.RATE_LIMITED, Refusal.METHOD_MISSING):
                raise
            most = (end - position + 1) // 2
        else:
            position = end + 1
    return found, most
