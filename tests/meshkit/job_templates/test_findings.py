"""What is found in job templates."""

from functools import cache

import pytest

from meshkit.configuration.aggregator import SOURCES
from meshkit.job_templates.findings import Finding, file_name, findings
from meshkit.job_templates.template import read
from tests.job_templates import FEEDS, Leg, cross, direct, of


def found(*texts: str) -> list[Finding]:
    """Return what is found in templates that have the names of files 0.toml, 1.toml and so on."""
    return list(findings([read(f"{at}.toml", text) for at, text in enumerate(texts)], SOURCES))


@cache
def of_deployment() -> tuple[Finding, ...]:
    """Return what is found in a deployment's templates."""
    return findings([read(file_name(feed["name"]), of(feed)) for feed in FEEDS], SOURCES)


def errors(*texts: str) -> list[str]:
    """Return the rules of the errors."""
    return [each.rule for each in found(*texts) if each.severity == "error"]


def test_the_evident_errors_of_a_deployment_are_found() -> None:
    """
    Of its 260 templates the 38 with an evident error are found, and one more.

    USDf asks for the token of another issuer, which its price of about a dollar hides.
    """
    said = of_deployment()
    evident = {feed["name"] for feed in FEEDS if "errors" in feed}

    assert 38 == len(evident)
    assert evident | {"USDf / USD"} == {each.feed for each in said if each.severity == "error"}


def test_what_leans_on_little_is_a_warning() -> None:
    """Few sources, bridged, tokenised and pegged stand-ins, and lost siblings are told, and are no errors."""
    said = of_deployment()
    count = {rule: sum(each.rule == rule for each in said if each.severity == "warning") for rule in _WARNED}

    assert _WARNED == count


_WARNED = {"few-sources": 82, "stand-in": 41 + 15 + 4, "file-collision": 2}

GOOD = direct("ETH / USD", [Leg("binance", "ETH", "USDT"), Leg("coingecko", "ethereum"), Leg("kraken", "ETH")])


def test_a_good_template_is_left_alone() -> None:
    """Nothing is said of three sources that are asked for the asset."""
    assert [] == found(GOOD)
    inputs = [(Leg("kraken", "SOL"), Leg("kraken", "ETH")), (Leg("okx", "SOL"), Leg("okx", "ETH"))]
    assert [] == errors(cross("SOL / ETH", inputs))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (direct("SOL / USD", [Leg("coingecko", "solana-2")]), "wrong-coin"),
        (direct("SOL / USD", [Leg("coingecko", "bridged-trx-solana")]), "wrong-coin"),
        (direct("SEK / USD", [Leg("coingecko", "seeking-token")]), "wrong-coin"),
        (direct("LTC / USD", [Leg("frankfurter", "LTC")]), "wrong-source"),
        (direct("AAPL / USD", [Leg("binance", "AAPL", "USDT")]), "wrong-source"),
        (direct("LTC / USD", [Leg("kraken", "ETH")]), "other-asset"),
        (direct("LTC / USD", [Leg("kraken", "NOSUCH")]), "other-asset"),
        (direct("NOSUCH / USD", [Leg("coingecko", "ethereum")]), "other-asset"),
        (direct("EUR / USD", [Leg("frankfurter", "USD", "EUR")]), "inverted"),
        (cross("LTC / ETH", [(Leg("kraken", "ETH"), Leg("kraken", "LTC"))]), "inverted"),
        (cross("LTC / ETH", [(Leg("coingecko", "ethereum"), Leg("coingecko", "litecoin"))]), "inverted"),
        (cross("TRX / ETH", [(Leg("binance", "TRX", "USDT"), Leg("binance", "ETH", "USDT"))]), "stale-venue"),
        (direct("LTC / USD", [Leg("kraken", "LTC", "EUR")]), "quote"),
        (cross("LTC / ETH", [(Leg("kraken", "LTC", "EUR"), Leg("kraken", "ETH"))]), "quote"),
        (cross("LTC / ETH", [(Leg("kraken", "LTC"), Leg("okx", "ETH"))]), "mixed-source"),
        (direct("NOSUCH / USD", [Leg("okx", "NOSUCH"), Leg("kraken", "OTHER")]), "mixed-asset"),
        (direct("ETH / USD", [Leg("kraken", "ETH"), Leg("kraken", "ETH")]), "doubled"),
        (direct("ETH / USD", [Leg("mtgox", "ETH")]), "unknown-source"),
        (direct("ETH / USD", [Leg("kraken", "ETH")], decimals=18), "decimals"),
        (GOOD.replace("times=100000000", "times=10000000", 1), "decimals"),
        (GOOD.replace("times=100000000", "times=300000000"), "decimals"),
        (GOOD.replace('path="price"', 'path="receivedAt"', 1), "path"),
        (GOOD.replace("/quote/", "/prices/", 1), "pipeline"),
        (GOOD.replace('name = "ETH / USD"', 'name = "ether"'), "name"),
        (GOOD.replace("$JOB_CA", "$CONTRACT"), "unreadable"),
        (GOOD.replace("schemaVersion = 1", "schemaVersion ="), "unreadable"),
    ],
)
def test_each_kind_of_error_is_found(text: str, rule: str) -> None:
    """A template with one error has that error."""
    assert rule in errors(text)


def test_stand_ins_must_stand_for_the_asset() -> None:
    """A bridged token of the asset is a warning, one of another asset an error."""
    same = found(direct("SOL / USD", [Leg("coingecko", "wormhole-bridged-sol-ethereum")]))

    assert ("warning", "stand-in") in {(each.severity, each.rule) for each in same}
    assert [] == [each for each in same if each.severity == "error"]
    assert ["wrong-coin"] == errors(direct("SOL / USD", [Leg("coingecko", "solana-bridged-trx-solana")]))


def test_two_templates_of_one_name_collide() -> None:
    """The file that is not called as its name is has the error; so has one with another's job id."""
    other = GOOD.replace("externalJobID", "otherJobID")
    named = [read("eth-usd.toml", GOOD), read("beth-usd.toml", other)]

    said = [each for each in findings(named, SOURCES) if each.severity == "error"]

    assert [("beth-usd.toml", "name-collision")] == [(each.file, each.rule) for each in said]
    assert "id-collision" in errors(GOOD, GOOD.replace("ETH / USD", "BTC / USD"))


def test_file_names_are_those_of_deployments() -> None:
    """Letters and digits of the name, in lower case."""
    assert "usd0-usd.toml" == file_name("USD0++ / USD")
    assert "ezeth-eth-exchange-rate.toml" == file_name("ezETH / ETH Exchange Rate")


def test_names_that_differ_in_case_only_are_told() -> None:
    """They are two jobs to a node and one feed to a person, but for two feeds that are known as such."""
    other = GOOD.replace("ETH / USD", "Eth / USD")

    assert ["similar-name"] == [each.rule for each in found(GOOD, other) if "case or spaces" in each.message]
    usde = [direct(name, [Leg("kraken", "USDE")]) for name in ("USDE / USD", "USDe / USD")]
    assert [] == [each.rule for each in found(*usde) if "case or spaces" in each.message]
