"""`feedmesh audit` against a real contract on a real chain."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from eth_abi.abi import encode

from chainlink.contract import aggregator as contract
from chainlink.rpc.errors import RpcRefused
from cli.errors import CliError, UsageError
from cli.explain.audit_findings import Level, audit
from cli.explain.audit_reading import AGGREGATOR, read
from cli.explain.auditing import audit_feed
from meshkit.ethereum.address import checksummed
from tests.oracle.anvil import OWNER, Aggregator, Anvil
from tests.oracle.ocr.committee import make_committee
from tests.ports import free_port

PROXY, BEHIND, KEY = (checksummed("0x" + digit * 40) for digit in "123")
NOW_S = 1_700_000_000


@pytest.fixture(name="aggregator")
async def _aggregator() -> AsyncIterator[Aggregator]:
    """Give a configured contract that had no round yet."""
    async with aiohttp.ClientSession() as session:
        anvil = Anvil(session, None)
        await anvil.start()
        try:
            aggregator = await Aggregator.deploy(anvil)
            config = make_committee().contract_config
            await aggregator.configure(config.signers, config.transmitters, config.f, config.encoded)
            yield aggregator
        finally:
            await anvil.stop()


async def test_a_contract_is_read_as_it_is(aggregator: Aggregator, capsys: pytest.CaptureFixture[str]) -> None:
    """Description, decimals, owner, bounds and the heartbeat of its own configuration are read; no round is a fault."""
    url = aggregator.anvil.url

    code = await audit_feed(aggregator.address.lower(), url, None, as_json=True)
    said = json.loads(capsys.readouterr().out)

    assert (1, False) == (code, said["ok"])
    assert ("BTC / USD", 8, 1337, 10.0) == (
        said["description"],
        said["decimals"],
        said["chain_id"],
        said["heartbeat_s"],
    )
    found = {finding["what"]: finding for finding in said["findings"]}
    assert "fault" == found["answer"]["level"]
    assert OWNER.lower() in found["owner"]["words"].lower()
    assert f"{aggregator.address} answers itself" in found["contract"]["words"]

    assert 1 == await audit_feed("0x" + "9" * 40, url, None, as_json=False)
    assert "do not use it: there is no contract at 0x9999" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("0x12", "http://localhost:1"),
        ("BTC", "http://localhost:1"),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeE", "http://localhost:1"),
        ("0x" + "1" * 40, "localhost:1"),
    ],
)
async def test_what_is_no_address_is_refused(address: str, url: str) -> None:
    """A text that is no address, has a wrong checksum, or is no URL is an error of usage, before anybody is asked."""
    with pytest.raises(UsageError, match=r"found"):
        await audit_feed(address, url, None, as_json=False)


async def test_a_chain_that_is_away_is_one_line() -> None:
    """Without an answer there is one line that says so, without the URL, which may hold a key."""
    with pytest.raises(CliError, match="the chain gives no answer") as caught:
        await audit_feed("0x" + "1" * 40, f"http://127.0.0.1:{free_port()}/secret-key", None, as_json=False)

    assert "secret-key" not in str(caught.value)


class _Chain:
    """Answer as a chain with a proxy, its aggregator, and an owner without code."""

    async def call(self, method: str, *params: Any) -> Any:
        """Answer a question that is none to a contract."""
        if method == "eth_getBlockByNumber":
            return {"timestamp": hex(NOW_S)}
        return "0x60" if params[0] in (PROXY, BEHIND) else "0x"

    async def eth_call(self, to: str, data: bytes) -> bytes:
        """Answer a function of a contract, or revert."""
        said = {
            (PROXY, AGGREGATOR.selector): encode(["address"], [BEHIND]),
            (PROXY, contract.DESCRIPTION.selector): encode(["string"], ["ETH / USD"]),
            (PROXY, contract.DECIMALS.selector): encode(["uint8"], [8]),
            (BEHIND, contract.DECIMALS.selector): encode(["uint8"], [8]),
            (PROXY, contract.OWNER.selector): encode(["address"], [KEY]),
            (BEHIND, contract.MIN_ANSWER.selector): encode(["int192"], [1]),
            (BEHIND, contract.MAX_ANSWER.selector): encode(["int192"], [10**20]),
            (BEHIND, contract.LATEST_ROUND_DATA.selector): _round(7),
            (PROXY, contract.LATEST_ROUND_DATA.selector): _round(1 << 64 | 7),
        }
        if (to, data) not in said:
            raise RpcRefused("eth_call", 3, "execution reverted")
        return said[to, data]


def _round(number: int) -> bytes:
    return encode(
        ["uint80", "int256", "uint256", "uint256", "uint80"], [number, 3 * 10**11, NOW_S - 9, NOW_S - 9, number]
    )


async def test_a_proxy_is_read_with_what_is_behind_it() -> None:
    """Of a proxy its aggregator is read too: bounds from there, the phase from the round, the owner as one key."""
    chain: Any = _Chain()

    feed = await read(chain, PROXY, 60.0)
    found = {finding.what: finding for finding in audit(feed)}

    assert (BEHIND, 1, 10**20, 8) == (feed.aggregator, feed.minimum, feed.maximum, feed.decimals_behind)
    assert Level.OK is found["proxy"].level
    assert "7 of phase 1" == found["round"].words
    assert (Level.WARNING, True) == (found["owner"].level, "one key" in found["owner"].words)
    assert {Level.OK, Level.WARNING} == {finding.level for finding in found.values()}
