"""All that is looked at before a start."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from meshkit.configuration import start_check
from meshkit.configuration.checks import chain, rounds
from meshkit.configuration.checks.default_provider_addresses import REST
from meshkit.configuration.faults.problem import InvalidConfiguration
from services.aggregator.sources.catalog import DECLARATIONS
from services.operator import config as operator
from tests.deployment import KEYS, TRANSMISSION_WEI, deployment, written

LOWER = "0x" + "ab" * 20
RIGHT = "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"
WRONG = "0xabaBaBaBABabABabAbAbABAbABabababaBaBABaB"


def put(document: dict[str, Any], path: str, value: object) -> None:
    """Set a value in `solution`, with the objects above it."""
    *above, name = path.split("/")
    section = document["solution"]
    for part in above:
        section = section.setdefault(part, {})
    section[name] = value


def faults(path: Path, document: object, environment: Mapping[str, str] | None = None) -> list[str]:
    """Return what is wrong with a document, without lines."""
    found = start_check.check(written(path, document), environment or {})
    return [f"{each.path}: {each.found} | {each.allowed}" for each in found.problems]


# Each with one edit of a good file, and what is said of it.
BAD: dict[str, tuple[dict[str, object], list[str]]] = {
    "faucet key": (
        {"faucetPrivateKey": "0x" + "zz" * 32},
        ["solution.faucetPrivateKey: 66 characters that are not this (hidden) | a private key: 64 hexadecimal digits"],
    ),
    "faucet key of zeros": ({"faucetPrivateKey": "0" * 64}, ["solution.faucetPrivateKey: a number that is no key"]),
    "no checksum": (
        {"mesh/contracts/addresses": {"BTC / USD": LOWER}},
        [
            f"solution.mesh.contracts.addresses.BTC / USD: {LOWER}, without checksum | the same with its checksum: "
            f"{RIGHT}"
        ],
    ),
    "wrong checksum": (
        {"linkCa": WRONG},
        [f"solution.linkCa: {WRONG}, with a wrong checksum | an address whose checksum is right (EIP-55)"],
    ),
    "RPC in clear": (
        {"chainlinkRpcHttpUrl": "http://rpc.example", "chainlinkRpcWsUrl": "ws://rpc.example"},
        [
            "solution.chainlinkRpcHttpUrl: http to rpc.example | https to any host but this one",
            "solution.chainlinkRpcWsUrl: ws to rpc.example | wss to any host but this one",
        ],
    ),
    "source in clear": (
        {"priceAggregatorConfig/sources/okx/baseUrl": "http://mirror.example"},
        ["solution.priceAggregatorConfig.sources.okx.baseUrl: http to mirror.example | https"],
    ),
    "push in clear": (
        {"metricsPush": {"enabled": True, "url": "http://push.example"}},
        ["solution.metricsPush.url: http to push.example | https"],
    ),
    "beyond egress": (
        {"mesh/egress": ["*.publicnode.com"], "priceAggregatorConfig/sources": {"okx": {}, "kraken": {}}},
        [
            "solution.priceAggregatorConfig.sources.okx.baseUrl: the host www.okx.com | a host of solution.mesh.egress",
            "solution.priceAggregatorConfig.sources.kraken.baseUrl: the host api.kraken.com | a host of",
        ],
    ),
    "equal bases": (
        {"mesh/ports": {"nodeApiBase": 6600, "nodeP2PBase": 6600}},
        [
            "solution.mesh.ports.nodeP2PBase: the ports 6601 to 6605 | ports that nothing else has; "
            "solution.mesh.ports.nodeApiBase has 6601"
        ],
    ),
    "overlapping bases": (
        {"mesh/ports": {"nodeApiBase": 6600, "nodeP2PBase": 6604}},
        ["solution.mesh.ports.nodeP2PBase: the ports 6605 to 6609 | ports that nothing else has"],
    ),
    "a port among the nodes'": (
        {"pgPort": 6603},
        ["solution.mesh.ports.nodeApiBase: the ports 6601 to 6605 | ports that nothing else has; solution.pgPort has"],
    ),
    "timings": (
        {"mesh/ocr": {"deltaProgressMs": 6000, "deltaRoundMs": 5000, "deltaGraceMs": 1000, "deltaCMs": 1000}},
        [
            "solution.mesh.ocr.deltaCMs: 1000 | at least 600000 on chain 5611",
            "solution.mesh.ocr.deltaRoundMs: 5000 | at least 20000 on chain 5611",
            "solution.mesh.ocr.deltaProgressMs: 6000 | at least 23000 on chain 5611",
            "solution.priceAggregatorConfig.quotes.requestTimeoutMs: 10000 | at most 3000",
        ],
    ),
    "order of timings": (
        {"mesh/ocr": {"deltaRoundMs": 40_000}},
        ["solution.mesh.ocr.deltaRoundMs: 40000 | less than deltaProgressMs, which is 35000"],
    ),
    "unknown feed's address": (
        {"mesh/contracts/addresses": {"BTC/USD": RIGHT}},
        [
            "solution.mesh.contracts.addresses.BTC/USD: the unknown feed 'BTC/USD' | a feed that `feedmesh feeds "
            "--known` lists; did you mean 'BTC / USD'?"
        ],
    ),
    "unknown feed's price": (
        {"mesh/aggregator/referencePrices": {"BTC-USD": "1"}},
        ["solution.mesh.aggregator.referencePrices.BTC-USD: the unknown feed 'BTC-USD'"],
    ),
    "no contract": (
        {"mesh/contracts": {}},
        ["solution.mesh.feeds.0: BTC / USD, which has no contract | an address in solution.mesh.contracts.addresses"],
    ),
    "two feeds, one contract": (
        {"mesh/contracts": {"addresses": {"BTC / USD": RIGHT, "ETH / USD": RIGHT}}},
        [f"solution.mesh.contracts.addresses.ETH / USD: {RIGHT}, the contract of BTC / USD | a contract for each"],
    ),
    "no feed": ({"mesh/feeds": []}, ["solution.mesh.feeds: none | at least one feed"]),
    "a feed twice": ({"mesh/feeds": ["BTC / USD"] * 2}, ["solution.mesh.feeds.1: BTC / USD again | each feed once"]),
    "a feed without sources": (
        {"priceAggregatorConfig/sources": {"kraken": {"enabled": False}, "cryptocompare": {}, "okx": {}}},
        ["solution.mesh.feeds.0: BTC / USD, of whose sources of BTC/USD okx can be asked | at least 2 of"],
    ),
    "top-up": (
        {"faucetTopupWei": TRANSMISSION_WEI - 1},
        [f"solution.faucetTopupWei: {TRANSMISSION_WEI - 1} | at least {TRANSMISSION_WEI}, one transmission of 500000"],
    ),
    "request timeout": (
        {"priceAggregatorConfig/quotes/requestTimeoutMs": 20_000},
        ["solution.priceAggregatorConfig.quotes.requestTimeoutMs: 20000 | at most 13500, the time of an observation"],
    ),
    "label": (
        {"metricsPush": {"enabled": True, "url": "https://push.example", "groupingLabels": {"a-b": "c"}}},
        ["solution.metricsPush.groupingLabels.a-b: the label 'a-b' | names of labels"],
    ),
    "no address to push to": (
        {"metricsPush": {"enabled": True}},
        ["solution.metricsPush.url: nothing | an address such as https://host/path, as enabled is true"],
    ),
    "role": ({"pgUser": "pg_x"}, ["solution.pgUser: 'pg_x' | a role of at most 63 bytes"]),
    "type": ({"pgPort": "many"}, ['solution.pgPort: "many" | a whole number from 1 to 65535']),
    "null": ({"pgPort": None}, ["solution.pgPort: null | a whole number from 1 to 65535"]),
    "secret of a wrong type": (
        {"chainlinkPassword": 12345678},
        ["solution.chainlinkPassword: a number (hidden) | text of 16 to 50 characters"],
    ),
    "host": ({"chainlinkRpcHttpUrl": "https://"}, ['solution.chainlinkRpcHttpUrl: "ht…//" | an address such as']),
    "port of a host": ({"chainlinkRpcHttpUrl": "https://h:99999"}, ["solution.chainlinkRpcHttpUrl: "]),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said(tmp_path: Path, name: str) -> None:
    """Each fault with its place, what was found and what is allowed, in words of ours, and nothing else."""
    edits, expected = BAD[name]
    document = deployment()
    for path, value in edits.items():
        put(document, path, value)
    found = faults(tmp_path, document)

    assert len(expected) == len(found)
    assert [] == [text for text in expected if not any(each.startswith(text) for each in found)]
    assert not any(word in each for each in found for word in ("Input should", "pydantic", "Value error", "ctx"))


def test_all_faults_are_found_in_one_run(tmp_path: Path) -> None:
    """Each that is not undone by another comes with its own line, also beside values that cannot be read at all."""
    document = deployment()
    names = ("faucet key", "wrong checksum", "RPC in clear", "push in clear", "equal bases", "unknown feed's address")
    for name in (*names, "top-up", "request timeout", "role", "type", "secret of a wrong type"):
        for path, value in BAD[name][0].items():
            put(document, path, value)
    put(document, "mesh/feeds", [])
    put(document, "mesh/contracts/deploy", False)
    found = start_check.check(written(tmp_path, document), {}).problems
    lines = (tmp_path / "configuration.json").read_text().splitlines()

    assert {
        *("faucetPrivateKey", "linkCa", "chainlinkRpcHttpUrl", "chainlinkRpcWsUrl", "metricsPush.url"),
        *("mesh.ports.nodeP2PBase", "mesh.contracts.addresses.BTC/USD", "faucetTopupWei", "pgUser", "pgPort"),
        *("priceAggregatorConfig.quotes.requestTimeoutMs", "chainlinkPassword", "mesh.feeds"),
    } == {each.path.removeprefix("solution.") for each in found}
    assert [] == [each for each in found if f'"{each.place[-1]}"' not in lines[each.line - 1]]
    assert sorted(each.line for each in found) == [each.line for each in found]


def test_a_good_file_is_good(tmp_path: Path) -> None:
    """Nothing is said of it, and its text is what services read, to the byte."""
    file = written(tmp_path, deployment())
    found = start_check.check(file, {})

    assert () == found.problems
    assert file.read_text() == found.content
    assert "none" == found.signature


def test_what_stands_beside_the_file_is_what_services_read(tmp_path: Path) -> None:
    """A variable stands in for a key that the file lacks, and is told; the file's own value comes first."""
    document = deployment()
    del document["solution"]["maxRestarts"]
    environment = {"MAX_RESTARTS": "7", "SET_CONFIG_BATCH_SIZE": "99", "PG_PORT": ""}
    found = start_check.check(written(tmp_path, document), environment)

    assert () == found.problems
    assert found.configuration is not None
    solution = found.configuration.solution
    assert (7, 10) == (solution.max_restarts, solution.set_config_batch_size)
    assert "7" == json.loads(found.content)["solution"]["maxRestarts"]
    assert "solution.maxRestarts: its value is that of MAX_RESTARTS in the environment" in map(str, found.remarks)
    document["solution"]["pgPort"] = 70_000
    bad = faults(tmp_path, document, {"MAX_RESTARTS": "many"})
    assert ['solution.maxRestarts: "many" | a whole number of at least 0'] == [
        each for each in bad if "maxRestarts" in each
    ]


