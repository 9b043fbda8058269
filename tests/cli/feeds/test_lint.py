"""The rules that look for wrongly priced feeds."""

import subprocess
import sys
from dataclasses import replace
from types import MappingProxyType

import orjson
import pytest

from cli.feeds.lint import Finding, lint
from meshkit import feeds
from meshkit.feeds import Correction, Feed

_USD = {
    "binance": ("BTC", "USDT"),
    "kraken": ("BTC", "USD"),
    "coinbase": ("BTC", "USD"),
    "coingecko": ("bitcoin", "USD"),
}
_BTC = Feed("BTC / USD", "BTC", "USD", 8, _USD)
_ETH = Feed("ETH / USD", "ETH", "USD", 8, dict.fromkeys(("kraken", "okx", "coinbase"), ("ETH", "USD")))
_CROSS = Feed("BTC / ETH", "BTC", "ETH", 18, {}, "cross", (("BTC", "USD"), ("ETH", "USD")))


def _rules(*known: Feed) -> list[tuple[str, str, str]]:
    return [(found.severity, found.rule, found.feed) for found in lint(known, {})]


def test_good_feeds_have_no_findings() -> None:
    """Three sources of their own, spelled right, and a cross feed of two such."""
    assert [] == _rules(_BTC, _ETH, _CROSS)


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({"kraken": ("BTC", "USD"), "okx": ("BTC", "USD")}, [("warning", "few-sources")]),
        (
            {"coingecko": ("bitcoin", "USD"), "cryptocompare": ("BTC", "USD")},
            [("warning", "copies-only"), ("warning", "few-sources")],
        ),
        ({}, [("error", "no-source")]),
        (_USD | {"mtgox": ("BTC", "USD")}, [("error", "unknown-source")]),
        (_USD | {"coingecko": ("Bitcoin", "USD")}, [("error", "symbol")]),
        (_USD | {"kraken": ("btc", "USD")}, [("error", "symbol")]),
        (_USD | {"kraken": ("XBT", "USD")}, [("warning", "other-ticker")]),
        (_USD | {"kraken": ("BTC", "EUR")}, [("error", "quote")]),
        (_USD | {"kraken": ("USD", "BTC")}, [("error", "inverted")]),
        (_USD | {"coingecko": ("binance-peg-bitcoin", "USD")}, [("warning", "stand-in")]),
        (_USD | {"frankfurter": ("BTC", "USD")}, [("error", "currency-by-token")]),
    ],
)
def test_each_fault_of_sources_has_its_rule(
    sources: dict[str, tuple[str, str]], expected: list[tuple[str, str]]
) -> None:
    """One fault gives the findings of its rule and no other."""
    assert [(*found, _BTC.name) for found in expected] == _rules(replace(_BTC, sources=sources))


@pytest.mark.parametrize(
    ("cross", "expected"),
    [
        ((("ETH", "USD"), ("BTC", "USD")), {"inverted"}),
        ((("BTC", "USD"), ("XRP", "USD")), {"unknown-leg", "no-source"}),
    ],
)
def test_faults_of_legs_are_errors(cross: tuple[tuple[str, str], tuple[str, str]], expected: set[str]) -> None:
    """A cross feed whose legs are swapped, or one of which nobody prices, could only be wrong."""
    found = [finding for finding in lint([_BTC, _ETH, replace(_CROSS, cross=cross)], {}) if finding.severity == "error"]

    assert expected == {finding.rule for finding in found}


def test_a_cross_feed_is_as_good_as_its_weaker_leg() -> None:
    """Many sources of one leg do not make up for one source of the other."""
    alone = replace(_ETH, sources=MappingProxyType({"coingecko": ("ethereum", "USD")}))

    assert {("few-sources", "BTC / ETH"), ("copies-only", "BTC / ETH")} <= {
        (finding.rule, finding.feed) for finding in lint([_BTC, alone, _CROSS], {})
    }


def test_a_leg_that_is_no_feed_counts() -> None:
    """Legs with sources of their own are as good as feeds, and are looked at too."""
    legs = {("ETH", "USD"): dict.fromkeys(("kraken", "okx", "mtgox"), ("ETH", "USD"))}

    assert [("unknown-source", "ETH / USD")] == [(found.rule, found.feed) for found in lint([_BTC, _CROSS], legs)]


def test_a_pair_that_is_corrected_elsewhere_is_an_error() -> None:
    """What one feed's note calls wrong may not stay in another feed."""
    note = Correction("coingecko", ("batcat", "USD"), ("bitcoin", "USD"), "another coin")
    other = replace(_BTC, name="XBT / USD", base="XBT", sources={"coingecko": ("batcat", "USD")})
    errors = [found for found in lint([replace(_BTC, corrections=(note,)), other], {}) if found.severity == "error"]

    assert [("uncorrected", "XBT / USD")] == [(found.rule, found.feed) for found in errors]


def test_a_note_that_is_not_in_force_is_an_error() -> None:
    """A correction says what the feed asks."""
    note = Correction("coingecko", ("batcat", "USD"), None, "another coin")

    assert [("error", "correction", "BTC / USD")] == _rules(replace(_BTC, corrections=(note,)))


def test_names_that_collide_are_found() -> None:
    """Equal names and equal pairs are errors; names that differ by case or symbols only are worth a warning."""
    upper, mixed = (replace(_BTC, name=f"{base} / USD", base=base, sources=_ETH.sources) for base in ("USDE", "USDe"))
    same_pair = replace(_BTC, name="Bitcoin / USD")

    assert ("warning", "collision", "USDE / USD") in _rules(upper, mixed)
    assert [("error", "collision", "BTC / USD")] == _rules(_BTC, same_pair)
    assert ("error", "collision", "BTC / USD") in _rules(_BTC, _BTC)


def test_no_known_feed_has_an_error() -> None:
    """The feeds that ship can all be priced; what they lean on is only warned of."""
    found: list[Finding] = lint(feeds.load().values(), feeds.legs())

    assert [] == [finding for finding in found if finding.severity == "error"]
    assert {"few-sources", "copies-only", "stand-in", "collision"} == {finding.rule for finding in found}


def test_the_command_answers_json_and_succeeds_with_warnings() -> None:
    """Only an error makes the command fail."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", "feeds", "lint", "--offline", "--json"],
        capture_output=True,
        check=False,
        timeout=60,
    )
    said = orjson.loads(done.stdout)

    assert (0, True, 0, 262) == (done.returncode, said["ok"], said["errors"], said["feeds"])
    assert said["warnings"] == len(said["findings"]) > 0
