"""New heads as an endpoint pushes them over its WebSocket."""

import itertools
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import orjson

from chainlink.rpc.answers import quantity, result_of
from chainlink.rpc.errors import Malformed, WrongChain

_TIMEOUT_S = 5.0
# A peer that vanished is noticed by its missing pong.
_HEARTBEAT_S = 10.0
FAILURES = (aiohttp.ClientError, aiohttp.WSMessageTypeError, TimeoutError, OSError, orjson.JSONDecodeError)


async def new_heads(session: aiohttp.ClientSession, url: str, chain_id: int) -> AsyncGenerator[int, None]:
    """
    Yield the number of every new block until the connection ends.

    Raises:
        WrongChain: when the endpoint is of another chain.
        RpcRefused, Malformed: when it does not subscribe us.
        aiohttp.ClientError, OSError, TimeoutError: when there is no connection, or it broke.
    """
    timeout = aiohttp.ClientWSTimeout(ws_close=_TIMEOUT_S)
    async with session.ws_connect(url, heartbeat=_HEARTBEAT_S, timeout=timeout) as socket:
        ids = itertools.count(1)

        async def ask(method: str, *params: object) -> Any:
            number = next(ids)
            request = {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}
            await socket.send_str(orjson.dumps(request).decode())
            while True:
                answer = orjson.loads(await socket.receive_str(timeout=_TIMEOUT_S))
                if isinstance(answer, dict) and answer.get("id") == number:
                    return result_of(method, answer, number)

        found = quantity(await ask("eth_chainId"))
        if found != chain_id:
            raise WrongChain(found, chain_id)
        await ask("eth_subscribe", "newHeads")
        # The first head comes with the next block only.
        yield quantity(await ask("eth_blockNumber"))
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                yield _head_of(orjson.loads(message.data))


def _head_of(notice: object) -> int:
    try:
        return quantity(notice["params"]["result"]["number"])  # type: ignore[index]
    except (KeyError, TypeError) as error:
        raise Malformed("no notice of a new head") from error
