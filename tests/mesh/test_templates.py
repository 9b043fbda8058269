"""A deployment's own file, with its job templates and addresses, as the mesh that it is to become."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chainlink.contract.abi_codec import AbiCodec
from chainlink.contract.artifact import load
from chainlink.rpc.endpoints import Endpoint
from cli.embedded import timing
from meshkit.clock import SystemClock
from meshkit.configuration.node_program import PROGRAM_VARIABLE, RuntimeName
from services.operator.config import FeedTarget
from services.operator.onchain import feed_contract
from services.operator.onchain.chain import Chain, Receipt
from services.operator.onchain.transactions import Sender, Transaction
from tests.deployment import KEYS, SIGNED, written
from tests.job_templates import Leg, cross, direct
from tests.mesh.running import FEEDMESH, Mesh, free_port_offset, own_directory, stopping
from tests.node.program import HINT, chainlink_program
from tests.operator import anvil
from tests.operator.anvil import CHAIN_ID, FAUCET_KEY, Anvil
from tests.operator.order import Order, helper_deployment
from tests.ports import free_port

pytestmark = [pytest.mark.long(120), pytest.mark.timeout(600)]

_RUNTIMES: dict[str, RuntimeName | dict[str, RuntimeName]] = {
    "embedded": "embedded",
    "chainlink": "chainlink",
    "mixed": {"1": "embedded", "2": "chainlink", "3": "chainlink", "4": "embedded", "5": "embedded"},
}
_CHAINLINKS = [pytest.param(name, marks=pytest.mark.chainlink_node) for name in ("chainlink", "mixed")]

FEEDS = (FeedTarget("ETH / USD", 8), FeedTarget("LTC / ETH", 18))
_ZERO = "0x" + "00" * 20
_SPLIT = AbiCodec(load("split/SplitConfigAggregator"))
_SOURCES = ("binance", "kraken", "okx")
_ETH = [Leg(name, "ETH", "USDT" if name == "binance" else "USD") for name in _SOURCES]
_LTC = [Leg(each.source, "LTC", each.quote) for each in _ETH]
_TEMPLATES = {
    "eth-usd.toml": direct("ETH / USD", _ETH),
    "ltc-eth.toml": cross("LTC / ETH", list(zip(_LTC, _ETH, strict=True))),
}


@pytest.fixture(name="mesh", scope="module", params=["embedded", *_CHAINLINKS])
def _mesh(request: pytest.FixtureRequest) -> Iterator[Mesh]:
    """Give the mesh of the signed file, of nodes of each program, on a chain whose contracts were there before."""
    program = chainlink_program()
    if request.param != "embedded" and program is None:
        pytest.exit(f"there is no chainlink program: {HINT}", returncode=1)
    key = json.loads(KEYS.read_text())
    with own_directory() as directory, anvil.start(free_port(), "--block-time", "1") as chain:
        order = Order()
        addresses, admin = asyncio.run(_deployed(chain, order))
        _write_templates(directory / "templates", addresses)
        order.write(directory / "certs")
        offset = free_port_offset()
        config = written(directory, _document(directory, offset, chain, admin, _RUNTIMES[request.param]))
        (directory / "key").write_text(key["privateKeyDerBase64"])
        subprocess.run([*FEEDMESH, "config", "sign", str(config), "--key", str(directory / "key")], check=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CONFIGURATION_PUBLIC_KEY", key["publicKeyDerBase64"])
            if program is not None:
                patch.setenv(PROGRAM_VARIABLE, str(program))
            with stopping(Mesh(directory, offset, config=config)) as mesh:
                mesh.first_rounds([feed.name for feed in FEEDS], 120 if request.param == "embedded" else 500)
                yield mesh


def _write_templates(directory: Path, addresses: dict[str, str]) -> None:
    directory.mkdir()
    for name, text in _TEMPLATES.items():
        (directory / name).write_text(text)
    listed = {feed: {str(CHAIN_ID): address} for feed, address in addresses.items()}
    (directory / "feed-cas.json").write_text(json.dumps(listed))


async def _deployed(running: Anvil, order: Order) -> tuple[dict[str, str], str]:
    """
    Deploy a contract of each shape, as somebody else has done; return their addresses, and that of the admin's.

    The first is configured by its owner, the second in two parts, by its owner and by an admin.
    """
    await running.call("anvil_setBalance", running.faucet, hex(10**22))
    chain = Chain([Endpoint("chain", running.url)], CHAIN_ID)
    try:
        sender = Sender(chain, FAUCET_KEY, 10**9, SystemClock(), 30)
        owned, admin = await _made(sender, feed_contract.deployment(chain, FEEDS[0]), helper_deployment())
        await _made(sender, order.registration(admin))
        billing, answers = (0, 0, 0, 0, 0, _ZERO, _ZERO), (1, 10**33)
        data = _SPLIT.deployment(billing, *answers, _ZERO, FEEDS[1].decimals, FEEDS[1].name, admin)
        (split,) = await _made(sender, Transaction("split", None, data))
    finally:
        await chain.close()
    return {FEEDS[0].name: owned, FEEDS[1].name: split}, admin


async def _made(sender: Sender, *transactions: Transaction) -> list[str]:
    receipts = await sender.send_all(transactions)
    made = [str(receipt.contract) for receipt in receipts if isinstance(receipt, Receipt)]
    assert len(transactions) == len(made), receipts
    return made


def _document(
    directory: Path, offset: int, chain: Anvil, admin: str, runtime: RuntimeName | dict[str, RuntimeName]
) -> dict[str, Any]:
    """Return the deployment's file with the chain, the places and the sources of here."""
    document: dict[str, Any] = json.loads(SIGNED.read_text())
    market = 8600 + offset
    document["solution"] |= {
        "chainlinkChainId": CHAIN_ID,
        "chainlinkRpcHttpUrl": chain.url,
        "chainlinkRpcWsUrl": chain.url.replace("http", "ws"),
        "chainlinkGasPrice": 10**9,
        "faucetMinWei": 10**18,
        "faucetTopupWei": 2 * 10**18,
        "pgPort": 5432 + offset,
        "spSecretsDir": str(directory / "secrets"),
        "chainlinkFeedTemplatesDir": str(directory / "templates"),
        "adminContractAddress": admin,
        "mesh": {
            "runtime": runtime,
            "dataDir": str(directory / "data"),
            "runDir": str(directory / "run"),
            "ports": {"metrics": 3003 + offset, "nodeApiBase": 6600 + offset, "nodeP2PBase": 9900 + offset},
            "market": {"enabled": True, "port": market},
            "keystore": {"scryptN": 4096},
            "contracts": {"adminCertificatesDir": str(directory / "certs")},
            "postgres": {"maxConnections": 200},
            "ocr": timing.ocr(len(FEEDS)),
        },
    }
    given = document["solution"]["priceAggregatorConfig"]
    sources = {name: given["sources"][name] for name in _SOURCES}
    for name, source in sources.items():
        del source["stream"]
        source |= {"baseUrl": f"http://127.0.0.1:{market}/{name}", "ttl": 2000, "staleTriggerBeforeExpiry": 1000}
    given |= {"port": 3000 + offset, "sources": sources}
    return document


