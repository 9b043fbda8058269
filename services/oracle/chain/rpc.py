"""JSON-RPC over HTTP with fail-over: the calls an oracle needs, without the weight of a whole client library."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from meshkit import log
from services.oracle.chain.endpoints import Endpoint, EndpointBook, Standing
from services.oracle.chain.errors import ChainError, Malformed, RpcRefused, WrongChain
from services.oracle.errors import RpcUnavailable

_log = log.get_logger(__name__)
_TIMEOUT_S = 5.0
# Questions at a time; more would only wait at the endpoint. What waits here does not use up its time.
_MOST_AT_ONCE = 32
# What providers answer to a client that asks too much: another endpoint may have room.
_LIMIT_EXCEEDED = (-32005, 429)
# Not a word of the chain, but of whoever stands before it: no key, no right, too often.
_OWN_TROUBLES = (401, 403, 407, 429)
_FAILURES = (aiohttp.ClientError, TimeoutError, OSError, orjson.JSONDecodeError, Malformed)


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
    `inspect`. An error answer of the chain itself is no failure of the endpoint and goes to the caller.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        endpoints: Sequence[Endpoint],
        chain_id: int,
        *,
        sync_threshold: int = 5,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self.book = EndpointBook(endpoints, sync_threshold)
        self.chain_id = chain_id
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._ids = itertools.count(1)
        self._room = asyncio.Semaphore(_MOST_AT_ONCE)

    async def call(self, method: str, *params: object) -> Any:
        """
        Return the result of one call.

        Raises:
            RpcRefused: when the chain answers with an error.
            RpcUnavailable: when no endpoint of the chain answers.
        """
        async with self._room:
            # The endpoint is chosen only now: what waited while one failed need not find that out again.
            return await self._call(method, params)

    async def _call(self, method: str, params: Sequence[object]) -> Any:
        failures: list[str] = []
        for index in self.book.for_reading():
            name = self.book.endpoints[index].name
            try:
                await self._prove(index)
                result = await self._ask(index, method, params)
            except RpcRefused as error:
                if error.code not in _LIMIT_EXCEEDED:
                    self._answered(index, failures)
                    raise
                failures.append(f"{name}: {error}")
            except WrongChain as error:
                failures.append(f"{name}: {error}")
            except _FAILURES as error:
                self.book.failed(index)
                failures.append(f"{name}: {_cause(error)}")
            else:
                self._answered(index, failures)
                return result
        raise RpcUnavailable(f"{method}: " + ("; ".join(failures) or "no endpoint is of this chain"))

    async def number(self, method: str, *params: object) -> int:
        """Return the result of a call that answers a quantity; Malformed if it is none."""
        return quantity(await self.call(method, *params))

    async def eth_call(self, to: str, data: bytes) -> bytes:
        """Return what a contract's function returns at the latest block."""
        result = await self.call("eth_call", {"to": to, "data": "0x" + data.hex()}, "latest")
        return blob(result)

    async def logs(self, address: str, topic: bytes, first: int, last: int) -> Sequence[dict[str, Any]]:
        """Return a contract's logs of one event in a range of blocks, oldest first."""
        found = await self.call(
            "eth_getLogs",
            {"address": address, "topics": ["0x" + topic.hex()], "fromBlock": hex(first), "toBlock": hex(last)},
        )
        if not isinstance(found, list):
            raise Malformed(f"eth_getLogs answered {type(found).__name__}")
        return found

    async def submit(self, raw: bytes) -> Submission:
        """Hand a signed transaction to every endpoint that is of the chain; never raises for what they answer."""
        answers = await asyncio.gather(*(self._submit(index, raw) for index in self.book.for_sending()))
        refusals = tuple(answer for answer in answers if isinstance(answer, RpcRefused))
        return Submission(True in answers, None in answers, refusals)

    async def inspect(self) -> None:
        """Look at every endpoint once: is it there, of the chain, and as far as the others?"""
        await asyncio.gather(*(self._inspect(index) for index in range(len(self.book.endpoints))))

    async def _inspect(self, index: int) -> None:
        before = self.book.standing(index)
        try:
            await self._check_chain(index)
            if not self.book.endpoints[index].send_only:
                self.book.saw_head(index, quantity(await self._ask(index, "eth_blockNumber", ())))
        except WrongChain:
            pass
        except (*_FAILURES, RpcRefused):
            self.book.failed(index)
        self._tell(index, before)

    async def _submit(self, index: int, raw: bytes) -> RpcRefused | bool | None:
        """Return True when the endpoint took it, False when it was not reached, None when nobody knows."""
        try:
            await self._prove(index)
        except (*_FAILURES, ChainError):
            self.book.failed(index)
            return False
        try:
            await self._ask(index, "eth_sendRawTransaction", ("0x" + raw.hex(),))
        except RpcRefused as error:
            return True if "already known" in error.message.lower() else error
        except aiohttp.ClientConnectorError:
            self.book.failed(index)
            return False
        except _FAILURES as error:
            self.book.failed(index)
            _log.warning("rpc_send_unanswered", endpoint=self.book.endpoints[index].name, error=_cause(error))
            return None
        return True

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
            raise WrongChain(found, self.chain_id)
        self.book.proved(index)

    def _answered(self, index: int, failures: Sequence[str]) -> None:
        if index != self.book.current:
            _log.warning("rpc_failed_over", endpoint=self.book.endpoints[index].name, failures=list(failures))
        self.book.answered(index)

    def _tell(self, index: int, before: Standing) -> None:
        now = self.book.standing(index)
        if now is not before and not (before is Standing.UNPROVEN and now is Standing.GOOD):
            _log.warning("rpc_endpoint", endpoint=self.book.endpoints[index].name, standing=now.value)

    async def _ask(self, index: int, method: str, params: Sequence[object]) -> Any:
        body = orjson.dumps({"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)})
        # The node's client session does not decompress, as bridges want it.
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        url = self.book.endpoints[index].http_url
        async with self._session.post(url, data=body, headers=headers, timeout=self._timeout) as response:
            if response.status in _OWN_TROUBLES or response.status >= 500:
                raise Malformed(f"{method}: HTTP {response.status}")
            answer = orjson.loads(await response.read())
        return result_of(method, answer)


def result_of(method: str, answer: object) -> Any:
    """Return the result of a JSON-RPC answer; RpcRefused if it is an error, Malformed if it is no answer."""
    if not isinstance(answer, dict):
        raise Malformed(f"{method}: no JSON-RPC answer")
    problem = answer.get("error")
    if isinstance(problem, dict):
        code = problem.get("code", 0)
        raise RpcRefused(method, code if isinstance(code, int) else 0, str(problem.get("message", "")))
    if "result" not in answer:
        raise Malformed(f"{method}: no JSON-RPC answer")
    return answer["result"]


def quantity(value: object) -> int:
    """Return the number of a hexadecimal quantity; Malformed if it is none."""
    try:
        return int(str(value), 16)
    except ValueError as error:
        raise Malformed(f"{value!r} is no quantity") from error


def blob(value: object) -> bytes:
    """Return the bytes of 0x text; Malformed if it is none."""
    text = str(value)
    try:
        if not text.startswith("0x"):
            raise ValueError(text)
        return bytes.fromhex(text[2:])
    except ValueError as error:
        raise Malformed(f"{text[:20]!r} is no 0x text") from error


def _cause(error: BaseException) -> str:
    # The text of a client's error may hold the whole URL, and a provider's URL the access key.
    return type(error).__name__ if isinstance(error, aiohttp.ClientError) else f"{type(error).__name__}: {error}"
