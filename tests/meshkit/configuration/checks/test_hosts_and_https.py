"""What the list of hosts does not hold."""

import pytest

from meshkit.configuration.checks.hosts_and_https import remarks
from meshkit.configuration.solution import Configuration
from tests.deployment import deployment


@pytest.mark.parametrize(
    ("runtime", "nodes"),
    [
        ("embedded", None),
        ("chainlink", "nodes 1, 2, 3, 4, 5"),
        ({"1": "embedded", "2": "embedded", "3": "chainlink", "4": "embedded", "5": "embedded"}, "node 3"),
        ({"1": "embedded", "2": "embedded", "3": "chainlink", "4": "embedded"}, "nodes 3, 5"),
    ],
)
def test_the_list_of_hosts_does_not_hold_another_program(runtime: object, nodes: str | None) -> None:
    """Chainlink's program knows no such list, so each node that may run it is named; without a list nothing is said."""
    limited = Configuration.model_validate(deployment(runtime=runtime, egress=["a.example"])).solution
    expected = [] if nodes is None else [f"where a node runs Chainlink's own program, as {nodes} may"]
    found = [str(remark) for remark in remarks(limited)]
    assert len(expected) == len(found)
    assert all(remark.endswith(words) for remark, words in zip(found, expected, strict=True))
    assert all(remark.startswith("solution.mesh.egress: has no effect") for remark in found)
    assert [] == list(remarks(Configuration.model_validate(deployment(runtime=runtime)).solution))
