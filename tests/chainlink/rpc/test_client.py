"""Fail-over between endpoints, over lines that are cut."""

import asyncio

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from eth_utils.crypto import keccak

from chainlink.keys.evm import EvmKey
from chainlink.rpc.client import RpcClient, Submission
from chainlink.rpc.endpoints import Endpoint, Standing
from chainlink.rpc.errors import RpcRefused, RpcUnavailable
from chainlink.rpc.transaction import UnsignedTransaction
from meshkit.clock import ManualClock
from tests.chainlink.rpc.misbehaving import MisbehavingRpc, Rule, always, log_range, refusal, refusing_sends, without
from tests.chainlink.rpc.misbehaving import http as http_answer
from tests.oracle.anvil import CHAIN_ID, NEW_TRANSMISSION, OWNER, Aggregator, Anvil
from tests.oracle.chain.proxy import Proxy
from tests.ports import free_port

NOWHERE = "http://127.0.0.1:1"
ROUND_REQUESTED = keccak(text="RoundRequested(address,bytes16,uint32,uint8)")


def client(http: aiohttp.ClientSession, *urls: str, **changes: object) -> RpcClient:
    """Return a client of endpoints that are named after their place."""
    endpoints = [Endpoint(str(i), url, url.replace("http", "ws")) for i, url in enumerate(urls)]
    return RpcClient(http, endpoints, CHAIN_ID, **({"timeout_s": 10} | changes))  # type: ignore[arg-type]


async def test_fail_over(http: aiohttp.ClientSession, anvil: Anvil) -> None:
    """A dead endpoint is passed over, an error of the chain is not, and with no endpoint left the call fails."""
    rpc = client(http, NOWHERE, anvil.url)
    assert CHAIN_ID == await rpc.number("eth_chainId")
    with pytest.raises(RpcRefused, match="eth_nonsense"):
        await rpc.call("eth_nonsense")
    with pytest.raises(RpcUnavailable, match=r"0: no connection to 127\.0\.0\.1:\d+: "):
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
        rpc = client(http, str(hanging.make_url("/")), anvil.url, timeout_s=0.5)
        heads = await asyncio.gather(*(rpc.number("eth_blockNumber") for _ in range(100)))

    assert 100 == len(heads)
    assert 0 < asked <= 32
    assert 1 == rpc.book.current


async def test_a_line_is_cut_and_mended(http: aiohttp.ClientSession, lines: list[Proxy]) -> None:
    """When the endpoint in use goes, cut or mute, the other one answers; when it is back it is known again."""
    rpc = client(http, *(line.url for line in lines), timeout_s=0.5)
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
        with pytest.raises(RpcUnavailable, match="found chain 1, configured is 1337"):
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


