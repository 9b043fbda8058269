"""Configurations compared key by key."""

import json

from hypothesis import given
from hypothesis import strategies as st

from meshkit.configuration.solution import Configuration
from services.supervisor.plan.key_digests import digests
from services.supervisor.plan.plan_difference import differing_keys
from tests.meshkit.configuration.leaves import changed, leaves, whole
from tests.supervisor.plan.conftest import SIGNED

BASE = whole(json.loads(SIGNED.read_text()))
LEAVES = dict(leaves(BASE))


@given(st.sampled_from(sorted(LEAVES)))
def test_each_value_has_its_key(place: str) -> None:
    """Another value differs at its own key or below it, and nowhere else."""
    other: Configuration = changed(BASE, LEAVES[place])
    found = differing_keys(digests(BASE), digests(other))

    assert found
    assert all(key == place or key.startswith(f"{place}.") for key in found)


def test_no_secret_is_in_a_digest() -> None:
    """Neither a key nor its digest shows a value."""
    text = json.dumps(digests(BASE))
    solution = BASE.solution

    for secret in (solution.pg_password, solution.chainlink_password, solution.faucet_private_key):
        assert secret.get_secret_value() not in text
