"""JSON-RPC over HTTP with fail-over over all endpoints of one chain: what the operator and the oracles ask with."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp

from chainlink.rpc.answers import blob, quantity
from chainlink.rpc.endpoints import Endpoint, EndpointBook, Standing
from chainlink.rpc.errors import ChainError, Malformed, RateLimited, RpcRefused, RpcUnavailable, WrongChain
from chainlink.rpc.http import FAILURES, TIMEOUT_S, Transport
from chainlink.rpc.log_ranges import LogQuery, in_pieces
from chainlink.rpc.rate_limits import RateLimits
from chainlink.rpc.refusals import Refusal, of_question, of_transaction
from chainlink.rpc.transaction import transaction_hash
from meshkit import log
from meshkit.clock import Clock, SystemClock
from meshkit.http.failure_words import host_of, in_words

_T = TypeVar("_T")
_log = log.get_logger(__name__)
# Questions at a time; more would only wait at the endpoint. What waits here does not use up its time.
_MOST_AT_ONCE = 32
_GET_LOGS = "eth_getLogs"


@dataclass(frozen=True, slots=True)
class Submission:
    """
    Tell how the endpoints took a transaction.

    `accepted`: one has it now. `uncertain`: one may have it, since no answer came back. `refusals`: what the others
    said. With neither of the three nobody was reached.
    """

    accepted: bool
    uncertain: bool
    refusals: tuple[RpcRefused, ...] = ()


class RpcClient:
    """
    Ask the best endpoint that answers, and hand transactions to all of them.

    Before an endpoint is sent anything its chain is checked: at first, after it did not answer, and at every look of
    `inspect`. An error answer of the chain itself is no failure of the endpoint and goes to the caller; what only this
    endpoint cannot do is asked of the next one. An endpoint that was asked too often is left alone for a while.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        endpoints: Sequence[Endpoint],
        chain_id: int,
        *,
        sync_threshold: int = 5,
        timeout_s: float = TIMEOUT_S,
        clock: Clock | None = None,
    ) -> None:
        self.book = EndpointBook(endpoints, sync_threshold)
        self.chain_id = chain_id
        self._clock = clock or SystemClock()
        self._limits = RateLimits()
        self._foreign: dict[int, WrongChain] = {}
        # The most blocks that each endpoint gives logs of at once, as far as that was found out.
        self._log_ranges: dict[int, int] = {}
        self._transport = Transport(session, timeout_s)
        self._room = asyncio.Semaphore(_MOST_AT_ONCE)

    async def call(self, method: str, *params: object) -> Any:
        """
        Return the result of one call.

        Raises:
            RpcRefused: when the chain answers with an error.
            RpcUnavailable: when no endpoint of the chain answers.
        """
        return await self._of_the_best(method, lambda index: self._ask(index, method, params))

    async def number(self, method: str, *params: object) -> int:
        """Return the result of a call that answers a quantity; Malformed if it is none."""
        return quantity(await self.call(method, *params))

    async def eth_call(self, to: str, data: bytes) -> bytes:
        """Return what a contract's function returns at the latest block."""
        result = await self.call("eth_call", {"to": to, "data": "0x" + data.hex()}, "latest")
        return blob(result)

    async def logs(self, address: str | Sequence[str], topic: bytes, first: int, last: int) -> list[dict[str, Any]]:
        """
        Return the logs of one event that a contract, or any of several, emitted in a range of blocks, in chain order.

        Raises:
            RpcRefused: when no endpoint gives logs, not even of a single block.
            RpcUnavailable: when no endpoint of the chain answers.
        """
        wanted = LogQuery((address,) if isinstance(address, str) else tuple(address), topic)
        return await self._of_the_best(_GET_LOGS, lambda index: self._logs(index, wanted, first, last), elsewhere=True)

    async def submit(self, raw: bytes) -> Submission:
        """Hand a signed transaction to every endpoint that is of the chain; never raises for what they answer."""
        answers = await asyncio.gather(*(self._submit(index, raw) for index in self.book.for_sending()))
        refusals = tuple(answer for answer in answers if isinstance(answer, RpcRefused))
        return Submission(True in answers, None in answers, refusals)

    async def inspect(self) -> None:
        """Look at every endpoint once: is it there, of the chain, and as far as the others?"""
        await asyncio.gather(*(self._inspect(index) for index in range(len(self.book.endpoints))))

    async def _of_the_best(self, method: str, ask: Callable[[int], Awaitable[_T]], *, elsewhere: bool = False) -> _T:
        """Return the first answer; with `elsewhere` what one endpoint refuses is always asked of the next."""
        async with self._room:
            # The endpoint is chosen only now: what waited while one failed need not find that out again.
            failures: list[str] = []
            refusal: RpcRefused | None = None
            for index in self.book.for_reading():
                name = self.book.endpoints[index].name
                if self._limits.rest_s(index, self._clock.monotonic()) > 0:
                    failures.append(f"{name}: it was asked too often, and is left alone for a while")
                    continue
                try:
                    await self._prove(index)
                    result = await ask(index)
                except RpcRefused as error:
                    kind = of_question(error)
                    if kind is Refusal.RATE_LIMITED:
                        self._limited(index, None)
                    elif kind is Refusal.OTHER and not elsewhere:
                        self._answered(index, failures)
                        raise
                    else:
                        refusal = refusal or error
                    failures.append(f"{name}: {error}")
                except RateLimited as error:
                    self._limited(index, error.retry_after_s)
                    failures.append(f"{name}: {error}")
                except WrongChain as error:
                    failures.append(f"{name}: {error}")
                except FAILURES as error:
                    self.book.failed(index)
                    failures.append(f"{name}: {in_words(error, self.book.endpoints[index].http_url)}")
                else:
                    self._limits.answered(index)
                    self._answered(index, failures)
                    return result
            if refusal is not None:
                raise refusal
            failures += [f"{self.book.endpoints[index].name}: {error}" for index, error in self._foreign.items()]
            raise RpcUnavailable(f"{method}: " + ("; ".join(dict.fromkeys(failures)) or "no endpoint is of this chain"))

    async def _logs(self, index: int, wanted: LogQuery, first: int, last: int) -> list[dict[str, Any]]:
        async def ask(start: int, end: int) -> list[dict[str, Any]]:
            return wanted.read(await self._ask(index, _GET_LOGS, (wanted.params(start, end),)), start, end)

        before = self._log_ranges.get(index)
        found, most = await in_pieces(ask, first, last, before)
        if most is not None and most != before:
            self._log_ranges[index] = most
            _log.warning("log_range_limited", endpoint=self.book.endpoints[index].name, blocks=most)
        return found

    def _limited(self, index: int, retry_after_s: float | None) -> None:
        now_s = self._clock.monotonic()
        self._limits.limited(index, retry_after_s, now_s)
        rest_s = self._limits.rest_s(index, now_s)
        _log.warning("rpc_rate_limited", endpoint=self.book.endpoints[index].name, rest_s=rest_s)

    async def _inspect(self, index: int) -> None:
        if self._limits.rest_s(index, self._clock.monotonic()) > 0:
            return
        before = self.book.standing(index)
        try:
            await self._check_chain(index)
            if not self.book.endpoints[index].send_only:
                self.book.saw_head(index, quantity(await self._ask(index, "eth_blockNumber", ())))
        except WrongChain:
            # It is noted where it was found.
            pass
        except RateLimited as error:
            self._limited(index, error.retry_after_s)
        except RpcRefused as error:
            if of_question(error) is Refusal.RATE_LIMITED:
                self._limited(index, None)
            else:
                self.book.failed(index)
        except FAILURES:
            self.book.failed(index)
        self._tell(index, before)

    async def _submit(self, index: int, raw: bytes) -> RpcRefused | bool | None:
        """Return True when the endpoint took it, False when it was not reached, None when nobody knows."""
        try:
            await self._prove(index)
        except (*FAILURES, ChainError):
            self.book.failed(index)
            return False
        try:
            await self._ask(index, "eth_sendRawTransaction", ("0x" + raw.hex(),))
        except RpcRefused as error:
            kind = of_transaction(error).kind
            if kind is Refusal.RATE_LIMITED:
                self._limited(index, None)
                return False
            is_known = kind is Refusal.KNOWN or (kind is Refusal.OTHER and await self._knows(index, raw))
            return True if is_known else error
        except RateLimited as error:
            self._limited(index, error.retry_after_s)
            return False
        except aiohttp.ClientConnectorError:
            self.book.failed(index)
            return False
        except FAILURES as error:
            self.book.failed(index)
            endpoint = self.book.endpoints[index]
            _log.warning("rpc_send_unanswered", endpoint=endpoint.name, error=in_words(error, endpoint.http_url))
            return None
        return True

    async def _knows(self, index: int, raw: bytes) -> bool:
        """Tell whether an endpoint has a transaction that it refuses in words which nobody knows."""
        if self.book.endpoints[index].send_only:
            return False
        try:
            return await self._ask(index, "eth_getTransactionByHash", (transaction_hash(raw),)) is not None
        except (*FAILURES, ChainError):
            return False

    async def _prove(self, index: int) -> None:
        if not self.book.is_proven(index):
            before = self.book.standing(index)
            await self._check_chain(index)
            self._tell(index, before)

    async def _check_chain(self, index: int) -> None:
        try:
            found = quantity(await self._ask(index, "eth_chainId", ()))
        except RpcRefused as error:
            raise Malformed(str(error)) from error
        if found != self.chain_id:
            self.book.disproved(index)
            self._foreign[index] = WrongChain(found, self.chain_id)
            raise self._foreign[index]
        self._foreign.pop(index, None)
        self.book.proved(index)

    def _answered(self, index: int, failures: Sequence[str]) -> None:
        if index != self.book.current:
            _log.warning("rpc_failed_over", endpoint=self.book.endpoints[index].name, failures=list(failures))
        self.book.answered(index)

    def _tell(self, index: int, before: Standing) -> None:
        now = self.book.standing(index)
        if now is not before and not (before is Standing.UNPROVEN and now is Standing.GOOD):
            endpoint = self.book.endpoints[index]
            _log.warning("rpc_endpoint", endpoint=endpoint.name, host=host_of(endpoint.http_url), standing=now.value)

    async def _ask(self, index: int, method: str, params: Sequence[object]) -> Any:
        return await self._transport.ask(self.book.endpoints[index].http_url, method, params)