@pytest.mark.parametrize(
    ("remove", "place"),
    [
        ("priceAggregatorConfig/sources/okx/ttl", "solution.priceAggregatorConfig.sources.okx.ttl"),
        ("priceAggregatorConfig/sources/binance/baseUrl", "solution.priceAggregatorConfig.sources.binance.baseUrl"),
        ("priceAggregatorConfig/sources/finnhub/apiKey", "solution.priceAggregatorConfig.sources.finnhub"),
        ("priceAggregatorConfig/sources/bybit", "solution.priceAggregatorConfig.sources"),
        ("faucetTopupWei", "solution.faucetTopupWei"),
        (
            "priceAggregatorConfig/refetch/failedPairsRetry/retryDelay",
            "solution.priceAggregatorConfig.refetch.failedPairsRetry.retryDelay",
        ),
    ],
)
def test_a_file_that_relies_on_a_default_is_told(tmp_path: Path, remove: str, place: str) -> None:
    """Where ours is another one than the author may know, and where a source stays off."""
    document = deployment()
    whole = start_check.check(written(tmp_path, document), {})
    *above, name = remove.split("/")
    section = document["solution"]
    for part in above:
        section = section[part]
    del section[name]
    without = start_check.check(written(tmp_path, document), {})

    assert place not in {remark.path for remark in whole.remarks}
    assert place in {remark.path for remark in without.remarks}


