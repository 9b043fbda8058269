"""True and false are no numbers."""

from pathlib import Path

import pytest

from meshkit.configuration.faults.problem import InvalidConfiguration
from meshkit.configuration.load import load
from meshkit.configuration.reading.booleans import read_as_numbers
from meshkit.configuration.solution import Configuration
from tests.deployment import deployment, written


def test_each_is_told_with_its_place(tmp_path: Path) -> None:
    """In a field, in an object and in a list: all at once, with what is allowed, and beside other faults."""
    document = deployment()
    solution = document["solution"]
    solution["chainlinkChainId"] = True
    solution["priceAggregatorConfig"]["port"] = False
    solution["priceAggregatorConfig"]["pairsTtl"][1]["ttl"] = True
    solution["pgPort"] = 0
    with pytest.raises(InvalidConfiguration) as caught:
        load(written(tmp_path, document))
    found = {".".join(map(str, each.place)): each.found for each in caught.value.problems}

    assert {
        "solution.chainlinkChainId": "true",
        "solution.priceAggregatorConfig.port": "false",
        "solution.priceAggregatorConfig.pairsTtl.1.ttl": "true",
        "solution.pgPort": "0",
    } == found


def test_numbers_and_switches_are_what_they_are() -> None:
    """A deployment's own booleans and numbers are no fault."""
    document = deployment()

    assert [] == list(read_as_numbers(document, Configuration.model_validate(document)))
