"""What is looked at of feeds before a start."""

import json
from pathlib import Path
from typing import Any

import pytest

from meshkit.configuration import start_check
from tests.deployment import deployment, written
from tests.job_templates import Leg, direct

ETH = direct("ETH / USD", [Leg("binance", "ETH", "USDT"), Leg("kraken", "ETH"), Leg("okx", "ETH")])
WRONG = direct("SOL / USD", [Leg("coingecko", "solana-2"), Leg("kraken", "SOL"), Leg("okx", "SOL")])
RIGHT = "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"
MISTYPED = "0xabaBaBaBABabABabAbAbABAbABabababaBaBABaB"


def checked(directory: Path, templates: dict[str, str], cas: Any = None, **mesh: Any) -> start_check.Checked:
    """Check a deployment with templates and a file of addresses."""
    there = directory / "templates"
    there.mkdir()
    for name, text in templates.items():
        (there / name).write_text(text)
    if cas is not None:
        (there / "feed-cas.json").write_text(json.dumps(cas))
    document = deployment(**mesh)
    document["solution"]["chainlinkFeedTemplatesDir"] = str(there)
    return start_check.check(written(directory, document), {})


@pytest.mark.parametrize(
    ("mesh", "problem"),
    [
        (
            {"feedSettings": {"BTC / USD": {"heartbeatMs": 1000}}},
            "BTC / USD.heartbeatMs: found 1000, allowed: at least 600000 on chain 5611",
        ),
        ({"feedSettings": {"ETH / USD": {"deltaStageMs": 1}}}, "ETH / USD.deltaStageMs: found 1, allowed: at least"),
        (
            {"feedSettings": {"ETH / USD": {"deltaGraceMs": 30_000}}},
            "ETH / USD.deltaGraceMs: found 30000, allowed: deltaGraceMs (30000) less than deltaRoundMs (30000)",
        ),
        (
            {"feedSettings": {"BTC / USD": {"deltaGraceMs": 25_000}}},
            "BTC / USD.deltaGraceMs: found 25000, allowed: a round that leaves at least quotes.requestTimeoutMs",
        ),
        ({"feedSettings": {"ETH / USD": {"decimals": 18}}}, "ETH / USD.decimals: found 18, allowed: 8"),
        ({"feedSettings": {"ETH / USD": {"ocrVersion": 2}}}, "ocrVersion: found 2, allowed: 1: the template is"),
        (
            {"feedSettings": {"BTC / USD": {"ocrVersion": 2}}, "runtime": "embedded"},
            "ocrVersion: found 2, allowed: 1 with the runtime embedded",
        ),
        (
            {"feedSettings": {"BTC / USD": {"ocrVersion": 2}}, "runtime": {"1": "embedded", "4": "embedded"}},
            "ocrVersion: found 2, allowed: 1 with the runtime embedded of nodes 1, 4, which do not speak OCR2",
        ),
        (
            {"feedSettings": {"BTCC / USD": {"rMax": 2}}},
            "found the unknown feed 'BTCC / USD', allowed: a feed that `feedmesh feeds --known` lists, or one of a "
            "template; did you mean 'BTC / USD'?",
        ),
        (
            {"contracts": {"addresses": {"BTC / USD": RIGHT}}},
            "eth-usd.toml: found ETH / USD, which has no contract, allowed: an address in solution.mesh.contracts",
        ),
    ],
)
def test_settings_of_a_feed_are_checked(tmp_path: Path, mesh: dict[str, Any], problem: str) -> None:
    """Timings by the chain, decimals by the template, versions by what nodes speak, names, contracts."""
    found = checked(tmp_path, {"eth-usd.toml": ETH}, **mesh)

    assert 1 == len(found.problems), found.problems
    assert problem in str(found.problems[0])


@pytest.mark.parametrize(
    ("cas", "problem"),
    [
        ({"ETH / USD": MISTYPED}, "of ETH / USD, with a wrong checksum"),
        ({"ETH / USD": RIGHT, "BTC / USD": RIGHT.lower()}, "of ETH / USD, the contract of BTC / USD"),
    ],
)
def test_addresses_of_files_are_checked(tmp_path: Path, cas: Any, problem: str) -> None:
    """A typing error and a contract of two feeds are found; letters of one case need no checksum."""
    found = checked(tmp_path, {"eth-usd.toml": ETH}, cas)

    assert [True] == [problem in str(each) for each in found.problems]


def test_wrong_prices_of_templates_are_told(tmp_path: Path) -> None:
    """A template is served as it is; that it evidently prices something else is worth a word."""
    found = checked(tmp_path, {"eth-usd.toml": ETH, "sol-usd.toml": WRONG})

    assert () == found.problems
    assert ["SOL / USD is priced wrongly (wrong-coin): coingecko solana-2/USD: the coin SOL is solana"] == [
        each.text for each in found.remarks if "sol-usd.toml" in each.path
    ]


def test_templates_alone_are_enough(tmp_path: Path) -> None:
    """A file without mesh.feeds is served by its templates, and settings of feeds that are not served are told."""
    settings = {"BTC / USD": {"rMax": 2}}
    found = checked(
        tmp_path, {"eth-usd.toml": ETH}, {"ETH / USD": RIGHT}, feeds=[], contracts={}, feedSettings=settings
    )

    assert () == found.problems
    assert ["solution.mesh.feedSettings.BTC / USD: has no effect: the feed is not served"] == [
        str(each) for each in found.remarks if "feedSettings" in each.path
    ]


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Feeds of the list go on without the templates; the missing directory is named."""
    document = deployment()
    found = start_check.check(written(tmp_path, document), {})

    assert () == found.problems
    assert ["no feed comes from there: there is no directory /templates"] == [
        each.text for each in found.remarks if each.path == "solution.chainlinkFeedTemplatesDir"
    ]
