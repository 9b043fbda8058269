"""Fail-over between endpoints, over lines that are cut."""

import asyncio

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from chainlink.rpc.client import RpcClient
from chainlink.rpc.endpoints import Endpoint, Standing
from chainlink.rpc.errors import RpcRefused, RpcUnavailable
from tests.oracle.anvil import CHAIN_ID, Anvil
from tests.oracle.chain.proxy import Proxy
from tests.oracle.ports import free_port

NOWHERE = "http://127.0.0.1:1"


def client(http: aiohttp.ClientSession, *urls: str, **changes: object) -> RpcClient:
    """Return a client of endpoints that are named after their place."""
    endpoints = [Endpoint(str(i), url, url.replace("http", "ws")) for i, url in enumerate(urls)]
    return RpcClient(http, endpoints, CHAIN_ID, timeout_s=0.5, **changes)  # type: ignore[arg-type]


async def test_fail_over(http: aiohttp.ClientSession, anvil: Anvil) -> None:
    """A dead endpoint is passed over, an error of the chain is not, and with no endpoint left the call fails."""
    rpc = client(http, NOWHERE, anvil.url)
    assert CHAIN_ID == await rpc.number("eth_chainId")
    with pytest.raises(RpcRefused, match="eth_nonsense"):
        await rpc.call("eth_nonsense")
    with pytest.raises(RpcUnavailable, match="0: ClientConnectorError"):
        await client(http, NOWHERE).call("eth_chainId")


async def test_many_calls_fail_over_together(http: aiohttp.ClientSession, anvil: Anvil) -> None:
    """Of a hundred calls at once only those under way find that an endpoint hangs; the rest goes past it."""
    asked = 0

    async def hang(request: web.Request) -> web.Response:
        nonlocal asked
        body = await request.json()
        if body["method"] == "eth_chainId":
            return web.json_response({"id": body["id"], "result": hex(CHAIN_ID)})
        asked += 1
        await asyncio.sleep(60)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", hang)
    async with TestServer(app) as hanging:
        rpc = client(http, str(hanging.make_url("/")), anvil.url)
        heads = await asyncio.gather(*(rpc.number("eth_blockNumber") for _ in range(100)))

    assert 100 == len(heads)
    assert 0 < asked <= 32
    assert 1 == rpc.book.current


async def test_a_line_is_cut_and_mended(http: aiohttp.ClientSession, lines: list[Proxy]) -> None:
    """When the endpoint in use goes, cut or mute, the other one answers; when it is back it is known again."""
    rpc = client(http, *(line.url for line in lines))
    assert 0 == await rpc.number("eth_blockNumber")
    lines[0].mute()
    assert 0 == await rpc.number("eth_blockNumber")
    assert Standing.SILENT is rpc.book.standing(0)
    await lines[0].cut()
    await lines[1].cut()
    with pytest.raises(RpcUnavailable):
        await rpc.number("eth_blockNumber")
    await lines[0].mend()
    assert 0 == await rpc.number("eth_blockNumber")
    await lines[1].mend()
    await rpc.inspect()
    assert [Standing.GOOD] * 2 == [rpc.book.standing(i) for i in range(2)]


async def test_a_wrong_chain(http: aiohttp.ClientSession, anvil: Anvil) -> None:
    """An endpoint of another chain is asked nothing but which chain it is, until it is of ours."""
    asked: list[str] = []
    chain = {"id": "0x1"}

    async def answer(request: web.Request) -> web.Response:
        body = await request.json()
        asked.append(body["method"])
        result = chain["id"] if body["method"] == "eth_chainId" else "0x9"
        return web.json_response({"jsonrpc": "2.0", "id": body["id"], "result": result})

    app = web.Application()
    app.router.add_post("/", answer)
    runner, port = web.AppRunner(app, access_log=None), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        rpc = client(http, f"http://127.0.0.1:{port}", anvil.url)
        assert 0 == await rpc.number("eth_blockNumber")
        await rpc.submit(b"\x01")
        await rpc.inspect()
        assert {"eth_chainId"} == set(asked)
        with pytest.raises(RpcUnavailable, match="it is of chain 1, configured is 1337"):
            await client(http, f"http://127.0.0.1:{port}").number("eth_blockNumber")
        chain["id"] = hex(CHAIN_ID)
        await rpc.inspect()
        assert 9 == await rpc.number("eth_blockNumber")
    finally:
        await runner.cleanup()


async def test_a_lagging_endpoint(http: aiohttp.ClientSession, anvil: Anvil) -> None:
    """An endpoint that is more blocks behind than the threshold is left, and taken again once it has caught up."""
    ahead = Anvil(http, None)
    await ahead.start()
    try:
        rpc = client(http, anvil.url, ahead.url, sync_threshold=5)
        await ahead.rpc.call("anvil_mine", hex(6))
        await rpc.inspect()
        assert 6 == await rpc.number("eth_blockNumber")
        await anvil.rpc.call("anvil_mine", hex(2))
        await rpc.inspect()
        assert [Standing.GOOD] * 2 == [rpc.book.standing(i) for i in range(2)]
    finally:
        await ahead.stop()


async def test_endpoints_that_only_send(http: aiohttp.ClientSession, anvil: Anvil, lines: list[Proxy]) -> None:
    """A send-only endpoint gets transactions, and is asked nothing but its chain."""
    endpoints = [Endpoint("reads", anvil.url), Endpoint("sends", lines[0].url, send_only=True)]
    rpc = RpcClient(http, endpoints, CHAIN_ID)
    await rpc.number("eth_blockNumber")
    assert 0 == lines[0].requests
    submission = await rpc.submit(b"\x01")
    assert 2 == len(submission.refusals)
    assert 2 == lines[0].requests


async def test_endpoints_that_compress() -> None:
    """An endpoint that compresses where it may is read by the node's session, which does not decompress."""

    async def answer(request: web.Request) -> web.Response:
        response = web.json_response({"jsonrpc": "2.0", "id": (await request.json())["id"], "result": "0x539"})
        response.enable_compression()
        return response

    app = web.Application()
    app.router.add_post("/", answer)
    runner, port = web.AppRunner(app, access_log=None), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        assert CHAIN_ID == await client(session, f"http://127.0.0.1:{port}").number("eth_chainId")
    await runner.cleanup()