def test_the_earlier_runs_contract_is_enough(tmp_path: Path) -> None:
    """A feed needs no address where the operator remembers one of this chain; of another chain it does."""
    document = deployment(contracts={})
    document["solution"]["spSecretsDir"] = str(tmp_path)
    state = tmp_path / "cl-secrets" / "contracts.json"
    state.parent.mkdir()
    state.write_text(json.dumps({"chainId": 5611, "feeds": {"BTC / USD": {"address": RIGHT}}}))
    assert [] == faults(tmp_path, document)
    state.write_text(json.dumps({"chainId": 1, "feeds": {"BTC / USD": {"address": RIGHT}}}))
    assert 1 == len(faults(tmp_path, document))


def test_secrets_are_in_no_fault(tmp_path: Path) -> None:
    """Whatever is wrong with them, and wherever they stand."""
    document = deployment()
    secret = "marked-secret"
    for path in ("pgPassword", "chainlinkPassword", "faucetPrivateKey", "chainlinkKeystorePassword"):
        put(document, path, secret[:7])
    put(document, "priceAggregatorConfig/metricsPush/basicAuth", {"username": "u", "password": [secret]})
    put(document, "metricsPush", {"headers": {"X-Key": [secret]}, "pasword": secret})
    text = "\n".join(faults(tmp_path, document))

    assert "marked" not in text
    assert 6 <= text.count("\n")


