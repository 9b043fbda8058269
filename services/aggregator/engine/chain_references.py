"""
Give feeds their last answers on chain as predecessors of their first prices after a start.

The operator service tells them, if it is there: no feed has its first price while it is being asked, for so long as the
configuration says. It is asked again until it answers, as what comes late still overrules what one kind of source alone
proved.
"""

from collections.abc import Callable, Collection
from decimal import Decimal
from pathlib import Path

import grpc.aio

from feedmesh.operator.v1 import operator_service_pb2 as pb
from feedmesh.operator.v1.operator_service_pb2_grpc import OperatorServiceStub
from meshkit import feeds
from meshkit.clock import Clock
from meshkit.log import get_logger
from meshkit.metrics import Registry
from meshkit.process.background_tasks import BackgroundTasks
from meshkit.rpc.client import Remote, channel
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.price import plain_text, read_decimal

_log = get_logger(__name__)

_FIRST_RETRY_S = 1.0
_LONGEST_RETRY_S = 60.0


class ChainReferences:
    """
    Ask for the last answers, once they can be had.

    Args:
        operator: Its socket, or its address and certificates where it is on another machine.
        wait_s: How long first prices wait for its answer.
        but: The feeds that have a reference price already.
        refer: Take a price that a feed is known to have had.
        hold: Let no feed have its first price until it is called with False.
    """

    def __init__(
        self,
        operator: Path | Remote,
        clock: Clock,
        metrics: Registry | None = None,
        *,
        wait_s: float,
        but: Collection[Pair],
        refer: Callable[[Pair, Decimal], None],
        hold: Callable[[bool], None],
    ) -> None:
        self._operator = operator
        self._clock = clock
        self._wait_s = wait_s
        self._but = but
        self._refer = refer
        self._hold = hold
        self._tasks = BackgroundTasks(clock, metrics)

    def start(self) -> None:
        """Begin to ask."""
        if self._wait_s > 0 and self._is_there():
            self._hold(True)
            self._tasks.start("end of the wait for chain references", self._release)
        self._tasks.start("chain references", self._run)

    async def close(self) -> None:
        """End asking."""
        await self._tasks.close()

    async def _release(self) -> None:
        await self._clock.sleep(self._wait_s)
        self._hold(False)

    async def _run(self) -> None:
        retry_s = _FIRST_RETRY_S
        while not await self._ask():
            # Whoever answers with an error has no answers yet: the nodes that it would prepare do not run either.
            self._hold(False)
            await self._clock.sleep(retry_s)
            retry_s = min(2 * retry_s, _LONGEST_RETRY_S)
        self._hold(False)

    def _is_there(self) -> bool:
        """Tell whether it is of use to ask; of another machine that is not known before."""
        return not isinstance(self._operator, Path) or self._operator.exists()

    async def _ask(self) -> bool:
        if not self._is_there():
            return False
        try:
            async with channel(self._operator) as opened:
                response = await OperatorServiceStub(opened).ListFeeds(pb.ListFeedsRequest())
        except grpc.aio.AioRpcError as error:
            _log.debug("chain_references_missing", code=error.code().name, error=error.details())
            return False
        found = {pair: price for pair, price in map(_read, response.feeds) if price is not None}
        for pair, price in found.items():
            if pair not in self._but:
                self._refer(pair, price)
        _log.info("chain_references", feeds={str(pair): plain_text(price) for pair, price in found.items()})
        return True


def _read(feed: pb.Feed) -> tuple[Pair, Decimal | None]:
    """Return a feed's pair and its last answer, None if it has none that is a price."""
    known = feeds.load().get(feed.name)
    if known is None or not feed.answer:
        return Pair(feed.name, ""), None
    try:
        price = read_decimal(feed.answer)
    except ValueError:
        return Pair(known.base, known.quote), None
    return Pair(known.base, known.quote), price if price.is_finite() and price > 0 else None
