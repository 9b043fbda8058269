"""Places that only one machine has."""

from pathlib import PurePath

import pytest

from scripts.checks import places


@pytest.mark.parametrize(
    "line", ["see /home/ada/x", "cd /root/project", '"/Users/ada/x"', "https://pypi.org/simple", "registry.npmjs.org"]
)
def test_they_are_found(line: str) -> None:
    """Homes, checkouts and registries are named with their line."""
    found = list(places.named(PurePath("a.md"), f"fine\n{line}\n"))
    assert ["a.md:2: names"] == [each[:13] for each in found]


@pytest.mark.parametrize(
    "line", ["/run/feedmesh/x.sock", "https://api.binance.com", "$HOME/x", "a/home/b", "/sp/configurations", "root/"]
)
def test_others_are_left_alone(line: str) -> None:
    """Places that every machine has, and addresses that the product asks, are no fault."""
    assert [] == list(places.named(PurePath("a.md"), line))
