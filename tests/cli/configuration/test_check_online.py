"""`feedmesh check --online`, against a chain, sources and receivers of the test's own."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from chainlink.keys.evm import EvmKey
from cli.configuration import check_online
from cli.configuration.check_online import Finding, ask
from meshkit.configuration.solution import Configuration, Solution
from tests.deployment import deployment, written

CONTRACT = "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"
# Of the faucet's key in the file.
FAUCET = EvmKey(bytes.fromhex("ab" * 32)).address


class Host:
    """Answer as an endpoint, a source and a receiver."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "eth_chainId": hex(5611),
            "eth_getCode": "0x60",
            "eth_call": "0x" + "0" * 24 + FAUCET[2:].lower(),
            "eth_getBalance": hex(10**21),
        }
        self.rows = [{"baseCcy": "BTC", "quoteCcy": "USD", "state": "live"}]
        self.status = 204
        self.pushed: list[tuple[str, bytes]] = []

    def app(self) -> web.Application:
        """Return the application."""
        app = web.Application()
        app.router.add_post("/rpc", self._rpc)
        app.router.add_get("/okx/api/v5/public/instruments", self._listing)
        app.router.add_post("/push", self._push)
        return app

    async def _rpc(self, request: web.Request) -> web.Response:
        asked = await request.json()
        answer = self.answers[asked["method"]]
        if answer is None:
            raise web.HTTPBadGateway
        return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": answer})

    async def _listing(self, request: web.Request) -> web.Response:
        return web.json_response({"data": self.rows})

    async def _push(self, request: web.Request) -> web.Response:
        self.pushed.append((request.headers.get("Authorization", ""), await request.read()))
        return web.Response(status=self.status)


@pytest.fixture(name="host")
async def _host() -> AsyncIterator[tuple[Host, BaseTestServer]]:
    """Give a host, and where it is."""
    host = Host()
    async with TestServer(host.app()) as server:
        yield host, server


def document(server: BaseTestServer) -> dict[str, Any]:
    """Return a deployment that asks this host for everything."""
    found = deployment(contracts={"addresses": {"BTC / USD": CONTRACT}}, aggregator={"minimumSources": 1})
    okx = {"baseUrl": str(server.make_url("/okx")), "ttl": 10_000}
    push = {"enabled": True, "url": str(server.make_url("/push")), "basicAuth": {"username": "u", "password": "pw"}}
    found["solution"] |= {
        "chainlinkRpcHttpUrl": str(server.make_url("/rpc")),
        "priceAggregatorConfig": {"sources": {"okx": okx}, "metricsPush": push},
    }
    return found


def solution(server: BaseTestServer) -> Solution:
    """Return the same as values."""
    return Configuration.model_validate(document(server)).solution


def by_what(findings: list[Finding]) -> dict[str, tuple[str, str]]:
    """Return what was found and what follows, by what was asked."""
    return {each.what: (each.found, each.verdict) for each in findings}


async def test_a_host_that_has_everything(host: tuple[Host, BaseTestServer]) -> None:
    """Chain id, code, owner, balance, listing and receiver are asked for, and fine."""
    found = by_what(await ask(solution(host[1])))

    assert {
        "chain id at opbnb-testnet": ("5611", "ok"),
        "contract of BTC / USD": (f"code at {CONTRACT}", "ok"),
        "owner of BTC / USD": (FAUCET, "ok"),
        f"balance of the faucet {FAUCET}": ("1000000000000000000000 wei, 200000 transmissions", "ok"),
        "listing of okx": ("1 listed, with all 1 pairs of the feeds", "ok"),
        "receiver of solution.priceAggregatorConfig.metricsPush": ("HTTP 204", "ok"),
    } == found
    assert [("Basic dTpwdw==", b"")] == host[0].pushed


@pytest.mark.parametrize(
    ("method", "answer", "what", "said", "verdict"),
    [
        ("eth_chainId", "0x1", "chain id at opbnb-testnet", "1, allowed: 5611", "error"),
        ("eth_chainId", None, "chain id at opbnb-testnet", "no answer to eth_chainId", "error"),
        ("eth_getCode", "0x", "contract of BTC / USD", f"no code at {CONTRACT}", "error"),
        ("eth_call", "0x" + "0" * 63 + "1", "owner of BTC / USD", "not the faucet's account", "warning"),
        ("eth_getBalance", "0x1", f"balance of the faucet {FAUCET}", "1 wei, allowed: at least", "error"),
        ("eth_getBalance", hex(10**17), f"balance of the faucet {FAUCET}", "for a top-up of each", "warning"),
    ],
)
async def test_what_the_chain_says_otherwise(
    host: tuple[Host, BaseTestServer], method: str, answer: str | None, what: str, said: str, verdict: str
) -> None:
    """Each is told with what was found, and what a mesh could not live with is an error."""
    host[0].answers[method] = answer
    found, its_verdict = by_what(await ask(solution(host[1])))[what]

    assert said in found
    assert verdict == its_verdict


async def test_what_sources_and_receivers_say_otherwise(host: tuple[Host, BaseTestServer]) -> None:
    """A pair that is not listed and a receiver that refuses are warnings."""
    host[0].rows, host[0].status = [{"baseCcy": "ETH", "quoteCcy": "USDT", "state": "live"}], 401
    found = by_what(await ask(solution(host[1])))

    assert ("1 listed, but not BTC/USD", "warning") == found["listing of okx"]
    assert ("HTTP 401", "warning") == found["receiver of solution.priceAggregatorConfig.metricsPush"]


async def test_the_table_ends_with_the_verdict(
    host: tuple[Host, BaseTestServer], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One row for each question, and an exit code of 1 if an answer is an error; the same for programs."""
    file = written(tmp_path, document(host[1]))
    assert 0 == await asyncio.to_thread(check_online.run, file, False)
    assert 6 == sum("ok" in line.split() for line in capsys.readouterr().out.splitlines())
    host[0].answers["eth_getCode"] = "0x"
    assert 1 == await asyncio.to_thread(check_online.run, file, True)
    told = json.loads(capsys.readouterr().out)
    assert (False, 1) == (told["ok"], sum(row["verdict"] == "error" for row in told["findings"]))
