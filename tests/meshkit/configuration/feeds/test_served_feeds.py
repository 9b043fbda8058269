"""Where feeds come from."""

import json
from pathlib import Path
from typing import Any

import pytest

from meshkit.configuration.feeds.served_feeds import FeedList, feed_list
from meshkit.configuration.solution import Configuration
from tests.deployment import deployment
from tests.job_templates import Leg, direct

ETH = direct("ETH / USD", [Leg("binance", "ETH", "USDT"), Leg("kraken", "ETH"), Leg("okx", "ETH")])
OWN = direct("OWN / USD", [Leg("kraken", "OWN")], decimals=10)
A, B = "0x" + "1" * 40, "0x" + "2" * 40


def listed(directory: Path, templates: dict[str, str], cas: Any = None, **mesh: Any) -> FeedList:
    """Return the feeds of a deployment with templates and a file of addresses."""
    for name, text in templates.items():
        (directory / name).write_text(text)
    if cas is not None:
        (directory / "feed-cas.json").write_text(json.dumps(cas))
    document = deployment(**mesh)
    document["solution"]["chainlinkFeedTemplatesDir"] = str(directory)
    return feed_list(Configuration.model_validate(document).solution)


def test_feeds_of_all_places_are_served(tmp_path: Path) -> None:
    """Those of the list come first, then the templates', each with decimals and the address of this chain."""
    cas = {"ETH / USD": {"5611": A, "204": B}, "BTC / USD": {"5611": B}}

    found = listed(tmp_path, {"eth-usd.toml": ETH, "own-usd.toml": OWN, "README.md": "x"}, cas)

    assert [("BTC / USD", 8, B), ("ETH / USD", 8, A), ("OWN / USD", 10, None)] == [
        (feed.name, feed.decimals, feed.address) for feed in found.served
    ]
    assert [None, "eth-usd.toml", "own-usd.toml"] == [feed.template and feed.template.file for feed in found.served]


@pytest.mark.parametrize(
    "cas",
    [
        {"ETH / USD": {"5611": A}},
        {"5611": {"ETH / USD": A}},
        {"eth-usd": {"5611": A}},
        {"5611": {"eth-usd": A}, "204": {"eth-usd": B}},
        {"ETH / USD": A},
    ],
)
def test_files_of_addresses_have_several_forms(tmp_path: Path, cas: Any) -> None:
    """By name or by chain first, by a feed's name or its file's, or of one chain only."""
    assert [None, A] == [feed.address for feed in listed(tmp_path, {"eth-usd.toml": ETH}, cas).served]


def test_what_the_configuration_says_goes_before(tmp_path: Path) -> None:
    """An address of the configuration is taken, and a feed of the list is served without its template."""
    contracts = {"addresses": {"ETH / USD": B}}

    found = listed(tmp_path, {"eth-usd.toml": ETH}, {"ETH / USD": A}, contracts=contracts, feeds=["ETH / USD"])

    assert [("ETH / USD", B, None)] == [(feed.name, feed.address, feed.template) for feed in found.served]
    assert ["ETH / USD"] == list(found.unused)


def test_a_feed_of_other_chains_is_not_served(tmp_path: Path) -> None:
    """A template whose contracts are elsewhere is no feed here, and that is told."""
    found = listed(tmp_path, {"eth-usd.toml": ETH}, {"ETH / USD": {"204": A}})

    assert ("BTC / USD",) == found.names
    assert {"ETH / USD": "its contracts are on other chains than 5611"} == found.unused


@pytest.mark.parametrize(
    ("templates", "cas", "found"),
    [
        ({"a.toml": ETH, "b.toml": ETH}, None, ["b.toml: the name 'ETH / USD', which a.toml has already"]),
        ({"a.toml": "type ="}, None, ["a.toml: no TOML"]),
        ({"a.toml": ""}, None, ["a.toml: 0 bytes"]),
        ({"a.toml": ETH.replace("$JOB_CA", A)}, None, ["a.toml: no $JOB_CA"]),
        ({"a.toml": ETH.replace("10s", "$LONG")}, None, ["a.toml: the placeholder $LONG"]),
        ({"a.toml": ETH.replace("offchainreporting", "cron")}, None, ["a.toml: the type 'cron'"]),
        ({"a.toml": ETH.replace("times=100000000", "times=1000", 1)}, None, ["a.toml: other scales"]),
        ({}, [], ["feed-cas.json: no object"]),
        ({}, {"ETH / USD": {"5611": "0x12"}}, ["feed-cas.json: ETH / USD.5611: '0x12' is no address"]),
        ({}, {"ETH / USD": {"main": A}}, ["feed-cas.json: ETH / USD.main: neither"]),
    ],
)
def test_what_cannot_be_served_is_said(tmp_path: Path, templates: dict[str, str], cas: Any, found: list[str]) -> None:
    """Each fault names the file, and the other feeds are there."""
    listing = listed(tmp_path, templates, cas)

    told = [f"{each.place[-1]}: {each.found}" for each in listing.problems]
    assert len(found) == len(told)
    assert all(text in line.replace(f"{tmp_path}/", "") for text, line in zip(found, told, strict=True)), told
    assert "BTC / USD" in listing.names


def test_a_feed_has_its_own_settings(tmp_path: Path) -> None:
    """What is given for a feed goes before what is given for all; the rest is that of all."""
    settings = {"ETH / USD": {"heartbeatMs": 3_600_000, "deviationPpb": 1, "deltaRoundMs": 31_000, "rMax": 9}}

    found = listed(tmp_path, {"eth-usd.toml": ETH}, feedSettings=settings, ocr={"alphaPpb": 7})
    btc, eth = (feed.timings for feed in found.served)

    assert (86_400_000, 7, 30_000, 6) == (btc.delta_c_ms, btc.alpha_ppb, btc.delta_round_ms, btc.r_max)
    assert (3_600_000, 1, 31_000, 9) == (eth.delta_c_ms, eth.alpha_ppb, eth.delta_round_ms, eth.r_max)
    assert btc.delta_progress_ms == eth.delta_progress_ms
