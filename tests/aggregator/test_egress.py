"""Which hosts the aggregator may connect to."""

from typing import Any

import pytest

from meshkit.configuration.solution import Configuration
from services.aggregator import config
from tests.deployment import deployment


def hosts(sources: dict[str, Any], egress: list[str] | None = None, **aggregator: Any) -> frozenset[str]:
    """Return the hosts that a configuration of these sources allows."""
    document = deployment(egress=egress)
    document["solution"]["priceAggregatorConfig"] = {"sources": sources} | aggregator
    found = config.read(Configuration.model_validate(document)).egress
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("sources", "aggregator", "expected"),
    [
        ({"frankfurter": {}}, {}, {"api.frankfurter.dev"}),
        ({"frankfurter": {"enabled": False}}, {}, set()),
        ({"kraken": {}}, {}, {"api.kraken.com", "ws.kraken.com"}),
        ({"coingecko": {}}, {}, {"api.coingecko.com", "pro-api.coingecko.com"}),
        ({"coingecko": {"baseUrl": "https://mirror.example"}}, {}, {"mirror.example"}),
        ({"kraken": {"baseUrl": "https://mirror.example"}}, {}, {"mirror.example"}),
        ({"frankfurter": {"useProxy": "http://proxy.example:1"}}, {}, {"api.frankfurter.dev", "proxy.example"}),
        (
            {"frankfurter": {"useProxy": True}},
            {"proxy": "http://all.example:1"},
            {"api.frankfurter.dev", "all.example"},
        ),
    ],
)
def test_the_default_is_what_the_file_names(
    sources: dict[str, Any], aggregator: dict[str, Any], expected: set[str]
) -> None:
    """The REST APIs and streams of the sources that are on, at their own addresses or at those given, and proxies."""
    assert expected == hosts(sources, **aggregator)


def test_a_stream_whose_address_is_given_out_may_be_anywhere_below_its_domain() -> None:
    """KuCoin's token comes with a host."""
    assert "*.kucoin.com" in hosts({"kucoin": {"stream": {}}})


def test_the_list_of_the_file_is_the_list() -> None:
    """Whatever the sources are."""
    assert {"only.example"} == hosts({"kraken": {}}, ["only.example"])