def test_the_file_is_accepted(mesh: Mesh) -> None:
    """`feedmesh check` verifies the signature and lists the templates' feeds with their contracts."""
    config = mesh.directory / "configuration.json"
    command = [*FEEDMESH, "check", "--config", str(config), "--json"]
    shown = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)

    assert ["ETH / USD", "LTC / ETH"] == shown["feeds"], shown
    assert shown["signature"].startswith("valid by the key")


def test_everything_is_as_configured(mesh: Mesh) -> None:
    """Contracts, jobs and keys agree, and every node has both jobs under the templates' names."""
    verified = json.loads(mesh.command("feeds", "verify", "--json").stdout)
    jobs = json.loads(mesh.command("jobs", "--json").stdout)
    nodes = json.loads(mesh.command("nodes", "--json").stdout)

    assert verified["ok"], verified
    planned = json.loads(mesh.command("feeds", "configure", "--dry-run", "--json").stdout)
    assert (True, []) == (planned["ok"], planned["planned"])
    shown = json.loads(mesh.command("feeds", "show", "ETH / USD", "--json").stdout)
    assert ("FEED_PHASE_RUNNING", 5) == (shown["phase"], len(shown["jobs"]))
    assert jobs["ok"], jobs
    named = [sorted(job["name"] for job in node["jobs"]) for node in jobs["nodes"][1:]]
    assert [["ETH / USD", "LTC / ETH"]] * 4 == named
    assert ["NODE_ROLE_BOOTSTRAP"] + ["NODE_ROLE_ORACLE"] * 4 == [node["role"] for node in nodes]


def test_answers_are_those_of_the_sources(mesh: Mesh) -> None:
    """The last answers are within a percent of what a source says, and can be looked at over time."""
    eth, ltc = (_price(mesh, f"{name}/USD") for name in ("ETH", "LTC"))
    expected = {"ETH / USD": eth, "LTC / ETH": ltc / eth}
    for name, feed in mesh.feeds().items():
        assert abs(Decimal(feed["answer"]) / expected[name] - 1) < Decimal("0.01")
    mesh.command("feeds", "history", "ETH / USD", "--png", str(mesh.directory / "eth.png"))
    assert (mesh.directory / "eth.png").read_bytes()[:4] == b"\x89PNG"
    sources = json.loads(mesh.command("sources", "--json").stdout)
    assert list(_SOURCES) == [source["name"] for source in sources["sources"] if source["enabled"]]


def _price(mesh: Mesh, pair: str) -> Decimal:
    return Decimal(json.loads(mesh.command("quote", pair, "--source", "kraken", "--json").stdout)["price"])
