"""A proxy before a chain that speaks JSON-RPC, and misbehaves as endpoints of the field do."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import rlp  # type: ignore[import-untyped]  # it has no annotations
from aiohttp import web
from eth_utils.crypto import keccak

from tests.ports import free_port

Forward = Callable[[str, list[Any]], Awaitable[dict[str, Any]]]
Rule = Callable[[str, list[Any], Forward], Awaitable[dict[str, Any] | web.StreamResponse | None]]
"""Answer a question (`{"result": …}` or `{"error": …}`), or with a whole HTTP response; None to leave it to others."""


def refusal(code: int, message: str, **more: Any) -> dict[str, Any]:
    """Return an answer that is an error."""
    return {"error": {"code": code, "message": message} | more}


def log_range(most: int, code: int = -32005, message: str = "limit exceeded") -> Rule:
    """Refuse logs of more than so many blocks."""

    async def rule(method: str, params: list[Any], forward: Forward) -> dict[str, Any] | None:
        if method != "eth_getLogs":
            return None
        first, last = (int(params[0][name], 16) for name in ("fromBlock", "toBlock"))
        return refusal(code, message) if last - first + 1 > most else None

    return rule


def without(*methods: str) -> Rule:
    """Know some methods not."""

    async def rule(method: str, params: list[Any], forward: Forward) -> dict[str, Any] | None:
        if method not in methods:
            return None
        return refusal(-32601, f"the method {method} does not exist/is not available")

    return rule


def always(method: str, answer: dict[str, Any]) -> Rule:
    """Answer a method always the same."""

    async def rule(asked: str, params: list[Any], forward: Forward) -> dict[str, Any] | None:
        return answer if asked == method else None

    return rule


def http(status: int, text: str = "", kind: str = "text/html", **headers: str) -> Rule:
    """Answer everything with this HTTP response."""

    async def rule(method: str, params: list[Any], forward: Forward) -> web.Response:
        return web.Response(
            status=status,
            text=text,
            content_type=kind,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )

    return rule


def refusing_sends(*messages: str) -> Rule:
    """Refuse the next transactions with these words, one after the other; then take them."""
    left = list(messages)

    async def rule(method: str, params: list[Any], forward: Forward) -> dict[str, Any] | None:
        return refusal(-32000, left.pop(0)) if method == "eth_sendRawTransaction" and left else None

    return rule


def swallowing_sends(times: int) -> Rule:
    """Answer the next transactions with their hashes, and forget them."""
    left = [times]

    async def rule(method: str, params: list[Any], forward: Forward) -> dict[str, Any] | None:
        if method != "eth_sendRawTransaction" or not left[0]:
            return None
        left[0] -= 1
        return {"result": "0x" + keccak(bytes.fromhex(params[0][2:])).hex()}

    return rule


def gas_floor(
    floor_wei: int, words: str = "transaction underpriced: gas tip cap {offered}, minimum needed {floor}"
) -> Rule:
    """Refuse transactions of the old form that offer less than a pool's least price."""

    async def rule(method: str, params: list[Any], forward: Forward) -> dict[str, Any] | None:
        if method != "eth_sendRawTransaction":
            return None
        offered = price_of(bytes.fromhex(params[0][2:]))
        return refusal(-32000, words.format(offered=offered, floor=floor_wei)) if offered < floor_wei else None

    return rule


def price_of(raw: bytes) -> int:
    """Return the price, or the tip, that a signed transaction offers, in wei."""
    fields = rlp.decode(raw[1:] if raw[0] == 2 else raw)
    return int.from_bytes(fields[2 if raw[0] == 2 else 1], "big")


@dataclass
class LaggingNode:
    """
    Be an endpoint of two nodes, one of which is some blocks behind: chance decides which of the two a question goes to.

    The node that is behind says heads, nonces and state as they were, and forgets the transactions it takes.
    """

    blocks: int = 8
    seed: int = 0
    forgotten: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    async def __call__(self, method: str, params: list[Any], forward: Forward) -> dict[str, Any] | None:
        if self._chance.random() < 0.5:
            return None
        head = int((await forward("eth_blockNumber", []))["result"], 16)
        seen = hex(max(0, head - self.blocks))
        match method:
            case "eth_blockNumber":
                return {"result": seen}
            case "eth_getTransactionCount" | "eth_call" | "eth_getBalance":
                return await forward(method, [*params[:-1], seen])
            case "eth_getTransactionReceipt":
                answer = await forward(method, params)
                block = (answer.get("result") or {}).get("blockNumber", "0x0")
                return {"result": None} if int(block, 16) > int(seen, 16) else answer
            case "eth_sendRawTransaction":
                raw = bytes.fromhex(params[0][2:])
                self.forgotten.append(raw)
                return {"result": "0x" + keccak(raw).hex()}
        return None


class MisbehavingRpc:
    """
    Forward JSON-RPC over HTTP and WebSocket to a chain, as far as no rule answers.

    Attributes:
        rules: Asked in order for each question; tests change them as they go.
        asked: The methods asked so far.
        sent: The transactions handed over so far.
        pushing: Whether subscribers get what the chain pushes.
    """

    def __init__(self, upstream: str, session: aiohttp.ClientSession) -> None:
        self.port = free_port()
        self.rules: list[Rule] = []
        self.asked: list[str] = []
        self.sent: list[bytes] = []
        self.pushing = True
        self._upstream = upstream
        self._session = session
        self._sockets: set[web.WebSocketResponse] = set()

    @property
    def url(self) -> str:
        """Return where to reach it; the same with `ws` for a WebSocket."""
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["MisbehavingRpc"]:
        """Serve while the body runs."""
        app = web.Application()
        app.router.add_post("/", self._answer)
        app.router.add_get("/", self._push)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield self
        finally:
            await self.close_sockets()
            await runner.cleanup()

    async def close_sockets(self) -> int:
        """End every WebSocket, and tell how many there were."""
        sockets = tuple(self._sockets)
        await asyncio.gather(*(socket.close() for socket in sockets))
        return len(sockets)

    async def forward(self, method: str, params: list[Any]) -> dict[str, Any]:
        """Ask the chain itself."""
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with self._session.post(self._upstream, json=question) as response:
            answer: dict[str, Any] = await response.json()
        return {name: value for name, value in answer.items() if name in ("result", "error")}

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        question = await request.json()
        answer = await self._of_rules(question["method"], question.get("params", []))
        if isinstance(answer, web.StreamResponse):
            return answer
        return web.json_response({"jsonrpc": "2.0", "id": question["id"]} | answer)

    async def _of_rules(self, method: str, params: list[Any]) -> dict[str, Any] | web.StreamResponse:
        self.asked.append(method)
        if method == "eth_sendRawTransaction":
            self.sent.append(bytes.fromhex(params[0][2:]))
        for rule in self.rules:
            if (answer := await rule(method, params, self.forward)) is not None:
                return answer
        return await self.forward(method, params)

    async def _push(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            async with self._session.ws_connect(self._upstream.replace("http", "ws")) as upstream:
                down = asyncio.ensure_future(self._down(upstream, socket))
                try:
                    async for message in socket:
                        await upstream.send_str(message.data)
                finally:
                    down.cancel()
                    await asyncio.gather(down, return_exceptions=True)
        finally:
            self._sockets.discard(socket)
        return socket

    async def _down(self, upstream: aiohttp.ClientWebSocketResponse, socket: web.WebSocketResponse) -> None:
        async for message in upstream:
            if self.pushing or '"eth_subscription"' not in message.data:
                await socket.send_str(message.data)
