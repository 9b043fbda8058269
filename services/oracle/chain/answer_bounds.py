"""
The least and the most that a feed's contract takes as an answer, and whether the feed is pinned between them.

The contract reverts every report whose answer is outside, for the transmitter's gas: such a report is not sent. Until
the answer is back inside the contract keeps its last one, which everybody takes for the price: so it is said loudly.
"""

from collections.abc import Callable
from dataclasses import dataclass

from chainlink.contract import aggregator
from chainlink.contract.abi_codec import Function
from chainlink.rpc.client import RpcClient
from chainlink.rpc.errors import ChainError, RpcRefused, RpcUnavailable
from chainlink.rpc.refusals import is_revert
from meshkit import log
from services.oracle.chain.errors import AnswerOutOfBounds

_log = log.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Hold the least and the most answer, both allowed; None where the contract has no such bound."""

    least: int | None
    most: int | None

    def contains(self, answer: int) -> bool:
        """Tell whether the contract takes an answer."""
        return (self.least is None or self.least <= answer) and (self.most is None or answer <= self.most)

    def __str__(self) -> str:
        return f"minAnswer {self.least} to maxAnswer {self.most}"


class AnswerBounds:
    """
    Know the bounds of one contract, which never change, and whether its feed is pinned.

    Attributes:
        pinned: Says which answer is kept out by which bounds; empty while there is none.
        on_change: Called with `pinned` whenever it changes.
    """

    def __init__(self, rpc: RpcClient, contract: str) -> None:
        self.pinned = ""
        self.on_change: Callable[[str], None] | None = None
        self._rpc = rpc
        self._contract = contract
        self._bounds: Bounds | None = None

    async def check(self, answer: int) -> None:
        """
        Return if the contract takes an answer, as far as its bounds can be read.

        Raises:
            AnswerOutOfBounds: when it does not; the feed is pinned then.
        """
        await self.load()
        if not self.note(answer) and self._bounds is not None:
            raise AnswerOutOfBounds(answer, str(self._bounds))

    async def load(self) -> None:
        """Read the bounds unless they are known; what cannot be read now is tried again the next time."""
        if self._bounds is not None:
            return
        try:
            least, most = await self._read(aggregator.MIN_ANSWER), await self._read(aggregator.MAX_ANSWER)
        except (ChainError, RpcUnavailable) as error:
            _log.debug("answer_bounds_unknown", contract=self._contract, error=str(error))
            return
        self._bounds = Bounds(least, most)

    def free(self, answer: int) -> None:
        """Note an answer that the feed is near to: if the contract takes it, the feed is pinned no longer."""
        if self.pinned and self._bounds is not None and self._bounds.contains(answer):
            self.note(answer)

    def note(self, answer: int) -> bool:
        """Note an answer that the feed has or would have; tell whether the contract takes it, as far as is known."""
        inside = self._bounds is None or self._bounds.contains(answer)
        if not inside and not self.pinned:
            self._pin(f"the answer {answer} is outside of {self._bounds}: the contract keeps its last one")
            _log.error("feed_pinned", contract=self._contract, answer=str(answer), bounds=str(self._bounds))
        elif inside and self.pinned:
            self._pin("")
            _log.warning("feed_no_longer_pinned", contract=self._contract, answer=str(answer))
        return inside

    def _pin(self, text: str) -> None:
        self.pinned = text
        if self.on_change is not None:
            self.on_change(text)

    async def _read(self, function: Function) -> int | None:
        try:
            (value,) = function.decode(await self._rpc.eth_call(self._contract, function.selector))
        except RpcRefused as error:
            if is_revert(error):
                # A contract of another make.
                return None
            raise
        return int(value)
