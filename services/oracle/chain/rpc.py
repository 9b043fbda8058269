"""JSON-RPC over HTTP with fail-over: the calls an oracle needs, without the weight of a whole client library."""

import itertools
from collections.abc import Sequence
from typing import Any

import aiohttp
import orjson

from meshkit import log
from services.oracle.chain.errors import Malformed, RpcRefused
from services.oracle.errors import RpcUnavailable

_log = log.get_logger(__name__)
_TIMEOUT_S = 5.0


class RpcClient:
    """
    Call the first endpoint that answers.

    The one that answered last is asked first; when it fails, the others are asked in their order. An error answer of
    the chain itself is no failure of the endpoint and goes to the caller.
    """

    def __init__(self, session: aiohttp.ClientSession, urls: Sequence[str], *, timeout_s: float = _TIMEOUT_S) -> None:
        self._session = session
        self._urls = tuple(urls)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._ids = itertools.count(1)
        self._preferred = 0
        self.available = False

    async def call(self, method: str, *params: object) -> Any:
        """
        Return the result of one call.

        Raises:
            RpcRefused: when the chain answers with an error.
            RpcUnavailable: when no endpoint answers.
        """
        failures = []
        for offset in range(len(self._urls)):
            turn = (self._preferred + offset) % len(self._urls)
            try:
                answer = await self._post(self._urls[turn], method, params)
            except (aiohttp.ClientError, TimeoutError, OSError, orjson.JSONDecodeError, Malformed) as error:
                failures.append(f"endpoint {turn + 1}: {type(error).__name__}: {error}")
                continue
            if turn != self._preferred:
                _log.warning("rpc_failed_over", endpoint=turn + 1, failures=failures)
                self._preferred = turn
            self.available = True
            if "error" in answer and answer["error"] is not None:
                problem = answer["error"]
                raise RpcRefused(method, int(problem.get("code", 0)), str(problem.get("message", "")))
            return answer.get("result")
        self.available = False
        raise RpcUnavailable(f"{method}: " + "; ".join(failures))

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

    async def _post(self, url: str, method: str, params: Sequence[object]) -> dict[str, Any]:
        body = orjson.dumps({"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)})
        # The node's client session does not decompress, as bridges want it.
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        async with self._session.post(url, data=body, headers=headers, timeout=self._timeout) as response:
            answer = orjson.loads(await response.read())
        if not isinstance(answer, dict) or not ("result" in answer or isinstance(answer.get("error"), dict)):
            raise Malformed(f"HTTP {response.status} without a JSON-RPC answer")
        return answer


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