async def test_logs_in_pieces(http: aiohttp.ClientSession, aggregator: Aggregator, proxy: MisbehavingRpc) -> None:
    """Logs over more blocks than an endpoint gives at once are all read, and its limit is remembered."""
    await aggregator.request_round()
    await aggregator.anvil.mine(1000)
    await aggregator.request_round()
    rpc = client(http, proxy.url)
    proxy.rules = [log_range(499)]
    head = await rpc.number("eth_blockNumber")
    expected = await aggregator.anvil.rpc.logs(aggregator.address, ROUND_REQUESTED, 0, head)
    assert 2 == len(expected)
    assert expected == await rpc.logs(aggregator.address, ROUND_REQUESTED, 0, head)

    proxy.asked.clear()
    assert expected == await rpc.logs(aggregator.address, ROUND_REQUESTED, 0, head)
    assert [] == [method for method in proxy.asked if method != "eth_getLogs"]
    assert -(-(head + 1) // 251) == len(proxy.asked)


async def test_logs_of_another_endpoint(http: aiohttp.ClientSession, anvil: Anvil, proxy: MisbehavingRpc) -> None:
    """What an endpoint has not is asked of the next one; when nobody has it, that is a refusal, not an outage."""
    proxy.rules = [without("eth_getLogs"), always("eth_gasPrice", refusal(-32000, "header not found"))]
    rpc = client(http, proxy.url, anvil.url)
    assert [] == await rpc.logs(OWNER, NEW_TRANSMISSION, 0, 0)
    assert 0 <= await rpc.number("eth_gasPrice")
    await rpc.number("eth_blockNumber")
    assert [Standing.GOOD] * 2 == [rpc.book.standing(i) for i in range(2)]

    alone = client(http, proxy.url)
    with pytest.raises(RpcRefused, match="eth_getLogs does not exist"):
        await alone.logs(OWNER, NEW_TRANSMISSION, 0, 0)
    assert Standing.GOOD is alone.book.standing(0)


async def test_an_endpoint_that_gives_no_logs_at_all(http: aiohttp.ClientSession, proxy: MisbehavingRpc) -> None:
    """-32005 for logs is no rate limit: the endpoint goes on being asked for everything else."""
    proxy.rules = [log_range(0)]
    rpc = client(http, proxy.url)
    with pytest.raises(RpcRefused, match="limit exceeded"):
        await rpc.logs(OWNER, NEW_TRANSMISSION, 0, 100)
    assert 0 == await rpc.number("eth_blockNumber")


@pytest.mark.parametrize("limit", [http_answer(429, Retry_After="7"), always("eth_gasPrice", refusal(-32005, "no"))])
async def test_a_rate_limit(http: aiohttp.ClientSession, anvil: Anvil, proxy: MisbehavingRpc, limit: Rule) -> None:
    """An endpoint that was asked too often is left alone for the time it asks for; another one answers meanwhile."""
    clock = ManualClock()
    rpc, alone = client(http, proxy.url, anvil.url, clock=clock), client(http, proxy.url, clock=clock)
    for one in (rpc, alone):
        await one.number("eth_blockNumber")
    proxy.rules = [limit]
    assert 0 <= await rpc.number("eth_gasPrice")
    with pytest.raises(RpcUnavailable, match=r"asked too often|: no"):
        await alone.number("eth_gasPrice")
    proxy.rules, asked = [], len(proxy.asked)
    with pytest.raises(RpcUnavailable, match="0: it was asked too often, and is left alone"):
        await alone.number("eth_blockNumber")
    await rpc.number("eth_blockNumber")
    await rpc.inspect()
    assert asked == len(proxy.asked)

    clock.advance(7)
    assert 0 == await alone.number("eth_blockNumber")


async def test_a_transaction_and_a_rate_limit(http: aiohttp.ClientSession, proxy: MisbehavingRpc) -> None:
    """A transaction that was refused for the rate was not taken, for certain; one that is known already was."""
    rpc = client(http, proxy.url)
    await rpc.number("eth_blockNumber")
    proxy.rules = [refusing_sends("daily request count exceeded, request rate limited", "AlreadyKnown")]
    assert Submission(False, False) == await rpc.submit(b"\1")
    assert Submission(True, False) == await rpc.submit(b"\1")
    proxy.rules = [http_answer(429)]
    assert Submission(False, False) == await rpc.submit(b"\1")


async def test_a_chain_that_changes(http: aiohttp.ClientSession, anvil: Anvil, proxy: MisbehavingRpc) -> None:
    """An endpoint that becomes one of another chain is asked nothing more, and told, until it is of ours again."""
    rpc = client(http, proxy.url)
    await rpc.inspect()
    proxy.rules = [always("eth_chainId", {"result": "0x38"})]
    await rpc.inspect()
    proxy.asked.clear()
    with pytest.raises(RpcUnavailable, match="0: found chain 56, configured is 1337"):
        await rpc.number("eth_blockNumber")
    assert Submission(False, False) == await rpc.submit(b"\1")
    assert [] == proxy.asked

    proxy.rules = []
    await rpc.inspect()
    assert 0 == await rpc.number("eth_blockNumber")


async def test_a_transaction_that_is_refused_but_there(
    http: aiohttp.ClientSession, anvil: Anvil, proxy: MisbehavingRpc
) -> None:
    """Where an endpoint refuses in words that nobody knows, it is asked whether it has the transaction."""
    key = EvmKey.generate()
    await anvil.fund(key.address)
    raw = UnsignedTransaction(CHAIN_ID, 0, 10**9, 21_000, key.address).sign(key.private_key)
    rpc = RpcClient(http, [Endpoint("proxy", proxy.url)], CHAIN_ID)
    proxy.rules = [refusing_sends("deja vu")]
    assert ["deja vu"] == [refusal.message for refusal in (await rpc.submit(raw)).refusals]
    await rpc.submit(raw)
    proxy.rules = [refusing_sends("deja vu")]
    assert Submission(accepted=True, uncertain=False) == await rpc.submit(raw)