def test_only_what_is_checked_is_valid(tmp_path: Path) -> None:
    """Who wants to run a file with faults gets all of them in one error."""
    document = deployment(feeds=[])
    put(document, "pgPort", 0)
    with pytest.raises(InvalidConfiguration) as caught:
        start_check.valid(written(tmp_path, document), {})
    assert ["solution.pgPort", "solution.mesh.feeds"] == [problem.path for problem in caught.value.problems]


def test_what_is_only_read_may_have_to_be_signed(tmp_path: Path) -> None:
    """Shares for other machines are made of a file that the key has signed, if there is a key; its values are shown."""
    file = written(tmp_path, deployment(feeds=[]))
    key = {"CONFIGURATION_PUBLIC_KEY": json.loads(KEYS.read_text())["publicKeyDerBase64"]}
    start_check.readable(file, {}, signed=True)
    start_check.readable(file, key)
    with pytest.raises(InvalidConfiguration, match="found no signature"):
        start_check.readable(file, key, signed=True)


def test_what_is_known_of_sources_is_what_the_aggregator_declares() -> None:
    """Their addresses, and which need a key."""
    assert dict(REST) == {name: declared.base_url for name, declared in DECLARATIONS.items()}
    assert rounds.NEEDS_KEY == {
        name for name, declared in DECLARATIONS.items() if declared.key is not None and declared.key.required
    }


def test_a_transmission_costs_what_nodes_offer_for_it() -> None:
    """The gas that top-ups are compared with is the limit in the nodes' files."""
    assert operator.TRANSMISSION_GAS == chain.TRANSMISSION_GAS


def test_checking_changes_nothing(tmp_path: Path) -> None:
    """The document that a file is made of stays as it is."""
    document = deployment()
    before = copy.deepcopy(document)
    faults(tmp_path, document, {"MAX_RESTARTS": "1"})
    assert before == document
