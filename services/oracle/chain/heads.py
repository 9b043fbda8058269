"""The newest block of a chain, asked for at an interval."""

from meshkit import log
from meshkit.clock import Clock
from services.oracle.chain.errors import ChainError
from services.oracle.chain.rpc import RpcClient
from services.oracle.errors import RpcUnavailable

_log = log.get_logger(__name__)


class HeadTracker:
    """
    Follow the head.

    Attributes:
        latest: The number of the newest block; 0 before the first.
        connected: Whether the last question was answered.
        rewinds: How often the head fell behind itself, as when a dev chain starts from an older snapshot.
    """

    def __init__(self, rpc: RpcClient, clock: Clock, interval_s: float) -> None:
        self._rpc = rpc
        self._clock = clock
        self._interval_s = interval_s
        self.latest = 0
        self.connected = False
        self.rewinds = 0

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await self.poll()
            await self._clock.sleep(self._interval_s)

    async def poll(self) -> int:
        """Ask once; return the newest number known, even if there was no answer."""
        try:
            head = await self._rpc.number("eth_blockNumber")
        except (RpcUnavailable, ChainError) as error:
            if self.connected or self.latest == 0:
                _log.warning("head_unknown", error=str(error))
            self.connected = False
            return self.latest
        if not self.connected:
            _log.info("head_known", block=head)
        if head < self.latest:
            self.rewinds += 1
            _log.warning("chain_rewound", block=head, before=self.latest)
        self.connected, self.latest = True, head
        return head
